//! Body, query and id of a request, refused in no contract's words.

mod json;
mod keyed;
mod known;
mod media_type;
mod payload;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;

pub use self::keyed::{AnyBody, Keyed};
use self::payload::read;
use super::error::ApiError;
use super::strict;
use crate::field::Invalid;
use crate::field::params::Params;

/// The body of a request, read as JSON object and taken apart by `T`'s serde derive: fields of type
/// [`Sent`](crate::field::patch::Sent) under `#[serde(default)]`, so that nothing but JSON itself is judged here (and, with
/// `Prefer: handling=strict`, members that `T` does not know).
///
/// Refused, in this order: a type other than JSON (415; none is taken as JSON), more than [`BodyLimit`] (413), a body
/// that is not there before the request's [`Deadline`](crate::auth::caller::Deadline) (408), an empty body (422, for it
/// is a missing value and no malformed one), what is not JSON in UTF-8 (400, RFC 8259; a byte order mark, a lone
/// surrogate, nesting over 128 and a known member given twice are not JSON here), what is no object (422). Unknown
/// members are ignored once they are known to be well-formed; with strict handling they are complained about together
/// with all else that is wrong with the body (422).
///
/// Numbers follow one table. No field of a body is a number, so a number is never taken for something else:
///
/// | sent | field that holds a boolean | field that holds a string | ignored member |
/// | --- | --- | --- | --- |
/// | `true`, `false` | taken | 422 | ignored |
/// | `"1"`, `"true"` | 422 | taken | ignored |
/// | `0`, `1`, `1.0`, `-0`, `1e300`, 2^63, 2^64 | 422 | 422 | ignored |
/// | `1e400` (beyond a double) | 400 | 400 | 400 |
/// | `01`, `+1`, `.5`, `1.`, `0x1`, `NaN` (not JSON) | 400 | 400 | 400 |
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A body that may be left out: `None` for an empty one, whatever its type; else as [`Body`].
#[derive(Debug)]
pub struct OptionalBody<T>(pub Option<T>);

/// The query string, decoded; 400 when it cannot be.
#[derive(Debug)]
pub struct Query(pub Params);

/// The `{id}` segment of the path after one percent-decoding; not looked at yet.
#[derive(Debug)]
pub struct PathId(pub String);

/// At most so many bytes of body; the middleware puts it into the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    /// 1 MiB.
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// What can be read out of a body.
pub trait FromBody: DeserializeOwned {
    /// Everything that is wrong with it, as its parser says it: asked of a body that is refused in any case.
    fn complaints(self) -> Invalid;
}

/// Takes a body apart; refuses members that it does not know, if `strict`.
///
/// # Errors
/// 400 for what is malformed, 422 for what is no object or, if `strict`, has members that nobody knows.
pub fn taken_apart<T: FromBody>(bytes: &[u8], strict: bool) -> Result<T, ApiError> {
    let (body, unknown) = json::object::<T>(bytes, strict)?;
    if unknown.is_empty() {
        return Ok(body);
    }
    let mut invalid = body.complaints();
    unknown.complain(&mut invalid);
    Err(invalid.into())
}

impl<S: Sync, T: FromBody> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        media_type::check(request.method(), request.headers())?;
        let strict = strict::is_wanted(request.extensions());
        let bytes = read(request).await?;
        if bytes.is_empty() {
            return Err(Invalid::one("body", "Request body is required").into());
        }
        taken_apart(&bytes, strict).map(Self)
    }
}

impl<S: Sync, T: FromBody> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        // Many clients name a type even when they send nothing, so it counts only beside a body.
        let typed = media_type::check(request.method(), request.headers());
        let strict = strict::is_wanted(request.extensions());
        let bytes = read(request).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        typed?;
        taken_apart(&bytes, strict).map(|body| Self(Some(body)))
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let params = Params::parse(parts.uri.query().unwrap_or_default());
        let strict = strict::is_wanted(&parts.extensions);
        params
            .map(|params| Self(params.handled(strict)))
            .map_err(|error| ApiError::BadRequest(error.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| ApiError::BadRequest("The path is not valid UTF-8".to_owned()))?;
        let id = params.iter().find(|(name, _)| *name == "id").map(|(_, id)| Self(id.to_owned()));
        // A route without `{id}` has no business asking for it: a fault of ours.
        id.ok_or(ApiError::Internal)
    }
}

#[cfg(test)]
mod tests;
