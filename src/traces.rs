//! Traces for OpenTelemetry, where the program is built with the cargo feature `otel`: one span for each request, and
//! one for each thing that it asks of the database. Without the feature nothing here does anything.
//!
//! A leaf, as the metrics are. Spans carry route templates, methods, statuses and the correlation id: never a path, a
//! query, a header, a user, a parameter of a statement.

#[cfg(feature = "otel")]
mod export;

#[cfg(feature = "otel")]
pub use export::Traces;

use http::HeaderMap;
use tracing::Span;

/// The span of a request; at the highest level, so that it is there whatever `LOG_LEVEL` says.
#[cfg(not(feature = "otel"))]
pub(crate) fn request(
    correlation: Option<&str>,
    trace: Option<&str>,
    _method: &str,
    _headers: &HeaderMap,
) -> Span {
    tracing::error_span!("request", correlation_id = correlation, trace_id = trace)
}

/// The span of a request; at the highest level, so that it is there whatever `LOG_LEVEL` says. With a `trace`, which
/// stands for one valid `traceparent`, the caller's span is its parent.
#[cfg(feature = "otel")]
pub(crate) fn request(
    correlation: Option<&str>,
    trace: Option<&str>,
    method: &str,
    headers: &HeaderMap,
) -> Span {
    use opentelemetry::propagation::TextMapPropagator as _;
    use tracing::field::Empty;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let span = tracing::error_span!(
        "request",
        correlation_id = correlation,
        trace_id = trace,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = Empty,
        http.response.status_code = Empty,
    );
    if trace.is_some() {
        let propagator = opentelemetry_sdk::propagation::TraceContextPropagator::new();
        let parent = propagator.extract(&opentelemetry_http::HeaderExtractor(headers));
        // An error means that nobody listens to traces.
        let _ = span.set_parent(parent);
    }
    span
}

/// How a request ended.
#[cfg(not(feature = "otel"))]
pub(crate) fn answered(_span: &Span, _method: &str, _route: Option<&str>, _status: u16) {}

/// How a request ended: by the route of that template, where one was asked.
#[cfg(feature = "otel")]
pub(crate) fn answered(span: &Span, method: &str, route: Option<&str>, status: u16) {
    use opentelemetry::trace::TraceContextExt as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    // A span that has begun takes another name only this way.
    let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    span.context().span().update_name(name);
    if let Some(route) = route {
        span.record("http.route", route);
    }
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of what a request asks of the database.
#[cfg(not(feature = "otel"))]
pub(crate) fn database(_operation: &'static str, _system: &'static str) -> Span {
    Span::none()
}

/// The span of what a request asks of the database.
#[cfg(feature = "otel")]
pub(crate) fn database(operation: &'static str, system: &'static str) -> Span {
    tracing::error_span!(
        "database",
        otel.name = format!("{operation} {system}"),
        otel.kind = "client",
        db.system.name = system,
        db.operation.name = operation,
    )
}

/// Sends traces; here, where the program is built without them, none.
#[cfg(not(feature = "otel"))]
#[derive(Debug)]
pub struct Traces;

#[cfg(not(feature = "otel"))]
impl Traces {
    /// What makes traces of the process's spans: nothing.
    pub fn layer(&self) -> tracing_subscriber::layer::Identity {
        tracing_subscriber::layer::Identity::new()
    }

    /// Sends what is left.
    pub async fn finish(self, _within: std::time::Duration) {}
}
