//! Time and chance, handed in: the only place that reads the system's clock or makes random ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use uuid::Uuid;

use crate::field::timestamp::Timestamp;

/// The clock that the application is given: the system's, or one that a test sets by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Microseconds since the Unix epoch, when a test holds the clock.
    held: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still at `at` until [`Clock::set`] moves it.
    pub fn held(at: Timestamp) -> Self {
        Self { held: Some(Arc::new(AtomicI64::new(at.micros()))) }
    }

    /// Moves a held clock; the system's clock cannot be moved and ignores it.
    pub fn set(&self, to: Timestamp) {
        if let Some(held) = &self.held {
            held.store(to.micros(), Ordering::Relaxed);
        }
    }

    /// Now, cut to microseconds: what both databases can hold.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask the system")]
    pub fn now(&self) -> Timestamp {
        if let Some(held) = &self.held {
            return Timestamp::from_micros(held.load(Ordering::Relaxed));
        }
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// A new UUIDv7 (RFC 9562), ordered by the system's time of its making.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may make ids")]
    pub fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// A new random UUIDv4, for correlation ids.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may make ids")]
    pub fn random_id(&self) -> Uuid {
        Uuid::new_v4()
    }
}
