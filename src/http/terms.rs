//! The terms of a request (RFC 9110, section 13; RFC 7240): what a row must be, what the client has already, what it
//! prefers.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;

use super::error::ApiError;
use super::prefer::Prefer;
use crate::field::etag::{Expected, names};

/// The terms of a request.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    if_match: Option<String>,
    if_none_match: Option<String>,
    /// What the client prefers.
    pub prefer: Prefer,
}

impl Terms {
    /// What the row must be for a change or a removal.
    ///
    /// # Errors
    /// 428 where a condition is required and there is none.
    pub fn expected(&self, required: bool) -> Result<Option<Expected>, ApiError> {
        match &self.if_match {
            Some(value) => Ok(Some(Expected::parse(value))),
            None if required => Err(ApiError::PreconditionRequired),
            None => Ok(None),
        }
    }

    /// Whether the client has this version already.
    pub fn has(&self, tag: &str) -> bool {
        self.if_none_match.as_ref().is_some_and(|value| names(value, tag))
    }
}

impl<S: Sync> FromRequestParts<S> for Terms {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let headers = &parts.headers;
        Ok(Self {
            if_match: joined(headers, IF_MATCH),
            if_none_match: joined(headers, IF_NONE_MATCH),
            prefer: Prefer::of(headers),
        })
    }
}

/// The values of a header as one list; what is no text names no version.
fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    let first = values.next()?.to_owned();
    Some(values.fold(first, |list, value| list + "," + value))
}
