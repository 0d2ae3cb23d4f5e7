//! The strict verifier: a compact JWS is accepted only when every rule holds, by keys that the server was given or
//! that the auth server publishes.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::cache::{Life, Remembered, key};
use super::jwks::{KeySet, KeySetState, News, Outcome, Pace};
use super::jws;
use super::refusal::{Refusal, Rejection, reason};
use super::rules::{Doubt, Judged, Rules};
use super::sessions::Sessions;
use super::user_id::UserId;
use crate::config::Secret;
use crate::config::auth::AuthConfig;
use crate::field::timestamp::Timestamp;
use crate::metrics;

/// What a verified token says of its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The user.
    pub user: UserId,
    /// The `email` claim, where it is a string.
    pub email: Option<String>,
    /// The `name` claim, where it is a string.
    pub name: Option<String>,
    /// `exp`.
    pub expires_at: Timestamp,
}

impl Verified {
    /// What a token or a session says that every rule was found to hold for. The only maker of a [`UserId`].
    pub(super) fn of(user: &str, email: Option<String>, name: Option<String>, expires_at: Timestamp) -> Self {
        Self { user: UserId::verified(user), email, name, expires_at }
    }
}

/// Checks tokens against the configured key sources. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Rules,
    known: Remembered<Arc<Verified>>,
    sessions: Option<Sessions>,
    counts: Arc<metrics::Auth>,
}

impl Verifier {
    /// A verifier with the configured key sources. `dev_secret` counts only in dev mode: with a real key source no dev
    /// token is ever accepted. Nothing is fetched yet.
    ///
    /// # Errors
    /// One line that names the variable and the cure: no key source at all, or a public key without issuer and
    /// audience.
    pub fn new(config: &AuthConfig, dev_secret: Option<Secret>) -> Result<Self, String> {
        Self::with_pace(config, dev_secret, Pace::default())
    }

    /// As [`Verifier::new`], with other times and bounds for what is fetched.
    ///
    /// # Errors
    /// As [`Verifier::new`].
    pub fn with_pace(config: &AuthConfig, dev_secret: Option<Secret>, pace: Pace) -> Result<Self, String> {
        let rules = Rules::new(config, dev_secret, pace)?;
        let sessions = Sessions::of(config, pace.timeout)?;
        let counts = Arc::new(metrics::Auth::of(&reason::ALL));
        Ok(Self(Arc::new(Inner { rules, known: Remembered::default(), sessions, counts })))
    }

    /// Begins to fetch the key set where it is the only source of keys; it comes in the background and is kept fresh
    /// from then on. Must be called within a tokio runtime. Beside another source the set is first fetched when a token
    /// needs it.
    pub fn start(&self) {
        if let Some(set) = self.0.rules.set.as_ref().filter(|set| set.is_sole()) {
            set.keep();
        }
    }

