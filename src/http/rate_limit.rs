//! The rate limit: a token bucket for each user, and one for each address from which refused tokens come. A valid
//! token is never limited by an address, since a front-end's server calls for all its users from one.
//!
//! The check of tokens asks (`auth::caller::gate`), because nobody else knows whose request it is; the layer here
//! puts the gate into the request and the headers of draft-ietf-httpapi-ratelimit-headers on the answer.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::Response;
use http::header::{HeaderName, HeaderValue};

use crate::auth::caller::gate::{Asked, AtGate, Gate, TooMany, Verdict};
use crate::auth::user_id::UserId;
use crate::config::limits::{LimitsConfig, RateLimit};
use crate::http::around::Around;
use crate::http::client::{Clients, network};
use crate::http::load::Ticket;

mod bucket;
mod buckets;
mod shared;

use bucket::{Pace, Standing};
use buckets::Buckets;
use shared::Shared;

pub(crate) use shared::probe;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Users who are remembered at most, of those whose buckets are not full: 6 MiB.
const MOST_USERS: usize = 1 << 18;
/// Addresses likewise.
const MOST_ADDRESSES: usize = 1 << 16;

/// When a user who has too much under way may come again.
const SOON: Duration = Duration::from_secs(1);

/// Counts requests. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RateLimits {
    /// `None`: `RATE_LIMIT=off`.
    limiter: Option<Arc<Limiter>>,
    clients: Clients,
}

/// All buckets.
#[derive(Debug)]
struct Limiter {
    pace: Pace,
    /// `RateLimit-Policy` for users and for addresses.
    policies: [HeaderValue; 2],
    begin: Instant,
    hashes: RandomState,
    users: Buckets,
    addresses: Buckets,
    shared: Option<Shared>,
}

/// Whose bucket is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    User,
    Address,
}

impl Whose {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Address => "address",
        }
    }
}

impl RateLimits {
    /// The limits as the settings have them; with `REDIS_URL` a task begins that keeps the connection.
    pub(crate) fn new(limits: &LimitsConfig, clients: Clients) -> Self {
        let limiter = limits.rate.map(|rate| Arc::new(Limiter::new(rate, Shared::of(limits, rate))));
        Self { limiter, clients }
    }
}

