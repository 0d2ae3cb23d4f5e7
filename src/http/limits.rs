//! The limits of every request: what its head may look like, how large its body may be, until when it is answered.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::Method;
use http::header::{CONNECTION, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower::{Layer, Service};

use super::error::{ApiError, Missing};
use super::extract::BodyLimit;
use crate::auth::caller::Deadline;

mod host;
mod path;

/// Bytes of path and query at most; more is 414.
const LONGEST_TARGET: usize = 8 * 1024;

/// What is left to a handler after its deadline. The database layer ends its statement at the deadline and then waits
/// for the outcome, which is the better answer; this one is for handlers that hang anywhere else.
const MARGIN: Duration = Duration::from_secs(5);

/// The layer of the limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A request's time.
    pub(crate) request_timeout: Duration,
    /// A body's bytes.
    pub(crate) body: usize,
    /// Dev mode answers only a browser that knows the server by a name of this machine: with any other name
    /// (DNS rebinding) a foreign page could read the demo user's token.
    pub(crate) only_local_names: bool,
}

/// A refusal before routing.
#[derive(Debug)]
struct Refused {
    error: ApiError,
    /// Whether the connection is in doubt too (RFC 9112 section 6.3).
    close: bool,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error, close: false }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        if self.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Limits {
    /// Looks at the head of a request, in the order of the answers' precedence, and makes a trailing slash go away.
    fn admit(&self, request: &mut Request) -> Result<(), Refused> {
        check_framing(request.headers())?;
        host::check(request, self.only_local_names)?;
        let target = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
        if target.len() > LONGEST_TARGET {
            return Err(ApiError::UriTooLong.into());
        }
        path::check(request.uri().path())?;
        if let Some(uri) = path::without_trailing_slash(request.uri()) {
            *request.uri_mut() = uri.map_err(|()| ApiError::NotFound(Missing::Path))?;
        }
        let extensions = request.extensions_mut();
        extensions.insert(Deadline(Instant::now() + self.request_timeout));
        extensions.insert(BodyLimit(self.body));
        Ok(())
    }
}

/// The HTTP library reads `chunked` alone; another coding before it would reach the handlers undecoded.
fn check_framing(headers: &HeaderMap) -> Result<(), Refused> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(doubtful("Only the transfer coding chunked is supported")),
    }
}

/// 400, after which the connection is closed.
fn doubtful(text: &str) -> Refused {
    Refused { error: ApiError::BadRequest(text.to_owned()), close: true }
}

impl<S> Layer<S> for Limits {
    type Service = LimitsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LimitsService { limits: *self, inner }
    }
}

/// The service of the limits.
#[derive(Debug, Clone)]
pub(crate) struct LimitsService<S> {
    limits: Limits,
    inner: S,
}

impl<S> Service<Request> for LimitsService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = LimitsFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if let Err(refused) = self.limits.admit(&mut request) {
            return LimitsFuture::Refused { answer: Some(refused.into_response()) };
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let end = Instant::now() + self.limits.request_timeout + MARGIN;
        LimitsFuture::Admitted { inner: self.inner.call(request), end: sleep_until(end.into()), reads }
    }
}

pin_project! {
    /// The answer, at the latest when the time is up.
    #[project = Projected]
    pub(crate) enum LimitsFuture<F> {
        Refused { answer: Option<Response> },
        Admitted { #[pin] inner: F, #[pin] end: Sleep, reads: bool },
    }
}

impl<F> Future for LimitsFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Refused { answer } => {
                Poll::Ready(Ok(answer.take().unwrap_or_else(|| ApiError::Internal.into_response())))
            }
            Projected::Admitted { inner, end, reads } => {
                if let Poll::Ready(answer) = inner.poll(context) {
                    return Poll::Ready(answer);
                }
                ready!(end.poll(context));
                tracing::error!(target: "creatorvault::request", "Request cut off past its deadline");
                // nobody knows what a write that was cut off has done
                let error = if *reads { ApiError::unavailable() } else { ApiError::OutcomeUnknown };
                Poll::Ready(Ok(error.into_response()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Extension;
    use axum::routing::get;
    use http::header::HOST;
    use http::{StatusCode, Uri};
    use tower::ServiceExt;

    use super::*;

    fn limits() -> Limits {
        Limits { request_timeout: Duration::from_secs(30), body: 1000, only_local_names: false }
    }

    async fn ask(limits: Limits, request: Request) -> Response {
        let told = async |Extension(until): Extension<Deadline>,
                          Extension(limit): Extension<BodyLimit>,
                          uri: Uri| {
            let left = until.0.saturating_duration_since(Instant::now());
            assert!(left > Duration::from_secs(29) && limit.0 == 1000);
            uri.to_string()
        };
        let hang = async || std::future::pending::<()>().await;
        let router = Router::new().route("/a", get(told)).route("/hang", get(hang).post(hang));
        limits.layer(router).oneshot(request).await.unwrap()
    }

    fn request(path: &str) -> Request {
        Request::builder().uri(path).header(HOST, "localhost").body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_trailing_slash_is_the_same_resource() {
        for (path, seen) in [("/a", "/a"), ("/a/", "/a"), ("/a/?q=1/", "/a?q=1/")] {
            let response = ask(limits(), request(path)).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(body, seen, "{path}");
        }
    }

    #[tokio::test]
    async fn refusals_come_before_routing() {
        let long = format!("/a?{}", "x".repeat(LONGEST_TARGET));
        let corpus: [(&str, StatusCode); 7] = [
            ("/a%zz", StatusCode::BAD_REQUEST),
            ("/a%ff", StatusCode::BAD_REQUEST),
            ("/a%00", StatusCode::BAD_REQUEST),
            ("/a//", StatusCode::NOT_FOUND),
            ("//a", StatusCode::NOT_FOUND),
            ("/hang//", StatusCode::NOT_FOUND),
            (&long, StatusCode::URI_TOO_LONG),
        ];
        for (path, status) in corpus {
            let response = ask(limits(), request(path)).await;
            assert_eq!(response.status(), status, "{path}");
            assert!(response.extensions().get::<ApiError>().is_some(), "{path}");
            assert!(!response.headers().contains_key(CONNECTION), "{path}");
        }
    }

    #[tokio::test]
    async fn only_plain_chunked_is_taken() {
        for (codings, good) in [
            (&["chunked"][..], true),
            (&["Chunked "], true),
            (&["gzip, chunked"], false),
            (&["chunked", "chunked"], false),
            (&["identity"], false),
        ] {
            let mut asked = request("/a");
            for coding in codings {
                asked.headers_mut().append(TRANSFER_ENCODING, HeaderValue::from_static(coding));
            }
            let response = ask(limits(), asked).await;
            assert_eq!(response.status() == StatusCode::OK, good, "{codings:?}");
            assert_eq!(response.headers().get(CONNECTION).is_some_and(|value| value == "close"), !good);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_handler_is_cut_off_past_its_deadline() {
        let start = tokio::time::Instant::now();
        let read = ask(limits(), request("/hang")).await;
        assert!(matches!(read.extensions().get(), Some(ApiError::Unavailable { .. })));
        assert!(start.elapsed() >= limits().request_timeout + MARGIN);
        let mut write = request("/hang");
        *write.method_mut() = Method::POST;
        assert!(matches!(ask(limits(), write).await.extensions().get(), Some(ApiError::OutcomeUnknown)));
    }
}
