//! A body together with the key under which its request may be repeated.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aws_lc_rs::digest::{self, SHA256};
use axum::body::{Body as RawBody, Bytes};
use axum::extract::{FromRequest, MatchedPath, Request};
use http::header::HeaderName;
use http::request::Parts;
use http_body::{Frame, SizeHint};

use crate::field::request_key::RequestKey;
use crate::http::error::ApiError;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What `B` reads, and the request's `Idempotency-Key` where it has one; a malformed one is 422. Requests without the
/// header pay nothing for it.
#[derive(Debug)]
pub struct Keyed<B>(pub B, pub Option<RequestKey>);

/// Whatever body there is, unread.
#[derive(Debug)]
pub struct AnyBody;

impl<S: Sync> FromRequest<S> for AnyBody {
    type Rejection = ApiError;

    async fn from_request(_: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

impl<S: Send + Sync, B: FromRequest<S, Rejection = ApiError>> FromRequest<S> for Keyed<B> {
    type Rejection = ApiError;

    /// The body is judged first, by its own rules; what was read of it goes into the key's fingerprint.
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !request.headers().contains_key(IDEMPOTENCY_KEY) {
            return B::from_request(request, state).await.map(|body| Self(body, None));
        }
        let (parts, body) = request.into_parts();
        let hash = Arc::new(Mutex::new(begun(&parts)));
        let body = RawBody::new(Hashed { body, hash: hash.clone() });
        let key = key(&parts);
        let body = B::from_request(Request::from_parts(parts, body), state).await?;
        let hash = hash.lock().unwrap_or_else(PoisonError::into_inner).clone().finish();
        let fingerprint = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(body, Some(RequestKey { key: key?, fingerprint })))
    }
}

fn key(parts: &Parts) -> Result<String, ApiError> {
    let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(RequestKey::parse(value.as_bytes())?),
        (Some(_), Some(_)) => Err(RequestKey::several().into()),
        (None, _) => Err(ApiError::Internal),
    }
}

/// A hash of the method and the path, to be gone on with by the body. The user's own segment is left out of the path:
/// `me`, the id itself and no segment at all mean the same user.
fn begun(parts: &Parts) -> digest::Context {
    let mut hash = digest::Context::new(&SHA256);
    hash.update(parts.method.as_str().as_bytes());
    let template = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    for (i, segment) in parts.uri.path().trim_end_matches('/').split('/').enumerate() {
        if template.split('/').nth(i) == Some("{user_id}") {
            continue;
        }
        hash.update(b"/");
        // Ids are the same in either case.
        hash.update(segment.to_ascii_lowercase().as_bytes());
    }
    hash.update(b"\n");
    hash
}

/// A body that goes into a hash as it is read.
struct Hashed {
    body: RawBody,
    hash: Arc<Mutex<digest::Context>>,
}

impl http_body::Body for Hashed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.hash.lock().unwrap_or_else(PoisonError::into_inner).update(data);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