    /// Verifies a compact JWS (RFC 7515), or a session token where these are taken, at time `now`. A token that was
    /// verified before costs no signature; one that the fetched keys do not fit waits for the next fetch.
    ///
    /// # Errors
    /// The refusal, when any rule is broken; or that the auth server does not answer.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Rejection> {
        self.verify_if(token, now, || Ok(())).await
    }

    /// As [`Verifier::verify`], where `may_ask` has a say before the auth server is asked about a token: a lookup
    /// costs the auth server, and a place that others wait for. What was found out before is not its business.
    ///
    /// # Errors
    /// As [`Verifier::verify`], and what `may_ask` says.
    pub async fn verify_if<E: From<Rejection>>(
        &self,
        token: &str,
        now: Timestamp,
        may_ask: impl FnOnce() -> Result<(), E>,
    ) -> Result<Verified, E> {
        let arrival = Instant::now();
        if let Some(sessions) = &self.0.sessions
            && jws::is_session_token(token)
        {
            if let Some(verdict) = sessions.remembered(token, now) {
                self.0.counts.remembered();
                return verdict.map_err(E::from);
            }
            self.0.counts.checked();
            may_ask()?;
            return sessions.check(token, now).await.map_err(E::from);
        }
        let key = key(token);
        let generation = self.0.rules.generation();
        if let Some(verified) = self.0.known.get(&key, generation, now) {
            self.0.counts.remembered();
            return Ok(Verified::clone(&verified));
        }
        self.0.counts.checked();
        let judged = match self.0.rules.judge(token, now) {
            Ok(judged) => judged,
            Err(Doubt { newer_keys_may_help: true, .. }) => {
                may_ask()?;
                self.ask_for_keys(token, now, arrival).await?
            }
            Err(doubt) => return Err(Rejection::from(doubt.refusal).into()),
        };
        Ok(self.accept(key, judged, now))
    }

    /// Remembers the token and tells the log.
    fn accept(&self, key: super::cache::Key, judged: Judged, now: Timestamp) -> Verified {
        let Judged { verified, claims, generation } = judged;
        // The leeway after `exp` is for the full check.
        let life = Life { since: now, until: verified.expires_at, generation };
        self.0.known.put(key, Arc::new(verified.clone()), life);
        if let Some(seconds) = claims.issued_ahead(now) {
            let detail = format!("iat is {seconds} seconds ahead of this server's clock");
            tracing::warn!(target: "creatorvault::auth", user_id = %verified.user, detail, "Token issued in the future");
        }
        tracing::debug!(target: "creatorvault::auth", user_id = %verified.user, "Token verified");
        verified
    }

    /// The verdict with keys that were fetched after the token's arrival: a new key is born in the very call that
    /// signs with it, so only such a fetch can tell that there is none.
    async fn ask_for_keys(&self, token: &str, now: Timestamp, arrival: Instant) -> Result<Judged, Rejection> {
        let Some(set) = &self.0.rules.set else {
            return self.0.rules.check(token, now).map_err(Rejection::from);
        };
        let Some(_place) = set.place() else {
            return Err(unavailable(set, "too many requests wait for keys"));
        };
        let mut news = set.news();
        loop {
            let latest: News = *news.borrow_and_update();
            let refusal = match self.0.rules.judge(token, now) {
                Err(Doubt { refusal, newer_keys_may_help: true }) => refusal,
                verdict => return verdict.map_err(|doubt| doubt.refusal.into()),
            };
            if latest.started.is_some_and(|started| started >= arrival) {
                return Err(match latest.outcome {
                    Outcome::Fetched => refusal.into(),
                    Outcome::Absent(status) => no_key_set(set, status).into(),
                    Outcome::Failed => unavailable(set, "the key set could not be fetched"),
                });
            }
            set.ask();
            let end = timeout_at(arrival + set.pace().patience(), news.changed()).await;
            if !matches!(end, Ok(Ok(()))) {
                return Err(unavailable(set, "the key set did not come in time"));
            }
        }
    }

    /// What was found of tokens so far.
    pub fn counts(&self) -> &Arc<metrics::Auth> {
        &self.0.counts
    }

    /// The state of the key set, where one is configured. Readiness fails only when it is the sole source of keys and
    /// was never loaded.
    pub fn key_set_state(&self) -> Option<KeySetState> {
        self.0.rules.set.as_ref().map(KeySet::state)
    }

    /// Whether session tokens are looked up.
    pub(super) fn takes_sessions(&self) -> bool {
        self.0.sessions.is_some()
    }

    /// The keys and rules, for the explanation of a token.
    pub(super) fn rules(&self) -> &Rules {
        &self.0.rules
    }
}

fn unavailable(set: &KeySet, detail: &str) -> Rejection {
    tracing::warn!(
        target: "creatorvault::auth", reason = "keys_unavailable", detail, url = set.shown_url(),
        "Token could not be checked"
    );
    Rejection::Unavailable { retry_after: set.pace().between }
}

fn no_key_set(set: &KeySet, status: u16) -> Refusal {
    let url = set.shown_url();
    let cure = "add the jwt() plugin to Better Auth, or name the address in BETTER_AUTH_JWKS_URL";
    Refusal::invalid(reason::NO_KEY_SET, format!("{url} answers {status}, so there are no keys: {cure}"))
}

#[cfg(test)]
mod tests;
