//! A body together with the key under which its request may be repeated.

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Body as RawBody;
use axum::extract::{FromRequest, MatchedPath, Request};
use http::header::HeaderName;
use http::request::Parts;

use super::payload::read;
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

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Some(key) = key(&request)? else {
            return B::from_request(request, state).await.map(|b| Self(b, None));
        };
        let (parts, body) = request.into_parts();
        // The body is read by the rules of the whole request, then handed on.
        let mut whole = Request::new(body);
        *whole.extensions_mut() = parts.extensions.clone();
        let bytes = read(whole).await?;
        let fingerprint = fingerprint(&parts, &bytes);
        let body = B::from_request(Request::from_parts(parts, RawBody::from(bytes)), state).await?;
        Ok(Self(body, Some(RequestKey { key, fingerprint })))
    }
}

fn key(request: &Request) -> Result<Option<String>, ApiError> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(RequestKey::several().into());
    }
    Ok(RequestKey::parse(value.as_bytes()).map(Some)?)
}

/// A hash of the method, the path and the body. The user's own segment is left out of the path: `me`, the id itself and
/// no segment at all mean the same user.
fn fingerprint(parts: &Parts, body: &[u8]) -> String {
    let mut hash = Context::new(&SHA256);
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
    hash.update(body);
    hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
