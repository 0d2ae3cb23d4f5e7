//! Writes on their way to the database: one operation or several in one transaction, each with its condition and its
//! outcome; under an idempotency key or without.

mod kept;
mod keyed;
mod operation;
mod transaction;

use uuid::Uuid;

use crate::auth::user_id::UserId;
use crate::change::TagTable;
use crate::db::{DbError, Row};
use crate::field::etag::RowVersion;
use crate::field::timestamp::Timestamp;

pub use kept::{Kept, Text};
pub use keyed::{Keeps, Under, keyed};
pub use operation::{Create, Edit, Effect, Operation};
pub use transaction::{together, write};

/// What a write has to know of its table.
#[derive(Debug)]
pub struct Kind {
    /// `@tasks` or `@ideas`.
    pub table: &'static str,
    /// The columns to read back, in the order of the row reader.
    pub columns: &'static str,
    /// Whether the rows of a user are numbered.
    pub numbered: bool,
    /// The fields that a PUT can clear: the name, and the expression that it has a value.
    pub clearable: [(&'static str, &'static str); 3],
    /// The table that finds rows by tag. Its column that names a row has the same name beside a kept answer.
    pub tags: &'static TagTable,
}

/// What happened to a row, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was made.
    Created,
    /// Something about it was changed.
    Updated,
    /// It was removed for good.
    Deleted,
}

/// A row that can be written.
pub trait Resource: Sized + Send + Sync + 'static {
    /// Its table.
    const KIND: &'static Kind;

    /// Reads the columns of [`Kind::columns`], in their order.
    ///
    /// # Errors
    /// A fault, when a column does not read.
    fn read(row: &Row, user: &UserId) -> Result<Self, DbError>;

    /// Which version of which row it is.
    fn version(&self) -> RowVersion;

    /// When it last changed.
    fn updated_at(&self) -> Timestamp;

    /// Whether each of [`Kind::clearable`] has a value.
    fn has_values(&self) -> [bool; 3];

    /// Writes one line about it, with its id and no text of the user's.
    fn log(user: &UserId, id: Uuid, event: Event);
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// As it was asked: the row as it is now, or as it was before its removal.
    Done(Done<T>),
    /// The row is not the version that was expected. Nothing was changed; this is what it is.
    Stale(T),
    /// The row is not there, or somebody else's.
    Missing,
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T> {
    /// The row.
    pub row: T,
    /// Fields that had a value before a replacement and have none now.
    pub cleared: Vec<&'static str>,
}

impl<T> Outcome<T> {
    /// The row, where the operation did what was asked.
    pub fn done(&self) -> Option<&Done<T>> {
        match self {
            Self::Done(done) => Some(done),
            Self::Stale(_) | Self::Missing => None,
        }
    }
}
