//! A layer that does something on a request's way in and something on its answer's way out, without a box per
//! request: the shape of most of our middleware.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::Response;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// What is done around the inner layers.
pub(crate) trait Around: Clone {
    /// What the way out needs of the way in.
    type Kept;

    /// On the way in.
    fn inward(&self, request: &mut Request) -> Self::Kept;

    /// On the way out.
    fn outward(&self, kept: Self::Kept, response: Response) -> Response;
}

/// The layer of an [`Around`].
#[derive(Debug, Clone)]
pub(crate) struct AroundLayer<A>(pub(crate) A);

impl<A: Around, S> Layer<S> for AroundLayer<A> {
    type Service = AroundService<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        AroundService { around: self.0.clone(), inner }
    }
}

/// The service of an [`Around`].
#[derive(Debug, Clone)]
pub(crate) struct AroundService<A, S> {
    around: A,
    inner: S,
}

impl<A, S> Service<Request> for AroundService<A, S>
where
    A: Around,
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = AroundFuture<A, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let kept = self.around.inward(&mut request);
        AroundFuture { inner: self.inner.call(request), around: Some((self.around.clone(), kept)) }
    }
}

pin_project! {
    /// The answer of the inner layers, and what is still to be done with it.
    pub(crate) struct AroundFuture<A: Around, F> {
        #[pin]
        inner: F,
        around: Option<(A, A::Kept)>,
    }
}

impl<A, F> Future for AroundFuture<A, F>
where
    A: Around,
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.inner.poll(context));
        Poll::Ready(Ok(match this.around.take() {
            Some((around, kept)) => around.outward(kept, response),
            None => response,
        }))
    }
}
