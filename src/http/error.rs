//! What can go wrong with a request, in no contract's words: each contract writes it in its own form.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, ETAG, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::auth::refusal::Refusal;
use crate::db::DbError;
use crate::field::Invalid;

/// What was looked for and is not there (or belongs to someone else, which looks the same).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A task, by the id that the client sent.
    Task(String),
    /// An idea, by the id that the client sent.
    Idea(String),
    /// A path that no route serves.
    Path,
}

/// A request's failure. It travels in the response's extensions until the contract's layer writes it.
#[derive(Debug, Clone)]
pub enum ApiError {
    /// 400: bad percent-encoding, malformed JSON; the text says which.
    BadRequest(String),
    /// 401: no token or a refused one.
    Unauthorized(Refusal),
    /// 403: the path names another user than the token.
    Forbidden,
    /// 404.
    NotFound(Missing),
    /// 405, with the methods that the path takes for `Allow` (empty: the header is already there).
    MethodNotAllowed,
    /// 409: another request holds what this one needs; with `Retry-After`.
    Conflict(&'static str),
    /// 412: the row is not the version that the client expected.
    PreconditionFailed(Box<Current>),
    /// 428: a change without a condition, where one is required.
    PreconditionRequired,
    /// Of several operations this one failed, and nothing was done.
    Operation {
        /// Its place among them.
        index: usize,
        /// What was wrong with it.
        error: Box<ApiError>,
    },
    /// 408: the body did not arrive in time.
    RequestTimeout,
    /// 413, with the limit in bytes.
    PayloadTooLarge(usize),
    /// 414.
    UriTooLong,
    /// 415, with what was wrong about the type.
    UnsupportedMediaType(String),
    /// 421: a Host that dev mode does not answer.
    Misdirected,
    /// 422: every bad field at once.
    Validation(Invalid),
    /// 429: the user, or the address that refused tokens come from, is past the rate limit; with `Retry-After`.
    TooManyRequests {
        /// After which time one more is let through.
        retry_after: Duration,
    },
    /// 500: a fault of ours; the cause is in the log only.
    Internal,
    /// 503: database unreachable or saturated, deadline passed; with `Retry-After`.
    Unavailable {
        /// After which time another try makes sense.
        retry_after: Duration,
    },
    /// 503: the link broke during a commit, so nobody knows whether it happened.
    OutcomeUnknown,
}

/// A row as it is, for a client that expected another version.
#[derive(Debug, Clone)]
pub struct Current {
    /// The row in the form of its contract.
    pub row: Value,
    /// Its entity tag.
    pub tag: String,
}

impl ApiError {
    /// The status code of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::Operation { index: _, error } => error.status(),
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PayloadTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Validation(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable { .. } | Self::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// 503 with the usual wait.
    pub fn unavailable() -> Self {
        Self::Unavailable { retry_after: Duration::from_secs(1) }
    }
}

impl IntoResponse for ApiError {
    /// An empty answer with the status, the headers that belong to it, and the error in its extensions.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        self.set_headers(response.headers_mut());
        response.extensions_mut().insert(self);
        response
    }
}

impl ApiError {
    /// The headers that belong to it.
    fn set_headers(&self, headers: &mut HeaderMap) {
        match self {
            Self::Unauthorized(refusal) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(refusal.challenge()));
            }
            Self::Unavailable { retry_after } | Self::TooManyRequests { retry_after } => {
                // a part of a second is rounded up: who comes when told must be let in
                let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            Self::OutcomeUnknown | Self::Conflict(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(1u64));
            }
            Self::MethodNotAllowed => {
                debug_assert!(headers.get(ALLOW).is_none(), "the router sets Allow");
            }
            Self::PreconditionFailed(current) => {
                if let Ok(tag) = HeaderValue::try_from(&current.tag) {
                    headers.insert(ETAG, tag);
                }
            }
            Self::Operation { index: _, error } => error.set_headers(headers),
            Self::BadRequest(_)
            | Self::Forbidden
            | Self::NotFound(_)
            | Self::PreconditionRequired
            | Self::RequestTimeout
            | Self::PayloadTooLarge(_)
            | Self::UriTooLong
            | Self::UnsupportedMediaType(_)
            | Self::Misdirected
            | Self::Validation(_)
            | Self::Internal => {}
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self::Validation(invalid)
    }
}

impl From<DbError> for ApiError {
    /// A database failure is never "not found" and never the client's fault.
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) | DbError::Locked(_) => Self::unavailable(),
            DbError::OutcomeUnknown(_) => Self::OutcomeUnknown,
            DbError::Fault(cause) => {
                tracing::error!(%cause, "Request failed");
                Self::Internal
            }
        }
    }
}
