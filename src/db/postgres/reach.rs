//! Says in the log that the database cannot be reached, and that it can again: once, not with every try.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The time between two lines while it lasts.
const AGAIN: Duration = Duration::from_secs(10);

/// The time between two looks for a server that takes writes.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether the database was reached by the last try of anybody, as far as it was told.
#[derive(Debug)]
pub(super) struct Reach {
    /// The last line that said so, while it is not.
    said: Mutex<Option<Instant>>,
    /// When a server that should take writes last took none.
    moved: watch::Sender<Option<Instant>>,
}

impl Default for Reach {
    fn default() -> Self {
        Self { said: Mutex::default(), moved: watch::channel(None).0 }
    }
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
        let now = Instant::now();
        let told = self.moved.send_if_modified(|moved| {
            // Where there is no other server, connections are not made anew for each write.
            let news = moved.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE);
            if news {
                *moved = Some(now);
            }
            news
        });
        if told {
            tracing::warn!(target: "creatorvault::db", "the database takes no writes here: looking for the primary");
        }
    }

    /// Whether a write was refused so after that: a connection made before may lead to the wrong server.
    pub(super) fn has_moved_since(&self, made: Instant) -> bool {
        self.moved.borrow().is_some_and(|moved| moved > made)
    }

    /// Changes when a write is refused so from now on.
    pub(super) fn moves(&self) -> watch::Receiver<Option<Instant>> {
        self.moved.subscribe()
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
    fn a_server_that_takes_no_writes_is_told_once_in_a_second() {
        let (reach, before) = (Reach::default(), Instant::now());
        let mut moves = reach.moves();
        assert!(!reach.has_moved_since(before));
        reach.read_only();
        assert!(reach.has_moved_since(before) && moves.has_changed().unwrap());
        let at = *moves.borrow_and_update();
        reach.read_only();
        assert!(!moves.has_changed().unwrap() && *reach.moves().borrow() == at);
        assert!(!reach.has_moved_since(Instant::now()));
    }

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
