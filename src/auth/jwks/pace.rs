//! How patient the server is with the auth server.

use std::time::Duration;

/// Times and bounds of the key set; tests take shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long one fetch may take, from the name's resolution to the last byte.
    pub timeout: Duration,
    /// How far apart the starts of two fetches are at least, whoever asks for them.
    pub between: Duration,
    /// How long a fetched set is taken as it is; then it is fetched again in the background.
    pub fresh: Duration,
    /// How long a fetched set is used while no further fetch succeeds.
    pub stale: Duration,
    /// How far apart background fetches grow while they fail.
    pub rest: Duration,
    /// How many requests may wait for a fetch.
    pub waiters: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            between: Duration::from_secs(5),
            fresh: Duration::from_secs(10 * 60),
            stale: Duration::from_secs(24 * 60 * 60),
            rest: Duration::from_secs(30),
            waiters: 256,
        }
    }
}

impl Pace {
    /// How long after its last start a background fetch is tried again, after so many failures in a row.
    pub(super) fn after(&self, failures: u32) -> Duration {
        let doubled = self.between.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.rest).max(self.between)
    }

    /// How long a request waits at most: for the next permitted fetch, for that fetch itself, and a little for its news.
    pub(in crate::auth) fn patience(&self) -> Duration {
        self.between + self.timeout + Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_space_the_tries_out() {
        let seconds: Vec<u64> = (1..6).map(|failures| Pace::default().after(failures).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 30, 30]);
        assert_eq!(Pace::default().after(u32::MAX).as_secs(), 30);
    }
}
