//! Answers that more than one handler gives.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LINK, LOCATION};
use http::{HeaderMap, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::look::{Removal, Shown, Style};
use crate::auth::user_id::UserId;
use crate::http::error::{ApiError, Current};
use crate::http::prefer::PREFERENCE_APPLIED;
use crate::http::terms::Terms;
use crate::write::{Done, Kept, Outcome, Text};

/// The fields that a PUT cleared and that had a value.
pub const CLEARED_FIELDS: HeaderName = HeaderName::from_static("cleared-fields");
/// How many rows the filters let through in all.
pub const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
/// This answer was given before, to the same request.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What stands for itself in a path segment (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// JSON that is text already.
fn json(text: String) -> ([(HeaderName, HeaderValue); 1], Body) {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(text))
}

/// 200 with the row, 304 where the client has it already.
///
/// # Errors
/// 404 without a row.
pub fn read<T: Shown>(style: Style, terms: &Terms, row: Option<T>, id: String) -> Result<Response, ApiError> {
    let row = row.ok_or_else(|| ApiError::NotFound(T::missing(id)))?;
    let tag = row.tag(style.look);
    let mut response = if terms.has(&tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json(row.json(style.look)?).into_response()
    };
    set(response.headers_mut(), ETAG, &tag);
    Ok(response)
}

/// 200 with the row as it is now and the names of what was cleared; 204 for who prefers it short.
///
/// # Errors
/// 404 and 412.
pub fn written<T: Shown>(
    style: Style,
    terms: &Terms,
    outcome: Outcome<T>,
    id: String,
) -> Result<Response, ApiError> {
    let Done { row, cleared } = done(style, outcome, id)?;
    let mut response = respond(&changed(style, terms.prefer.minimal, &row).ok_or(ApiError::Internal)?, false);
    if !cleared.is_empty() {
        set(response.headers_mut(), CLEARED_FIELDS, &cleared.join(", "));
    }
    Ok(response)
}

/// The answer to a removal, as the contract has it.
///
/// # Errors
/// 404 and 412.
pub fn removed<T: Shown>(style: Style, outcome: Outcome<T>, id: String) -> Result<Response, ApiError> {
    let Done { row, cleared: _ } = done(style, outcome, id)?;
    let (status, body) = removal(style, &row);
    Ok(match body {
        Some(body) => (status, json(body)).into_response(),
        None => status.into_response(),
    })
}

/// Status and body of a removal's answer.
pub fn removal<T: Shown>(style: Style, row: &T) -> (StatusCode, Option<String>) {
    let message = format!("\"success\":true,\"message\":\"{} deleted\"", T::NAME);
    match style.removal {
        Removal::Empty => (StatusCode::NO_CONTENT, None),
        Removal::Message => (StatusCode::OK, Some(format!("{{{message}}}"))),
        Removal::MessageAndId => {
            (StatusCode::OK, Some(format!("{{{message},\"id\":{}}}", row.name_json(style.look))))
        }
    }
}

/// What was done, or why it was not.
///
/// # Errors
/// 404 and 412.
pub fn done<T: Shown>(style: Style, outcome: Outcome<T>, id: String) -> Result<Done<T>, ApiError> {
    match outcome {
        Outcome::Done(done) => Ok(done),
        Outcome::Missing => Err(ApiError::NotFound(T::missing(id))),
        Outcome::Stale(row) => {
            let tag = row.tag(style.look);
            let row = serde_json::from_str(&row.json(style.look)?).map_err(|_| ApiError::Internal)?;
            Err(ApiError::PreconditionFailed(Box::new(Current { row, tag })))
        }
    }
}

/// 201 with the row, its address and its entity tag.
pub fn created<T: Shown>(style: Style, user: &UserId, minimal: bool, row: &T) -> Option<Kept> {
    let user = utf8_percent_encode(user.as_str(), SEGMENT);
    let location = format!("{}/{user}/{}/{}", style.base, T::COLLECTION, row.name(style.look));
    let mut kept = with_row(style, minimal, StatusCode::CREATED, row)?;
    kept.headers.insert(0, header(&LOCATION, location));
    Some(kept)
}

/// 200 with the row as it is now and its entity tag; 204 for who prefers it short.
pub fn changed<T: Shown>(style: Style, minimal: bool, row: &T) -> Option<Kept> {
    with_row(style, minimal, if minimal { StatusCode::NO_CONTENT } else { StatusCode::OK }, row)
}

fn with_row<T: Shown>(style: Style, minimal: bool, status: StatusCode, row: &T) -> Option<Kept> {
    let mut headers = vec![header(&ETAG, row.tag(style.look))];
    let (mut frame, mut texts) = (vec![String::new()], Vec::new());
    if minimal {
        headers.push(header(&PREFERENCE_APPLIED, "return=minimal"));
    } else {
        headers.push(header(&CONTENT_TYPE, "application/json"));
        frame.push(String::new());
        let whole = Some(row.json(style.look).ok()?);
        let blank = format!("{{\"id\":{}}}", row.name_json(style.look));
        texts.push(Text { id: row.version().id, whole, blank });
    }
    Some(Kept { status: status.as_u16(), headers, frame, texts })
}

/// A header as it is kept.
pub fn header(name: &HeaderName, value: impl Into<String>) -> (String, String) {
    (name.as_str().to_owned(), value.into())
}

/// An answer that is kept, or could be.
pub fn respond(kept: &Kept, replayed: bool) -> Response {
    let mut response = Response::new(Body::from(kept.body()));
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in &kept.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    if replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// 200 with a page, its total (where it was counted) in a header too, and the links to the pages around it.
pub fn counted<T: Serialize>(total: Option<u64>, links: Option<HeaderValue>, page: T) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(total) = total {
        headers.insert(X_TOTAL_COUNT, HeaderValue::from(total));
    }
    if let Some(links) = links {
        headers.insert(LINK, links);
    }
    (headers, Json(page)).into_response()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
