//! What can be asked of a database: statements with their parameters, and steps of a write.

use std::borrow::Cow;

use uuid::Uuid;

use crate::field::timestamp::Timestamp;

/// One parameter of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `text`, or null.
    Text(Option<String>),
    /// `uuid` (`blob` of 16 bytes on SQLite).
    Uuid(Uuid),
    /// `bigint`.
    Int(i64),
    /// `boolean` (0 or 1 on SQLite).
    Bool(bool),
    /// `timestamptz` (integer microseconds on SQLite), or null.
    Time(Option<Timestamp>),
    /// A list of strings as a JSON array: `jsonb` (text on SQLite).
    Tags(Vec<String>),
}

/// How a statement wants to be planned and sent on PostgreSQL; on SQLite, whether it may be slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// One plan serves every value, an index serves it: named, on the shared read lane.
    Steady,
    /// Planned with its real values, may be slow: unnamed and typed, on a connection of its own (on SQLite behind
    /// others of its kind only).
    Fresh,
}

/// One SQL text with its parameters from `$2` on; [`Scope`](super::Scope) puts the owner at `$1`.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The text, as this module's doc says.
    pub sql: Cow<'static, str>,
    /// `$2`, `$3`, …
    pub params: Vec<Value>,
    /// Where it goes when it is read outside a transaction.
    pub plan: Plan,
}

/// When a step of a write runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In any case.
    Always,
    /// Only if the step with that index returned at least one row.
    Rows(usize),
    /// Only if the step with that index returned no row.
    NoRows(usize),
}

/// One step of a write; all steps of a write share one transaction.
#[derive(Debug, Clone)]
pub struct Step {
    /// What to run.
    pub statement: Statement,
    /// When to run it.
    pub when: When,
}

/// Which engine stands behind a [`Db`](super::Db).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL 15 or newer.
    Postgres,
    /// Embedded SQLite.
    Sqlite,
}
