//! Writes what went wrong in the form of the contract that the path belongs to.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, VARY};
use serde_json::{Map, Value, json};

use super::batch::BatchError;
use super::problem::{PROBLEM_JSON, Problem};
use super::todo::{TodoError, category, flat};
use super::v1::{V1Error, V1ErrorBody};
use crate::auth::refusal::{Refusal, RefusalKind};
use crate::field::Invalid;
use crate::http::error::{ApiError, Missing};

/// Who reads the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// Flat errors under `/api`.
    Todo,
    /// Nested errors under `/api/v1` and outside `/api`.
    V1,
}

impl Contract {
    /// The contract of a path (as sent: not decoded).
    pub fn of(path: &str) -> Self {
        let in_api = path == "/api" || path.starts_with("/api/");
        let in_v1 = path == "/api/v1" || path.starts_with("/api/v1/");
        if in_api && !in_v1 { Self::Todo } else { Self::V1 }
    }

    /// The contract whose form the errors of a path have: with `nested` (`TODO_ERRORS=nested`) v1's everywhere.
    pub fn of_errors(path: &str, nested: bool) -> Self {
        if nested { Self::V1 } else { Self::of(path) }
    }
}

/// In which form an error is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Whose words.
    pub contract: Contract,
    /// Whether the client asked for problem details (RFC 9457), which v1 has.
    pub problem: bool,
    /// In dev mode and with `DEBUG=true`: the reason why a token was refused is told too.
    pub open: bool,
}

/// Gives an answer that carries an [`ApiError`] the body of its contract; every other answer passes.
pub fn write(form: Form, mut response: Response, correlation_id: &str) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    let Form { contract, problem, open } = form;
    let v1 = || v1(&error, correlation_id, open);
    let (content_type, bytes) = match contract {
        Contract::Todo => ("application/json", serde_json::to_vec(&todo(&error, correlation_id, open))),
        Contract::V1 if problem => {
            (PROBLEM_JSON, serde_json::to_vec(&Problem::of(error.status(), v1().error)))
        }
        Contract::V1 => ("application/json", serde_json::to_vec(&v1())),
    };
    // Strings and maps with string keys always serialise.
    let bytes = bytes.unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    if contract == Contract::V1 {
        headers.append(VARY, HeaderValue::from_static("Accept"));
    }
    *response.body_mut() = Body::from(bytes);
    response
}

fn todo(error: &ApiError, correlation_id: &str, open: bool) -> TodoError {
    let detail = match error {
        ApiError::Unauthorized(refusal) => match refusal.kind {
            RefusalKind::Missing => "Missing authorization token".to_owned(),
            RefusalKind::Expired => "Token has expired".to_owned(),
            RefusalKind::Invalid => "Invalid or malformed token".to_owned(),
        },
        ApiError::Forbidden => "Access forbidden: user_id mismatch".to_owned(),
        ApiError::NotFound(Missing::Task(_)) => "Task not found".to_owned(),
        ApiError::NotFound(Missing::Idea(_)) => "Idea not found".to_owned(),
        ApiError::Validation(invalid) => flat(invalid),
        other => shared_message(other),
    };
    let reason = match error {
        ApiError::Unauthorized(refusal) if open => Some(explained(refusal)),
        _ => None,
    };
    TodoError {
        error: category(error.status()).to_owned(),
        message: detail.clone(),
        detail,
        current: current(error).cloned(),
        reason,
        correlation_id: correlation_id.to_owned(),
    }
}

/// The row as it is, for who expected another version.
fn current(error: &ApiError) -> Option<&Value> {
    match error {
        ApiError::PreconditionFailed(current) => Some(&current.row),
        _ => None,
    }
}

fn v1(error: &ApiError, correlation_id: &str, open: bool) -> V1Error {
    let (message, details) = (v1_message(error), v1_details(error, open));
    let body = V1ErrorBody { code: code(error), message, details, correlation_id: correlation_id.to_owned() };
    V1Error { success: false, error: body }
}

/// The text of an error in v1's words.
fn v1_message(error: &ApiError) -> String {
    match error {
        ApiError::Unauthorized(refusal) => match refusal.kind {
            RefusalKind::Missing => "Missing authentication token".to_owned(),
            RefusalKind::Expired => "Token expired".to_owned(),
            RefusalKind::Invalid => "Invalid token".to_owned(),
        },
        ApiError::Forbidden => "Cannot access other users' resources".to_owned(),
        ApiError::NotFound(Missing::Task(id)) => format!("Task {id} not found"),
        ApiError::NotFound(Missing::Idea(id)) => format!("Idea {id} not found"),
        ApiError::Validation(_) => "Validation failed".to_owned(),
        ApiError::Operation { index: _, error } => v1_message(error),
        other => shared_message(other),
    }
}

