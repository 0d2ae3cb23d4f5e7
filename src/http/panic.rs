//! A panic costs one answer, never the connection: it becomes a 500, and the log says where it was.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::error::ApiError;

/// The layer that catches panics of everything inside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CatchPanic;

impl<S> Layer<S> for CatchPanic {
    type Service = CatchPanicService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CatchPanicService { inner }
    }
}

/// The service that catches panics.
#[derive(Debug, Clone)]
pub(crate) struct CatchPanicService<S> {
    inner: S,
}

impl<S> Service<Request> for CatchPanicService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = CatchPanicFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        CatchPanicFuture { inner: catch_unwind(AssertUnwindSafe(|| self.inner.call(request))).ok() }
    }
}

pin_project! {
    /// `None` where the call itself panicked.
    pub(crate) struct CatchPanicFuture<F> {
        #[pin]
        inner: Option<F>,
    }
}

impl<F> Future for CatchPanicFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(inner) = self.project().inner.as_pin_mut() else {
            return Poll::Ready(Ok(ApiError::Internal.into_response()));
        };
        // the future is not polled again after a panic, so nobody sees what it left half-done
        match catch_unwind(AssertUnwindSafe(|| inner.poll(context))) {
            Ok(poll) => poll,
            Err(_) => Poll::Ready(Ok(ApiError::Internal.into_response())),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::StatusCode;
    use tower::{ServiceExt, service_fn};

    use super::*;

    fn request() -> Request {
        Request::new(Body::empty())
    }

    #[tokio::test]
    async fn a_panicking_handler_is_a_500() {
        async fn broken() {
            tokio::task::yield_now().await;
            assert!(std::env::args().count() == usize::MAX, "canary");
        }
        let response =
            CatchPanic.layer(Router::new().route("/", get(broken))).oneshot(request()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(matches!(response.extensions().get(), Some(ApiError::Internal)));
    }

    #[tokio::test]
    async fn a_panicking_call_is_a_500() {
        let service = service_fn(|request: Request| {
            assert_eq!(request.uri().path(), "/elsewhere", "canary");
            std::future::ready(Ok(Response::new(Body::empty())))
        });
        let response = CatchPanic.layer(service).oneshot(request()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
