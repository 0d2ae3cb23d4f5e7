//! What can be asked of a database: statements with their parameters, and steps of a write.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::field::timestamp::Timestamp;

use super::{DbError, Row};

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

/// What becomes of a write whose steps have run.
#[derive(Debug)]
pub enum Verdict {
    /// It is committed after these statements.
    Commit(Vec<Statement>),
    /// Nothing of it is kept.
    RollBack,
}

/// Judges a write by the rows of its steps, while its transaction is still open. It may be asked again when the write
/// runs again after a known rollback, so it must depend on the rows alone.
#[derive(Clone)]
pub struct Judge(pub(super) Arc<Judgement>);

/// How a judge decides.
pub(super) type Judgement = dyn Fn(&[Vec<Row>]) -> Result<Verdict, DbError> + Send + Sync;

impl Judge {
    /// A judge that says what this function says.
    pub fn new(judge: impl Fn(&[Vec<Row>]) -> Result<Verdict, DbError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(judge))
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

/// Which engine stands behind a [`Db`](super::Db).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL 15 or newer.
    Postgres,
    /// Embedded SQLite.
    Sqlite,
}

impl Engine {
    /// Its name, as OpenTelemetry has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }
}
