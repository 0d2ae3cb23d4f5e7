//! What the check of tokens knows of whoever counts requests: once it is known whose request this is, it asks.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::user_id::UserId;

/// One more is let through after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany(pub Duration);

/// Whether a request is let through.
pub type Verdict = Result<(), TooMany>;

/// The answer of a [`Gate`]; mostly it is there at once, and costs no box then.
pub enum Asked {
    /// It is known.
    Now(Verdict),
    /// Somebody else is asked.
    Later(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

impl Asked {
    pub(super) async fn verdict(self) -> Verdict {
        match self {
            Self::Now(verdict) => verdict,
            Self::Later(later) => later.await,
        }
    }
}

/// Counts one request, either against the user whose token it carries or against the address it came from.
pub trait Gate: Send + Sync {
    /// The token is this user's.
    fn user(self: Arc<Self>, user: &UserId) -> Asked;

    /// The token was refused, or nobody could say whether it is good, or there is none.
    fn stranger(self: Arc<Self>) -> Asked;

    /// Whether the auth server may be asked about a token that nobody knows yet: not for an address past its limit.
    /// Counts nothing, and waits for nobody.
    fn may_ask(&self) -> Verdict;

    /// Where the request came from, as far as it is known.
    fn client(&self) -> Option<IpAddr>;
}

/// The gate of one request; the middleware puts it into the request's extensions.
#[derive(Clone)]
pub struct AtGate(pub Arc<dyn Gate>);
