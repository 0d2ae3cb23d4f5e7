//! How far it has come, on standard error: a line a second at most, and one at the end of each table.

use std::time::{Duration, Instant};

use super::report;
use crate::cli::complain;

const PAUSE: Duration = Duration::from_secs(1);

/// The way through one table.
pub(super) struct Progress {
    doing: &'static str,
    table: &'static str,
    begun: Instant,
    told: Instant,
    rows: u64,
}

impl Progress {
    pub(super) fn begin(doing: &'static str, table: &'static str) -> Self {
        let now = Instant::now();
        Self { doing, table, begun: now, told: now, rows: 0 }
    }

    /// So many rows more.
    pub(super) fn add(&mut self, rows: u64) {
        self.rows += rows;
        if self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            self.tell(" so far");
        }
    }

    pub(super) fn end(self) {
        self.tell("");
    }

    fn tell(&self, so_far: &str) {
        let Self { doing, table, begun, told: _, rows } = self;
        if *rows == 0 {
            return complain(&format!("{doing} {table}: no rows"));
        }
        let millis = begun.elapsed().as_millis().max(1);
        let pace = u128::from(*rows) * 1_000 / millis;
        complain(&format!("{doing} {table}: {}{so_far}, {pace} rows/s", report::rows(*rows)));
    }
}
