//! Better Auth's opaque session tokens, where these are taken: the auth server is asked, and its answer counts for half
//! a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::cache::{Key, Life, Remembered, key};
use super::refusal::{Refusal, Rejection};
use super::verifier::Verified;
use super::web;
use crate::config::auth::AuthConfig;
use crate::field::timestamp::Timestamp;

mod endpoint;

use endpoint::{Endpoint, Said};

/// How long an answer counts: a session that ends there ends here no later than this.
const CACHED: Duration = Duration::from_secs(30);

/// How long "unknown" counts: long enough for a browser that goes on asking with it.
const UNKNOWN_CACHED: Duration = Duration::from_secs(5);

/// How many questions are under way at once; more of them queue.
const LANES: usize = 32;

/// How many tokens may be in question at once.
const MOST_FLIGHTS: usize = 1_024;

/// When a client should ask again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Checks session tokens.
#[derive(Debug)]
pub(super) struct Sessions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    endpoint: Endpoint,
    timeout: Duration,
    known: Remembered<Verdict>,
    flights: Mutex<HashMap<Key, watch::Receiver<Option<Finding>>>>,
    lanes: Semaphore,
}

/// What the auth server says of a token.
type Verdict = Result<Arc<Verified>, Refusal>;

/// A verdict; `None`: it did not say.
type Finding = Option<Verdict>;

impl Sessions {
    /// Where the configuration takes session tokens.
    ///
    /// # Errors
    /// One line that names the variable and the cure.
    pub(super) fn of(config: &AuthConfig, timeout: Duration) -> Result<Option<Self>, String> {
        if !config.sessions {
            return Ok(None);
        }
        let missing =
            || "BETTER_AUTH_SESSIONS needs BETTER_AUTH_URL, where sessions are looked up".to_owned();
        let better_auth = config.better_auth.as_ref().ok_or_else(missing)?;
        let endpoint = Endpoint::new(&better_auth.session_url, config.secret.as_ref())?;
        Ok(Some(Self(Arc::new(Shared {
            endpoint,
            timeout,
            known: Remembered::default(),
            flights: Mutex::default(),
            lanes: Semaphore::new(LANES),
        }))))
    }

    /// What is known of a token without asking.
    pub(super) fn remembered(&self, token: &str, now: Timestamp) -> Option<Result<Verified, Rejection>> {
        self.0.known.get(&key(token), 0, now).map(said)
    }

    /// The user of a session, of which nothing is [remembered](Self::remembered).
    ///
    /// # Errors
    /// The auth server does not know the session, or does not answer.
    pub(super) async fn check(&self, token: &str, now: Timestamp) -> Result<Verified, Rejection> {
        let key = key(token);
        let Some(mut flight) = self.flight(key, token, now) else {
            return Err(self.0.unavailable("too many session tokens are in question"));
        };
        // A task that ends without a word, or is gone with its runtime, is as good as no answer.
        let finding =
            flight.wait_for(Option::is_some).await.ok().and_then(|finding| finding.clone().flatten());
        finding.map_or(Err(Rejection::Unavailable { retry_after: RETRY_AFTER }), said)
    }

    /// The question about this token: the one that is under way, or a new one.
    fn flight(&self, key: Key, token: &str, now: Timestamp) -> Option<watch::Receiver<Option<Finding>>> {
        let mut flights = self.0.flights();
        if let Some(flight) = flights.get(&key).filter(|flight| flight.has_changed().is_ok()) {
            return Some(flight.clone());
        }
        flights.retain(|_, flight| flight.has_changed().is_ok());
        if flights.len() >= MOST_FLIGHTS {
            return None;
        }
        let (sender, flight) = watch::channel(None);
        flights.insert(key, flight.clone());
        drop(flights);
        let (shared, token) = (Arc::clone(&self.0), token.to_owned());
        // In a task of its own: a client that goes away takes no answer from the others.
        tokio::spawn(async move {
            let finding = shared.ask(&token, now).await;
            if let Some(verdict) = &finding {
                shared.remember(key, verdict.clone(), now);
            }
            shared.flights().remove(&key);
            sender.send_replace(Some(finding));
        });
        Some(flight)
    }
}

fn said(verdict: Verdict) -> Result<Verified, Rejection> {
    verdict.map(|verified| Verified::clone(&verified)).map_err(Rejection::Refused)
}

impl Shared {
    fn flights(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<Finding>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the auth server.
    async fn ask(&self, token: &str, now: Timestamp) -> Finding {
        let answer = timeout(self.timeout, async {
            let _lane = self.lanes.acquire().await;
            self.endpoint.ask(token, now).await
        });
        match answer.await {
            Ok(Ok(Said::User(verified))) => {
                tracing::debug!(target: "creatorvault::auth", user_id = %verified.user, "Session verified");
                Some(Ok(Arc::new(verified)))
            }
            Ok(Ok(Said::Refused(refusal))) => Some(Err(refusal)),
            Ok(Err(trouble)) => {
                self.tell(&trouble);
                None
            }
            Err(_) => {
                self.tell(&format!("no answer within {} ms", self.timeout.as_millis()));
                None
            }
        }
    }

    fn remember(&self, key: Key, verdict: Verdict, now: Timestamp) {
        let until = match &verdict {
            Ok(verified) => now.plus(CACHED).min(verified.expires_at),
            Err(_) => now.plus(UNKNOWN_CACHED),
        };
        self.known.put(key, verdict, Life { since: now, until, generation: 0 });
    }

    fn tell(&self, error: &str) {
        let url = web::shown(&self.endpoint.url);
        tracing::warn!(target: "creatorvault::auth", reason = "sessions_unavailable", url, error, "Session could not be checked");
    }

    fn unavailable(&self, error: &str) -> Rejection {
        self.tell(error);
        Rejection::Unavailable { retry_after: RETRY_AFTER }
    }
}

#[cfg(test)]
mod tests;