/// What a program may want to know of an error.
fn v1_details(error: &ApiError, open: bool) -> Value {
    match error {
        ApiError::Validation(invalid) => json!({ "fields": fields(invalid) }),
        ApiError::Unauthorized(refusal) if open => json!({ "reason": explained(refusal) }),
        ApiError::PreconditionFailed(current) => json!({ "current": current.row }),
        ApiError::Operation { index, error } => {
            let mut details = v1_details(error, open);
            if let Value::Object(members) = &mut details {
                members.insert("index".to_owned(), json!(index));
            }
            details
        }
        _ => json!({}),
    }
}

/// An error as one of the results of a batch.
pub fn of_operation(error: &ApiError) -> BatchError {
    BatchError { code: code(error), message: v1_message(error), details: v1_details(error, false) }
}

/// The texts that both contracts share.
fn shared_message(error: &ApiError) -> String {
    match error {
        ApiError::BadRequest(text) | ApiError::UnsupportedMediaType(text) => text.clone(),
        ApiError::NotFound(_) => "Not found".to_owned(),
        ApiError::MethodNotAllowed => "Method not allowed".to_owned(),
        ApiError::Conflict(text) => (*text).to_owned(),
        ApiError::PreconditionFailed(_) => {
            "It has changed since: look at what it is now, and try again with its ETag in If-Match".to_owned()
        }
        ApiError::PreconditionRequired => {
            "If-Match is required: send the ETag of what you have seen, or * to overwrite whatever is there".to_owned()
        }
        ApiError::Operation { index: _, error } => shared_message(error),
        ApiError::RequestTimeout => "The request body did not arrive in time".to_owned(),
        ApiError::PayloadTooLarge(limit) => format!("Request body exceeds the limit of {limit} bytes"),
        ApiError::UriTooLong => "The request's address is too long".to_owned(),
        ApiError::Misdirected => {
            "In dev mode only localhost, 127.0.0.1 and [::1] are answered; set a key source to serve other names"
                .to_owned()
        }
        ApiError::TooManyRequests { .. } => "Too many requests: wait as long as Retry-After says".to_owned(),
        ApiError::Internal => "Internal server error".to_owned(),
        ApiError::Unavailable { .. } => "Service temporarily unavailable, please try again".to_owned(),
        ApiError::OutcomeUnknown => {
            "The outcome of this write is unknown: repeat with the same Idempotency-Key, or look whether it took place"
                .to_owned()
        }
        ApiError::Unauthorized(_) => "Unauthorized".to_owned(),
        ApiError::Forbidden => "Forbidden".to_owned(),
        ApiError::Validation(invalid) => flat(invalid),
    }
}

fn code(error: &ApiError) -> &'static str {
    match error {
        ApiError::BadRequest(_) => "BAD_REQUEST",
        ApiError::Unauthorized(_) => "UNAUTHORIZED",
        ApiError::Forbidden => "FORBIDDEN",
        ApiError::NotFound(_) => "NOT_FOUND",
        ApiError::MethodNotAllowed => "METHOD_NOT_ALLOWED",
        ApiError::Conflict(_) => "CONFLICT",
        ApiError::PreconditionFailed(_) => "PRECONDITION_FAILED",
        ApiError::PreconditionRequired => "PRECONDITION_REQUIRED",
        ApiError::Operation { index: _, error } => code(error),
        ApiError::RequestTimeout => "REQUEST_TIMEOUT",
        ApiError::PayloadTooLarge(_) => "PAYLOAD_TOO_LARGE",
        ApiError::UriTooLong => "URI_TOO_LONG",
        ApiError::UnsupportedMediaType(_) => "UNSUPPORTED_MEDIA_TYPE",
        // Of the contract's codes the nearest: the request went to a name that is not served.
        ApiError::Misdirected => "BAD_REQUEST",
        ApiError::Validation(_) => "VALIDATION_ERROR",
        ApiError::TooManyRequests { .. } => "RATE_LIMITED",
        ApiError::Internal => "INTERNAL_ERROR",
        ApiError::Unavailable { .. } => "SERVICE_UNAVAILABLE",
        ApiError::OutcomeUnknown => "OUTCOME_UNKNOWN",
    }
}

fn fields(invalid: &Invalid) -> Value {
    let fields: Map<String, Value> =
        invalid.fields().iter().map(|(field, texts)| (field.clone(), json!(texts))).collect();
    Value::Object(fields)
}

fn explained(refusal: &Refusal) -> String {
    match &refusal.detail {
        Some(detail) => format!("{}: {detail}", refusal.reason),
        None => refusal.reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_contract() {
        for (path, contract) in [
            ("/api", Contract::Todo),
            ("/api/ann/tasks", Contract::Todo),
            ("/api/v1x/tasks", Contract::Todo),
            ("/api/v1", Contract::V1),
            ("/api/v1/ann/ideas", Contract::V1),
            ("/apix", Contract::V1),
            ("/health", Contract::V1),
        ] {
            assert_eq!(Contract::of(path), contract, "{path}");
            assert_eq!(Contract::of_errors(path, false), contract, "{path}");
            assert_eq!(Contract::of_errors(path, true), Contract::V1, "{path}");
        }
    }
}