impl Limiter {
    fn new(rate: RateLimit, shared: Option<Shared>) -> Self {
        let policy = |whose: Whose| {
            let text = format!("\"{}\";q={};w={}", whose.name(), rate.count(), rate.window().as_secs());
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
        };
        Self {
            pace: Pace::of(rate),
            policies: [Whose::User, Whose::Address].map(policy),
            begin: Instant::now(),
            hashes: RandomState::new(),
            users: Buckets::new(MOST_USERS),
            addresses: Buckets::new(MOST_ADDRESSES),
            shared,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes a token out of the bucket in memory.
    fn take(&self, whose: Whose, hash: u64) -> Standing {
        let buckets = match whose {
            Whose::User => &self.users,
            Whose::Address => &self.addresses,
        };
        buckets.take(hash, self.pace, self.now())
    }
}

/// The gate of one request, and how its bucket stood.
struct Visit {
    limiter: Option<Arc<Limiter>>,
    client: Option<IpAddr>,
    ticket: Option<Ticket>,
    standing: OnceLock<(Whose, Standing)>,
    /// The user has all room already that one user gets.
    crowded: AtomicBool,
}

impl Visit {
    /// Keeps how the bucket stands. A request is counted once, however often its token is looked at.
    fn verdict(&self, whose: Whose, standing: Standing) -> Verdict {
        let (_, standing) = self.standing.get_or_init(|| (whose, standing));
        if standing.allowed { self.room() } else { Err(TooMany(standing.next_in)) }
    }

    fn room(&self) -> Verdict {
        if self.crowded.load(Ordering::Relaxed) { Err(TooMany(SOON)) } else { Ok(()) }
    }

    fn known(&self) -> Option<Verdict> {
        self.standing.get().map(|(whose, standing)| self.verdict(*whose, *standing))
    }

    /// Asks the bucket of this name: the one in Redis, or the one in memory where Redis does not answer.
    fn ask(self: Arc<Self>, whose: Whose, name: &[u8]) -> Asked {
        if let Some(verdict) = self.known() {
            return Asked::Now(verdict);
        }
        let Some(limiter) = &self.limiter else { return Asked::Now(self.room()) };
        let hash = limiter.hashes.hash_one(name);
        let shared = limiter
            .shared
            .as_ref()
            .and_then(|shared| Some((shared.asking()?, shared.key(whose.name(), name))));
        let Some((asking, key)) = shared else {
            return Asked::Now(self.verdict(whose, limiter.take(whose, hash)));
        };
        let limiter = Arc::clone(limiter);
        // `may_ask` looks at memory alone, so an address is counted there as well
        let own = (whose == Whose::Address).then(|| limiter.take(whose, hash));
        Asked::Later(Box::pin(async move {
            let shared = asking.take(key).await;
            let standing = shared.or(own).unwrap_or_else(|| limiter.take(whose, hash));
            self.verdict(whose, standing)
        }))
    }
}

impl Gate for Visit {
    fn user(self: Arc<Self>, user: &UserId) -> Asked {
        let room = self.ticket.as_ref().map_or(Ok(()), |ticket| ticket.belongs_to(user.as_str()));
        self.crowded.store(room.is_err(), Ordering::Relaxed);
        self.ask(Whose::User, user.as_str().as_bytes())
    }

    fn stranger(self: Arc<Self>) -> Asked {
        match self.client {
            Some(client) => self.ask(Whose::Address, &network(client).to_be_bytes()),
            // nobody is connected: that is a test
            None => Asked::Now(Ok(())),
        }
    }

    fn may_ask(&self) -> Verdict {
        let (Some(limiter), Some(client)) = (&self.limiter, self.client) else { return Ok(()) };
        let hash = limiter.hashes.hash_one(network(client).to_be_bytes().as_slice());
        let standing = limiter.addresses.look(hash, limiter.pace, limiter.now());
        if standing.allowed { Ok(()) } else { self.verdict(Whose::Address, standing) }
    }

    fn client(&self) -> Option<IpAddr> {
        self.client
    }
}

impl Around for RateLimits {
    type Kept = Option<Arc<dyn Stood>>;

    fn inward(&self, request: &mut Request) -> Self::Kept {
        // nothing else looks at tokens
        if !request.uri().path().starts_with("/api") {
            return None;
        }
        let client = self.clients.of(request);
        let visit = Arc::new(Visit {
            limiter: self.limiter.clone(),
            client,
            ticket: request.extensions().get().cloned(),
            standing: OnceLock::new(),
            crowded: AtomicBool::new(false),
        });
        let gate: Arc<dyn Gate> = Arc::<Visit>::clone(&visit);
        request.extensions_mut().insert(AtGate(gate));
        Some(visit)
    }

    fn outward(&self, kept: Self::Kept, mut response: Response) -> Response {
        if let Some((policy, standing)) = kept.and_then(|visit| visit.headers()) {
            let headers = response.headers_mut();
            headers.insert(RATE_LIMIT_POLICY, policy);
            headers.insert(RATE_LIMIT, standing);
        }
        response
    }
}

/// What the way out needs of a visit.
pub(crate) trait Stood: Send + Sync {
    /// The policy and how the bucket stood, where it was asked.
    fn headers(&self) -> Option<(HeaderValue, HeaderValue)>;
}

impl Stood for Visit {
    fn headers(&self) -> Option<(HeaderValue, HeaderValue)> {
        let (whose, standing) = self.standing.get()?;
        let policy = self.limiter.as_ref()?.policies[*whose as usize].clone();
        let text = format!("\"{}\";r={};t={}", whose.name(), standing.left, whole_seconds(standing.full_in));
        Some((policy, HeaderValue::try_from(text).ok()?))
    }
}

/// Rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
