//! The request log: one line per request, and the span that gives all lines of a request its correlation id.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::{Method, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::Span;

use crate::auth::caller::SeenUser;
use crate::auth::user_id::UserId;
use crate::http::around::Around;
use crate::http::correlation::{CorrelationId, TraceId};
use crate::metrics::{InFlight, Requests};
use crate::traces;

/// The route that served a request; the router tells it to the log through the request's extensions.
#[derive(Debug, Clone, Default)]
struct SeenRoute(Arc<OnceLock<MatchedPath>>);

/// Goes around each route of the router: tells the request log which route it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TellRoute;

impl Around for TellRoute {
    type Kept = ();

    fn inward(&self, request: &mut Request) {
        let extensions = request.extensions();
        if let (Some(route), Some(seen)) = (extensions.get::<MatchedPath>(), extensions.get::<SeenRoute>()) {
            // told once: whoever was first is the outermost route
            let _ = seen.0.set(route.clone());
        }
    }

    fn outward(&self, (): (), response: Response) -> Response {
        response
    }
}

/// The layer of the request log, which also counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestLog(pub(crate) Arc<Requests>);

impl<S> Layer<S> for RequestLog {
    type Service = RequestLogService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestLogService { inner, counts: Arc::clone(&self.0) }
    }
}

/// The service of the request log.
#[derive(Debug, Clone)]
pub(crate) struct RequestLogService<S> {
    inner: S,
    counts: Arc<Requests>,
}

impl<S> Service<Request> for RequestLogService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RequestLogFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let entry = Entry::begin(&mut request, &self.counts);
        let inner = entry.span.in_scope(|| self.inner.call(request));
        RequestLogFuture { inner, entry }
    }
}

/// What the line of a request will say.
#[derive(Debug)]
struct Entry {
    span: Span,
    start: Instant,
    method: Method,
    user: SeenUser,
    route: SeenRoute,
    /// Until the entry is dropped, which it is also when the client goes away before its answer.
    in_flight: InFlight,
}

impl Entry {
    fn begin(request: &mut Request, counts: &Arc<Requests>) -> Self {
        let (user, route) = (SeenUser::default(), SeenRoute::default());
        let extensions = request.extensions_mut();
        extensions.insert(user.clone());
        extensions.insert(route.clone());
        let span = span(request);
        let (method, in_flight) = (request.method().clone(), counts.begin());
        Self { span, start: Instant::now(), method, user, route, in_flight }
    }

    fn write(&self, status: StatusCode) {
        let route = self.route.0.get().map(MatchedPath::as_str);
        let user = self.user.get().map(UserId::as_str);
        let took = self.start.elapsed();
        self.in_flight.answered(route, self.method.as_str(), status.as_u16(), took);
        traces::answered(&self.span, method(&self.method), route, status.as_u16());
        let (route, took) = (route.unwrap_or("unmatched"), milliseconds(took));
        // the level is part of what tracing knows at compile time
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "creatorvault::request",
                    parent: &self.span,
                    method = method(&self.method),
                    path = route,
                    status = status.as_u16(),
                    duration_ms = took,
                    user_id = user,
                    "Request completed"
                )
            };
        }
        if route == "/health" || route.starts_with("/health/") {
            line!(debug);
        } else if status.is_server_error() {
            line!(warn);
        } else {
            line!(info);
        }
    }
}

/// The span of a request.
fn span(request: &Request) -> Span {
    let extensions = request.extensions();
    let id = extensions.get::<CorrelationId>().map(CorrelationId::as_str);
    let trace = extensions.get::<TraceId>().map(TraceId::as_str);
    traces::request(id, trace, method(request.method()), request.headers())
}

/// To a thousandth.
fn milliseconds(time: Duration) -> f64 {
    let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1000.0
}

/// Any text can be a method; only the known ones are worth a line's space.
fn method(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::HEAD,
        Method::TRACE,
        Method::CONNECT,
    ];
    if known.contains(method) { method.as_str() } else { "other" }
}

pin_project! {
    /// Works on the request inside its span, then writes its line.
    pub(crate) struct RequestLogFuture<F> {
        #[pin]
        inner: F,
        entry: Entry,
    }
}

impl<F> Future for RequestLogFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = {
            let _inside = this.entry.span.enter();
            ready!(this.inner.poll(context))
        };
        this.entry.write(response.status());
        // a body that is still being made may have something to say
        let made = response.body().size_hint().exact().is_some();
        let span = &this.entry.span;
        Poll::Ready(Ok(if made { response } else { response.map(|body| Body::new(InSpan::new(body, span))) }))
    }
}

/// A body that is made inside its request's span.
struct InSpan {
    body: Body,
    span: Span,
}

impl InSpan {
    fn new(body: Body, span: &Span) -> Self {
        Self { body, span: span.clone() }
    }
}

