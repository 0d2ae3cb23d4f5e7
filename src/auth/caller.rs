//! The signed-in user, known to own the path.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::{FromRef, FromRequestParts, RawPathParams, rejection::RawPathParamsRejection};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::jws::LIMIT;
use super::refusal::{Refusal, Rejection, reason};
use super::user_id::UserId;
use super::verifier::{Verified, Verifier};
use crate::clock::Clock;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;

pub mod gate;

use gate::{AtGate, TooMany, Verdict};

/// How long a request may take when no middleware said it.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Ids that would collide with a route; they are never a user's own id.
const ROUTE_NAMES: [&str; 5] = ["v1", "tasks", "ideas", "users", ME];

/// Whether an id would collide with a route: no request of such a user is answered.
pub fn is_reserved(user: &str) -> bool {
    ROUTE_NAMES.contains(&user)
}

/// Stands for the token's user in a path.
const ME: &str = "me";

/// The signed-in user of one request, known to own the path that was asked for. An axum extractor: 401 without a
/// valid token, 403 when the path names another user, 503 while nobody can say whether the token is valid.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The token's user.
    pub user: UserId,
    /// The `email` claim.
    pub email: Option<String>,
    /// The `name` claim.
    pub name: Option<String>,
    /// When the token's time is over.
    pub token_expires_at: Timestamp,
    /// When this request must be answered.
    pub deadline: Instant,
}

/// When the request must be answered; the outermost middleware puts it into the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(pub Instant);

/// Where the middleware that logs a request finds its user afterwards: put one into the request's extensions and keep
/// a clone. It is filled as soon as the token is verified, also when the answer is 403 then.
#[derive(Debug, Clone, Default)]
pub struct SeenUser(Arc<OnceLock<UserId>>);

impl SeenUser {
    /// The verified user of the request, if there was one.
    pub fn get(&self) -> Option<&UserId> {
        self.0.get()
    }

    fn set(&self, user: &UserId) {
        // A second extraction within one request finds the same user there.
        self.0.get_or_init(|| user.clone());
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path_user = path_user(parts, state).await?;
        let verifier = Verifier::from_ref(state);
        let verified = verified(parts, &verifier, Clock::from_ref(state).now()).await?;
        if let Some(seen) = parts.extensions.get::<SeenUser>() {
            seen.set(&verified.user);
        }
        let verdict = match parts.extensions.get::<AtGate>() {
            Some(AtGate(gate)) => Arc::clone(gate).user(&verified.user).verdict().await,
            None => Ok(()),
        };
        if !owns(&verified.user, path_user.as_deref()) {
            verifier.counts().forbidden();
            return Err(ApiError::Forbidden);
        }
        verdict.map_err(too_many)?;
        let deadline = parts.extensions.get::<Deadline>();
        Ok(Self {
            user: verified.user,
            email: verified.email,
            name: verified.name,
            token_expires_at: verified.expires_at,
            deadline: deadline.map_or_else(|| Instant::now() + USUAL_TIMEOUT, |deadline| deadline.0),
        })
    }
}

/// Whom the request's token names.
async fn verified(parts: &Parts, verifier: &Verifier, now: Timestamp) -> Result<Verified, ApiError> {
    let gate = parts.extensions.get::<AtGate>();
    let may_ask = || gate.map_or(Ok(()), |AtGate(gate)| gate.may_ask().map_err(Unverified::Stopped));
    let verified = match bearer_token(&parts.headers) {
        Ok(token) => verifier.verify_if(token, now, may_ask).await,
        Err(refusal) => Err(Rejection::from(refusal).into()),
    };
    match verified {
        Ok(verified) => Ok(verified),
        Err(Unverified::Rejected(Rejection::Refused(refusal))) => {
            verifier.counts().refused(refusal.reason);
            Err(refused(refusal, gate).await)
        }
        // that it was unavailable is in the log already; a stranger who makes it so is one all the same
        Err(Unverified::Rejected(Rejection::Unavailable { retry_after })) => {
            verifier.counts().unavailable();
            Err(strange(gate).await.map_or_else(too_many, |()| ApiError::Unavailable { retry_after }))
        }
        Err(Unverified::Stopped(stopped)) => Err(too_many(stopped)),
    }
}

