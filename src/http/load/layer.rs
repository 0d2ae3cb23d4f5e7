//! Gives out the room: to a request when it comes, to its answer when its size is known.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::Method;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{Load, Ticket};
use crate::http::error::ApiError;

impl<S> Layer<S> for Load {
    type Service = LoadService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LoadService { load: self.clone(), inner }
    }
}

/// The service that gives out the room.
#[derive(Debug, Clone)]
pub(crate) struct LoadService<S> {
    load: Load,
    inner: S,
}

impl<S> Service<Request> for LoadService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = LoadFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        // a server that is busy is alive: whoever asks for that must not be told otherwise, nor who asks how busy it is
        let path = request.uri().path();
        if path.starts_with("/health") || path == "/metrics" {
            return LoadFuture::Admitted { inner: self.inner.call(request), ticket: None, refusable: false };
        }
        match self.load.enter() {
            Ok(ticket) => {
                // behind any other answer there may be a commit, of which the client has to hear
                let refusable = matches!(*request.method(), Method::GET | Method::HEAD);
                request.extensions_mut().insert(ticket.clone());
                LoadFuture::Admitted { inner: self.inner.call(request), ticket: Some(ticket), refusable }
            }
            Err(full) => {
                self.load.0.counts.shed(full.into());
                LoadFuture::Refused { answer: Some(ApiError::from(full).into_response()) }
            }
        }
    }
}

pin_project! {
    /// The answer, whose body holds the place where it is still being made or large.
    #[project = Projected]
    pub(crate) enum LoadFuture<F> {
        Refused { answer: Option<Response> },
        Admitted { #[pin] inner: F, ticket: Option<Ticket>, refusable: bool },
    }
}

impl<F> Future for LoadFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (mut response, ticket, refusable) = match self.project() {
            Projected::Refused { answer } => {
                return Poll::Ready(Ok(answer.take().unwrap_or_else(|| ApiError::Internal.into_response())));
            }
            Projected::Admitted { inner, ticket, refusable } => {
                let Ok(response) = ready!(inner.poll(context));
                (response, ticket.take(), *refusable)
            }
        };
        let Some(ticket) = ticket else { return Poll::Ready(Ok(response)) };
        let Some(weight) = ticket.weight(response.body()) else { return Poll::Ready(Ok(response)) };
        Poll::Ready(Ok(match ticket.answer(weight, refusable) {
            Ok(()) => {
                // for the connection, which is less patient where room is short
                response.extensions_mut().insert(Load(Arc::clone(&ticket.0.room)));
                response.map(|body| Body::new(Placed { body, ticket }))
            }
            Err(full) => ApiError::from(full).into_response(),
        }))
    }
}

/// A body that holds its request's place until it has been sent.
struct Placed {
    body: Body,
    ticket: Ticket,
}

/// Bytes of such a body: the connection lets go of the body long before it has sent them.
struct PlacedBytes {
    bytes: Bytes,
    _ticket: Ticket,
}

impl AsRef<[u8]> for PlacedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Placed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let placed = |bytes| Bytes::from_owner(PlacedBytes { bytes, _ticket: self.ticket.clone() });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(placed))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