impl HttpBody for InSpan {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let _inside = this.span.enter();
        Pin::new(&mut this.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::{Extension, Path};
    use axum::routing::get;
    use futures_util::{StreamExt, stream};
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::clock::Clock;
    use crate::config::log::{Format, Level};
    use crate::http::around::AroundLayer;
    use crate::http::correlation::Correlation;
    use crate::http::log::layer::tests::Kept;

    /// A router that does what real ones do, and logs on the way.
    fn router() -> Router {
        let row =
            async |Path(_): Path<(String, String)>, Extension(_user): Extension<SeenUser>, body: String| {
                tracing::info!(target: "creatorvault::ideas", "Idea created");
                tokio::task::yield_now().await;
                tracing::debug!(target: "creatorvault::ideas", "after a pause");
                body
            };
        let streamed = async || {
            let chunks = stream::iter(["a", "b"]).inspect(|_| {
                tracing::info!(target: "creatorvault::api", "a chunk");
            });
            Body::from_stream(chunks.map(Ok::<_, Infallible>))
        };
        let routes = Router::new()
            .route("/api/v1/{user_id}/ideas/{id}", get(row))
            .route("/stream", get(streamed))
            .route("/health", get(async || "ok"))
            .route("/health/ready", get(async || StatusCode::SERVICE_UNAVAILABLE))
            .route("/broken", get(async || StatusCode::SERVICE_UNAVAILABLE))
            .layer(AroundLayer(TellRoute));
        Router::new()
            .fallback_service(routes)
            .layer(RequestLog::default())
            .layer(AroundLayer(Correlation::new(Clock::system())))
    }

    async fn logged(level: Level, request: Request) -> (String, Vec<Value>) {
        let kept = Kept::default();
        let guard = tracing::subscriber::set_default(kept.subscriber(level, Format::Json));
        let response = router().oneshot(request).await.unwrap();
        axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        drop(guard);
        (kept.text(), kept.lines())
    }

    fn get_request(path: &str) -> Request {
        Request::builder().uri(path).header("x-correlation-id", "id-1").body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn one_line_per_request_by_its_route() {
        let (_, lines) = logged(Level::Info, get_request("/api/v1/ann/ideas/7")).await;
        let last = lines.last().unwrap();
        assert_eq!(last["event"], "Request completed");
        assert_eq!(last["level"], "info");
        assert_eq!(last["method"], "GET");
        assert_eq!(last["path"], "/api/v1/{user_id}/ideas/{id}");
        assert_eq!(last["status"], 200);
        assert_eq!(last["correlation_id"], "id-1");
        assert!(last["duration_ms"].as_f64().unwrap() >= 0.0);
        assert_eq!(last.get("user_id"), None, "nobody was signed in");

        let (_, lines) = logged(Level::Info, get_request("/nowhere/secret")).await;
        assert_eq!((&lines[0]["path"], &lines[0]["status"]), (&json!("unmatched"), &json!(404)));
        let (_, lines) = logged(Level::Info, get_request("/broken")).await;
        assert_eq!(lines[0]["level"], "warning");
    }

    #[tokio::test]
    async fn every_line_of_a_request_carries_its_correlation_id() {
        for path in ["/api/v1/ann/ideas/7", "/stream"] {
            let (_, lines) = logged(Level::Debug, get_request(path)).await;
            assert_eq!(lines.len(), 3, "{path}");
            assert!(lines.iter().all(|line| line["correlation_id"] == "id-1"), "{lines:?}");
        }
        let (_, lines) = logged(Level::Error, get_request("/broken")).await;
        assert!(lines.is_empty());
    }

    #[tokio::test]
    async fn a_trace_id_is_logged() {
        let mut request = get_request("/nowhere");
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        request.headers_mut().insert("traceparent", parent.parse().unwrap());
        let (_, lines) = logged(Level::Info, request).await;
        assert_eq!(lines[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[tokio::test]
    async fn health_is_asked_quietly() {
        for path in ["/health", "/health/ready"] {
            assert!(logged(Level::Info, get_request(path)).await.1.is_empty(), "{path}");
            assert_eq!(logged(Level::Debug, get_request(path)).await.1[0]["level"], "debug", "{path}");
        }
    }

    #[tokio::test]
    async fn nothing_that_a_client_sent_is_logged() {
        let canaries = [
            ("authorization", "Bearer canary5"),
            ("cookie", "session=canary6"),
            ("x-correlation-id", "canary7 is no id"),
            ("traceparent", "canary8"),
            ("host", "canary9"),
        ];
        for method in ["GET", "CANARY1"] {
            let request =
                Request::builder().method(method).uri("/api/v1/canary2/ideas/canary3?title=canary4");
            let request =
                canaries.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let request = request.body(Body::from("{\"title\": \"canary10\"}")).unwrap();
            let (text, lines) = logged(Level::Debug, request).await;
            assert_eq!(lines.last().unwrap()["path"], "/api/v1/{user_id}/ideas/{id}");
            assert!(!text.to_lowercase().contains("canary"), "{text}");
        }
    }
}
