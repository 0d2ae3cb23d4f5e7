//! Values on their way from one database into another, as they are.

use bytes::{BufMut, BytesMut};
use uuid::Uuid;

use crate::db::row::write_tags;
use crate::db::{DbError, Row};

/// Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The first time that PostgreSQL holds, 4714-11-24 BC, in microseconds since its epoch. Its last one is beyond what the
/// microseconds of SQLite reach.
const POSTGRES_FIRST: i64 = -211_813_488_000_000_000;

/// The version of the jsonb format.
const JSONB: u8 = 1;

/// What a column holds, on either engine; whether it may be null is its table's own rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// `text`.
    Text,
    /// `uuid` (`blob` of 16 bytes on SQLite).
    Uuid,
    /// `bigint`.
    Int,
    /// `boolean` (0 or 1 on SQLite).
    Bool,
    /// `timestamptz` (microseconds since 1970 on SQLite).
    Time,
    /// A list of strings as a JSON array: `jsonb` (text on SQLite).
    Tags,
}

impl ColumnKind {
    /// Its name in messages, which is PostgreSQL's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::Int => "bigint",
            Self::Bool => "boolean",
            Self::Time => "timestamptz",
            Self::Tags => "array of strings",
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum {
    /// Null, of any kind.
    Null,
    /// A text.
    Text(String),
    /// An id.
    Uuid(Uuid),
    /// A number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// Microseconds since the Unix epoch, of whatever year.
    Time(i64),
    /// A list of strings.
    Tags(Vec<String>),
}

impl Datum {
    /// Column `i` of a row.
    ///
    /// # Errors
    /// [`DbError::Fault`]: it is not there, or not of that kind.
    pub fn read(row: &Row, i: usize, kind: ColumnKind) -> Result<Self, DbError> {
        row.datum(i, kind)
    }

    /// Why PostgreSQL cannot hold it, where SQLite can; none when it can.
    pub fn unfit_for_postgres(&self) -> Option<&'static str> {
        const NUL: &str = "holds the character U+0000, which PostgreSQL cannot";
        match self {
            Self::Text(text) => text.contains('\0').then_some(NUL),
            Self::Tags(tags) => tags.iter().any(|tag| tag.contains('\0')).then_some(NUL),
            Self::Time(micros) => {
                let fits = micros.checked_sub(POSTGRES_EPOCH).is_some_and(|time| time >= POSTGRES_FIRST);
                (!fits).then_some("is a time before those that PostgreSQL holds")
            }
            Self::Null | Self::Uuid(_) | Self::Int(_) | Self::Bool(_) => None,
        }
    }

    /// Appends it as `copy … (format binary)` wants it: length, then bytes (PostgreSQL manual, "COPY").
    pub(super) fn put_binary(&self, out: &mut BytesMut) -> Result<(), DbError> {
        match self {
            Self::Null => out.put_i32(-1),
            Self::Text(text) => put(out, &[], text.as_bytes())?,
            Self::Uuid(uuid) => put(out, &[], uuid.as_bytes())?,
            Self::Int(int) => put(out, &[], &int.to_be_bytes())?,
            Self::Bool(bool) => put(out, &[], &[u8::from(*bool)])?,
            Self::Time(micros) => {
                let time = micros.checked_sub(POSTGRES_EPOCH).ok_or_else(|| too_great("a time"))?;
                put(out, &[], &time.to_be_bytes())?;
            }
            Self::Tags(tags) => {
                let json = write_tags(tags).map_err(|error| DbError::Fault(error.to_string()))?;
                put(out, &[JSONB], json.as_bytes())?;
            }
        }
        Ok(())
    }
}

fn put(out: &mut BytesMut, before: &[u8], bytes: &[u8]) -> Result<(), DbError> {
    out.put_i32(i32::try_from(before.len() + bytes.len()).map_err(|_| too_great("a text"))?);
    out.put_slice(before);
    out.put_slice(bytes);
    Ok(())
}

fn too_great(what: &str) -> DbError {
    DbError::Fault(format!("{what} is beyond what PostgreSQL holds"))
}
