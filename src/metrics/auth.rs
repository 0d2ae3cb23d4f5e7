//! Tokens: what was refused and why, and what a signature was spared.

use std::fmt;
use std::sync::OnceLock;

use super::count::Counter;
use super::text::Text;

/// Tokens.
#[derive(Debug, Default)]
pub struct Auth {
    refusals: OnceLock<Box<[(&'static str, Counter)]>>,
    unavailable: Counter,
    forbidden: Counter,
    remembered: Counter,
    verified: Counter,
}

impl Auth {
    /// Where every refusal has one of these reasons.
    pub fn of(reasons: &[&'static str]) -> Self {
        let auth = Self::default();
        auth.refusals.get_or_init(|| reasons.iter().map(|reason| (*reason, Counter::default())).collect());
        auth
    }

    /// A token was refused, or there was none (401).
    pub fn refused(&self, reason: &str) {
        let reasons = self.refusals.get().map_or(&[][..], |reasons| reasons);
        if let Some((_, count)) = reasons.iter().find(|(known, _)| *known == reason) {
            count.add();
        }
    }

    /// Nobody could say whether a token is valid (503).
    pub fn unavailable(&self) {
        self.unavailable.add();
    }

    /// A token was good and the path another user's (403).
    pub fn forbidden(&self) {
        self.forbidden.add();
    }

    /// A token was known from before: no signature was checked.
    pub fn remembered(&self) {
        self.remembered.add();
    }

    /// A token had to be checked.
    pub fn checked(&self) {
        self.verified.add();
    }

    pub(super) fn write(&self, text: &mut Text<'_>) -> fmt::Result {
        let mut refusals = text.counters("auth_refusals", "Requests refused with 401, by reason")?;
        for (reason, count) in self.refusals.get().into_iter().flatten() {
            refusals.one([("reason", reason)], count.get())?;
        }
        let help = "Requests refused with 403: their path names another user than their token";
        text.counter("auth_forbidden", help, self.forbidden.get())?;
        let help = "Tokens that nobody could judge because the auth server did not answer (503)";
        text.counter("auth_unavailable", help, self.unavailable.get())?;
        let mut cache =
            text.counters("auth_token_lookups", "Tokens looked up among those verified before")?;
        cache.one([("result", "hit")], self.remembered.get())?;
        cache.one([("result", "miss")], self.verified.get())
    }
}
