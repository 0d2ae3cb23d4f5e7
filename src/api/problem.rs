//! Problem details (RFC 9457): the v1 contract's errors for clients that ask for them.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::v1::V1ErrorBody;

/// The media type.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error of the v1 contract as problem details (RFC 9457), for `Accept: application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the problem is what the status says.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// For people: the `message` of the nested form.
    pub detail: String,
    /// As in the nested form.
    pub code: &'static str,
    /// As in the nested form.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
    /// Finds the request in the log.
    pub correlation_id: String,
}

impl Problem {
    /// The same error in this form.
    pub fn of(status: StatusCode, error: V1ErrorBody) -> Self {
        let V1ErrorBody { code, message, details, correlation_id } = error;
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: message,
            code,
            details,
            correlation_id,
        }
    }
}