/// Why there is no user.
enum Unverified {
    Rejected(Rejection),
    /// The auth server is not asked for this address.
    Stopped(TooMany),
}

impl From<Rejection> for Unverified {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Counts a request without a user against its address.
async fn strange(gate: Option<&AtGate>) -> Verdict {
    match gate {
        Some(AtGate(gate)) => Arc::clone(gate).stranger().verdict().await,
        None => Ok(()),
    }
}

/// Whether the user may go where the path leads: to their own things, and never under the name of a route.
fn owns(user: &UserId, path_user: Option<&str>) -> bool {
    let path_is_own = path_user.is_none_or(|path_user| path_user == ME || path_user == user.as_str());
    path_is_own && !ROUTE_NAMES.contains(&user.as_str())
}

fn too_many(TooMany(retry_after): TooMany) -> ApiError {
    ApiError::TooManyRequests { retry_after }
}

/// Tells the log why a token was refused, and from where it came; the client learns less. Past its limit an address
/// gets 429 instead of 401, and no more room in the log.
async fn refused(refusal: Refusal, gate: Option<&AtGate>) -> ApiError {
    let verdict = strange(gate).await;
    let client = gate.and_then(|AtGate(gate)| gate.client()).map(|client| client.to_string());
    let (reason, detail) = (refusal.reason, refusal.detail.as_deref());
    if verdict.is_ok() {
        tracing::warn!(target: "creatorvault::auth", reason, detail, client, "Authentication failed");
    } else {
        tracing::debug!(target: "creatorvault::auth", reason, detail, client, "Authentication failed");
    }
    verdict.map_or_else(too_many, |()| ApiError::Unauthorized(refusal))
}

/// The path's `{user_id}` after one percent-decoding, where the route has one.
async fn path_user<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Option<String>, ApiError> {
    check_path(parts.uri.path())?;
    match RawPathParams::from_request_parts(parts, state).await {
        Ok(params) => {
            let user = params.iter().find(|(name, _)| *name == "user_id").map(|(_, value)| value.to_owned());
            // A router that was nested shows the rest of the path only, so what it decoded is looked at again.
            match &user {
                Some(text) if text.contains('\0') => {
                    Err(ApiError::BadRequest("The path contains U+0000".to_owned()))
                }
                _ => Ok(user),
            }
        }
        Err(RawPathParamsRejection::MissingPathParams(_)) => Ok(None),
        Err(_) => Err(ApiError::BadRequest("The path is not valid UTF-8".to_owned())),
    }
}

/// A path must be percent-encoded UTF-8 without U+0000; what is not says nothing about any user, so it is refused
/// before the token is looked at.
fn check_path(path: &str) -> Result<(), ApiError> {
    let bad = |text: &str| Err(ApiError::BadRequest(text.to_owned()));
    let complete = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !path.split('%').skip(1).all(complete) {
        return bad("The path contains an invalid percent-encoding");
    }
    match percent_decode_str(path).decode_utf8() {
        Ok(decoded) if decoded.contains('\0') => bad("The path contains U+0000"),
        Ok(_) => Ok(()),
        Err(_) => bad("The path is not valid UTF-8"),
    }
}

/// The token of the only `Authorization` header (RFC 6750 section 2.1); the scheme's case does not matter.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(Refusal::missing(reason::MISSING)) };
    if values.next().is_some() {
        return Err(Refusal::invalid(reason::SEVERAL, "more than one Authorization header"));
    }
    if value.len() > LIMIT {
        return Err(Refusal::invalid(reason::TOO_LONG, format!("the header is longer than {LIMIT} bytes")));
    }
    let text = value.to_str().map_err(|_| Refusal::invalid(reason::MALFORMED, "not plain ASCII"))?.trim();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        let reason = if text.is_empty() { reason::MISSING } else { reason::SCHEME };
        return Err(Refusal::missing(reason));
    }
    match token.trim_start_matches(' ') {
        "" => Err(Refusal::missing(reason::MISSING)),
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests;
