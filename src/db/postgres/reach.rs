//! Says in the log that the database cannot be reached, and that it can again: once, not with every try.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The time between two lines while it lasts.
const AGAIN: Duration = Duration::from_secs(10);

/// Whether the database was reached by the last try of anybody, as far as it was told.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The last line that said so, while it is not.
    said: Mutex<Option<Instant>>,
    /// Told when a server that should take writes takes none.
    moved: Notify,
}

impl Reach {
    /// A try to connect failed.
    pub(super) fn failed(&self, error: &str) {
        if self.is_news(Instant::now()) {
            tracing::warn!(target: "creatorvault::db", error, "database not reachable");
        }
    }

    /// A connection was made.
    pub(super) fn made(&self) {
        if self.is_back() {
            tracing::info!(target: "creatorvault::db", "database reachable again");
        }
    }

    /// A write was refused by a server that has become read-only.
    pub(super) fn read_only(&self) {
        tracing::warn!(target: "creatorvault::db", "the database takes no writes here: looking for the primary");
        self.moved.notify_waiters();
    }

    /// Done when the next write is refused so.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }

    fn is_news(&self, now: Instant) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let news = said.is_none_or(|at| now.saturating_duration_since(at) >= AGAIN);
        if news {
            *said = Some(now);
        }
        news
    }

    fn is_back(&self) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_in_ten_seconds_and_its_end_once() {
        let (reach, start) = (Reach::default(), Instant::now());
        assert!(!reach.is_back(), "it was never gone");
        let told = |from: u64, to: u64| {
            let tries = (from..to).step_by(100).map(|ms| start + Duration::from_millis(ms));
            tries.filter(|now| reach.is_news(*now)).count()
        };
        assert_eq!(told(0, 9_999), 1);
        assert_eq!(told(10_000, 25_000), 2);
        assert!(reach.is_back() && !reach.is_back());
        assert_eq!(told(25_000, 26_000), 1, "the next outage is news at once");
    }
}
