//! The time at which a connection's statement ends: asked by SQLite itself while it works, so that it can never hit
//! a later statement, as an interrupt from another thread could.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rusqlite::Connection;

/// Steps of SQLite's virtual machine between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 2000;

/// No limit.
const NEVER: u64 = u64::MAX;

/// The limit of one connection.
#[derive(Debug)]
pub(super) struct Limit {
    base: Instant,
    /// Microseconds after `base`.
    at: Arc<AtomicU64>,
}

impl Limit {
    /// Lets `connection` end its statements at a limit; there is none at first.
    pub(super) fn on(connection: &mut Connection) -> Result<Self, rusqlite::Error> {
        let limit = Self { base: Instant::now(), at: Arc::new(AtomicU64::new(NEVER)) };
        let (base, at) = (limit.base, limit.at.clone());
        let passed = move || micros(base, Instant::now()) >= at.load(Ordering::Relaxed);
        connection.progress_handler(STEPS, Some(passed))?;
        Ok(limit)
    }

    /// Statements end at `at`.
    pub(super) fn set(&self, at: Instant) {
        self.at.store(micros(self.base, at), Ordering::Relaxed);
    }

    /// Statements take as long as they take.
    pub(super) fn lift(&self) {
        self.at.store(NEVER, Ordering::Relaxed);
    }
}

fn micros(base: Instant, at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(base).as_micros()).unwrap_or(NEVER)
}
