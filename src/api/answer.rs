//! Answers that more than one handler gives.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use uuid::Uuid;

use crate::auth::user_id::UserId;
use crate::change::Replaced;

/// The fields that a PUT cleared and that had a value.
pub const CLEARED_FIELDS: HeaderName = HeaderName::from_static("cleared-fields");
/// How many rows the filters let through in all.
pub const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// What stands for itself in a path segment (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// 201 with the row and its address: `<base>/<user>/<collection>/<id>`.
pub fn created<T: Serialize>(base: &str, user: &UserId, collection: &str, id: Uuid, row: T) -> Response {
    let user = utf8_percent_encode(user.as_str(), SEGMENT);
    let mut headers = HeaderMap::new();
    if let Ok(location) = HeaderValue::try_from(format!("{base}/{user}/{collection}/{id}")) {
        headers.insert(LOCATION, location);
    }
    (StatusCode::CREATED, headers, Json(row)).into_response()
}

/// 200 with the row, and the names of the cleared fields where there are any.
pub fn replaced<T: Serialize>(replaced: Replaced<T>) -> Response {
    let Replaced { row, cleared } = replaced;
    let mut headers = HeaderMap::new();
    if !cleared.is_empty()
        && let Ok(names) = HeaderValue::try_from(cleared.join(", "))
    {
        headers.insert(CLEARED_FIELDS, names);
    }
    (headers, Json(row)).into_response()
}

/// 200 with a page, and its total in a header too.
pub fn counted<T: Serialize>(total: u64, page: T) -> Response {
    ([(X_TOTAL_COUNT, HeaderValue::from(total))], Json(page)).into_response()
}
