//! What was asked of the database: how long it took and was waited for, and what failed.

use std::fmt;
use std::time::{Duration, Instant};

use super::count::{Counter, Level};
use super::histogram::{GROUP, Histogram, STATEMENT};
use super::text::Text;

/// What is asked of a database, by the way it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reads on PostgreSQL's shared read lane.
    LaneRead,
    /// Reads on a PostgreSQL connection of their own.
    PoolRead,
    /// A PostgreSQL transaction, to its commit.
    PoolWrite,
    /// Reads on one of SQLite's readers.
    SqliteRead,
    /// One write on SQLite's writer, without the commit.
    SqliteWrite,
    /// The commit of a group of SQLite's writes.
    SqliteCommit,
}

/// Where what is asked waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// For a connection of PostgreSQL's pool.
    Pool,
    /// For one of SQLite's readers.
    SqliteRead,
    /// For SQLite's writer.
    SqliteWrite,
}

/// What a database answered instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Unreachable, saturated, full, or out of time.
    Unavailable,
    /// A lock did not come in time.
    Locked,
    /// A commit whose outcome nobody knows.
    OutcomeUnknown,
    /// A fault of this server.
    Fault,
}

const OPERATIONS: [&str; 6] =
    ["lane_read", "pool_read", "pool_write", "sqlite_read", "sqlite_write", "sqlite_commit"];
const QUEUES: [&str; 3] = ["pool", "sqlite_read", "sqlite_write"];
const FAILURES: [&str; 4] = ["unavailable", "locked", "outcome_unknown", "fault"];

/// What was asked of the database.
#[derive(Debug)]
pub struct Database {
    operations: [Asked; OPERATIONS.len()],
    waits: [Histogram; QUEUES.len()],
    failures: [Counter; FAILURES.len()],
    groups: Histogram,
}

#[derive(Debug)]
struct Asked {
    under_way: Level,
    took: Histogram,
}

impl Default for Asked {
    fn default() -> Self {
        Self { under_way: Level::default(), took: Histogram::of_times(STATEMENT) }
    }
}

/// Something that is being done; when it is dropped it is over, and its time is counted.
#[derive(Debug)]
#[must_use = "its time ends when it is dropped"]
pub struct Timed<'a> {
    asked: &'a Asked,
    begun: Instant,
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.asked.took.took(self.begun.elapsed());
        self.asked.under_way.down();
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            operations: Default::default(),
            waits: std::array::from_fn(|_| Histogram::of_times(STATEMENT)),
            failures: Default::default(),
            groups: Histogram::of_numbers(GROUP),
        }
    }
}

impl Database {
    /// Something is begun.
    pub fn begin(&self, operation: Operation) -> Timed<'_> {
        let asked = &self.operations[operation as usize];
        asked.under_way.up();
        Timed { asked, begun: Instant::now() }
    }

    /// Something waited for its turn, in vain or not.
    pub fn waited(&self, queue: Queue, time: Duration) {
        self.waits[queue as usize].took(time);
    }

    /// So many writes shared a commit.
    pub fn committed(&self, writes: usize) {
        self.groups.add(u64::try_from(writes).unwrap_or(u64::MAX));
    }

    /// Something was not done.
    pub fn failed(&self, failure: Failure) {
        self.failures[failure as usize].add();
    }

    pub(super) fn write(&self, text: &mut Text<'_>) -> fmt::Result {
        let help = "Time that the database took, without the wait for a connection";
        let mut times = text.histograms("db_operation_duration_seconds", help)?;
        for (operation, asked) in OPERATIONS.into_iter().zip(&self.operations) {
            times.one([("operation", operation)], &asked.took)?;
        }
        let help = "What is being asked of the database now";
        let mut under_way = text.gauges("db_operations_in_flight", help)?;
        for (operation, asked) in OPERATIONS.into_iter().zip(&self.operations) {
            under_way.one([("operation", operation)], asked.under_way.get())?;
        }
        let help = "Wait for a connection or for a database thread";
        let mut waits = text.histograms("db_wait_duration_seconds", help)?;
        for (queue, waited) in QUEUES.into_iter().zip(&self.waits) {
            waits.one([("queue", queue)], waited)?;
        }
        let mut errors = text.counters("db_errors", "What the database did not do, by what became of it")?;
        for (kind, count) in FAILURES.into_iter().zip(&self.failures) {
            errors.one([("kind", kind)], count.get())?;
        }
        text.histogram("sqlite_commit_group_size", "Writes that shared a commit", &self.groups)
    }
}
