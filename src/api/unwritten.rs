//! The outermost guarantee: whatever went wrong further in, its answer has a body in the form of its path's contract.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, StatusCode};
use http_body::Body as _;

use super::errors::{self, Contract, Form};
use crate::http::accept::wants_problems;
use crate::http::around::Around;
use crate::http::correlation::CorrelationId;
use crate::http::error::{ApiError, Missing};

/// Has the errors written that nobody further in has written: the router's 404 and 405, panics, refusals of the
/// layers further in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnwrittenErrors {
    /// In dev mode and with `DEBUG=true` the reason why a token was refused is in the body too.
    pub(crate) open: bool,
    /// `TODO_ERRORS=nested`: errors have v1's form on the paths of the todo contract too.
    pub(crate) nested: bool,
}

/// What the writer needs of the request.
#[derive(Debug)]
pub(crate) struct Asked {
    form: Form,
    head: bool,
    correlation: Option<CorrelationId>,
}

impl Around for UnwrittenErrors {
    type Kept = Asked;

    fn inward(&self, request: &mut Request) -> Asked {
        let contract = Contract::of_errors(request.uri().path(), self.nested);
        let problem = contract == Contract::V1 && wants_problems(request.headers());
        Asked {
            form: Form { contract, problem, open: self.open },
            head: request.method() == Method::HEAD,
            correlation: request.extensions().get().cloned(),
        }
    }

    fn outward(&self, asked: Asked, mut response: Response) -> Response {
        if !is_unwritten(&response) {
            return response;
        }
        if response.extensions().get::<ApiError>().is_none()
            && let Some(error) = by_status(response.status())
        {
            response.extensions_mut().insert(error);
        }
        let correlation = asked.correlation.as_ref().map_or("", CorrelationId::as_str);
        // the router has counted the empty body already
        response.headers_mut().remove(CONTENT_LENGTH);
        let mut written = errors::write(asked.form, response, correlation);
        if let Some(length) = written.body().size_hint().exact() {
            written.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        if asked.head {
            *written.body_mut() = Body::empty();
        }
        written
    }
}

/// An error that no contract has written: it is still in the extensions, or there is no body.
fn is_unwritten(response: &Response) -> bool {
    let status = response.status();
    if response.extensions().get::<ApiError>().is_some() {
        return true;
    }
    let refused = status.is_client_error() || status.is_server_error();
    refused
        && response.body().size_hint().exact() == Some(0)
        && !response.headers().contains_key(CONTENT_TYPE)
}

/// What the router says by a status alone.
fn by_status(status: StatusCode) -> Option<ApiError> {
    match status {
        StatusCode::BAD_REQUEST => Some(ApiError::BadRequest("The request is malformed".to_owned())),
        StatusCode::NOT_FOUND => Some(ApiError::NotFound(Missing::Path)),
        StatusCode::METHOD_NOT_ALLOWED => Some(ApiError::MethodNotAllowed),
        StatusCode::REQUEST_TIMEOUT => Some(ApiError::RequestTimeout),
        StatusCode::URI_TOO_LONG => Some(ApiError::UriTooLong),
        StatusCode::MISDIRECTED_REQUEST => Some(ApiError::Misdirected),
        StatusCode::INTERNAL_SERVER_ERROR => Some(ApiError::Internal),
        StatusCode::SERVICE_UNAVAILABLE => Some(ApiError::unavailable()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn only_answers_without_a_written_error_are_touched() {
        let json = (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "application/json")], "{}");
        assert!(!is_unwritten(&json.into_response()));
        assert!(!is_unwritten(&StatusCode::NO_CONTENT.into_response()));
        assert!(!is_unwritten(&StatusCode::NOT_MODIFIED.into_response()));
        assert!(is_unwritten(&StatusCode::NOT_FOUND.into_response()));
        assert!(is_unwritten(&ApiError::Forbidden.into_response()));
    }

    #[tokio::test]
    async fn a_success_passes_unchanged() {
        let request = &mut Request::new(Body::empty());
        let layer = UnwrittenErrors { open: false, nested: false };
        let asked = layer.inward(request);
        let answer = layer.outward(asked, "rows".into_response());
        assert_eq!(to_bytes(answer.into_body(), 10).await.unwrap(), "rows");
    }
}
