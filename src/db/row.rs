//! A row that came back, read by position, whichever engine it came from.

use rusqlite::types::Value as Cell;
use uuid::Uuid;

use crate::field::timestamp::Timestamp;

use super::DbError;
use super::bulk::{ColumnKind, Datum};
use super::postgres::cell::{Micros, Tags, Whole};

/// A row that came back, read by position.
#[derive(Debug)]
pub struct Row(Cells);

#[derive(Debug)]
enum Cells {
    Postgres(tokio_postgres::Row),
    Sqlite(Vec<Cell>),
}

impl From<tokio_postgres::Row> for Row {
    fn from(row: tokio_postgres::Row) -> Self {
        Self(Cells::Postgres(row))
    }
}

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Self {
        Self(Cells::Sqlite(cells))
    }
}

/// Every error of these is a [`DbError::Fault`]: the column is not there, or not of that kind.
impl Row {
    /// How many columns it has.
    pub fn width(&self) -> usize {
        match &self.0 {
            Cells::Postgres(row) => row.len(),
            Cells::Sqlite(cells) => cells.len(),
        }
    }

    /// A `text not null` column.
    pub fn text(&self, i: usize) -> Result<String, DbError> {
        self.opt_text(i)?.ok_or_else(|| unread(i, "text"))
    }

    /// A nullable `text` column.
    pub fn opt_text(&self, i: usize) -> Result<Option<String>, DbError> {
        match &self.0 {
            Cells::Postgres(row) => row.try_get(i).map_err(|_| unread(i, "text")),
            Cells::Sqlite(cells) => match cells.get(i) {
                Some(Cell::Null) => Ok(None),
                Some(Cell::Text(text)) => Ok(Some(text.clone())),
                _ => Err(unread(i, "text")),
            },
        }
    }

    /// A `uuid not null` column.
    pub fn uuid(&self, i: usize) -> Result<Uuid, DbError> {
        match &self.0 {
            Cells::Postgres(row) => row.try_get(i).map_err(|_| unread(i, "uuid")),
            Cells::Sqlite(cells) => match cells.get(i) {
                Some(Cell::Blob(bytes)) => Uuid::from_slice(bytes).map_err(|_| unread(i, "uuid")),
                _ => Err(unread(i, "uuid")),
            },
        }
    }

    /// A `bigint not null` column (any integer width on SQLite).
    pub fn int(&self, i: usize) -> Result<i64, DbError> {
        match &self.0 {
            Cells::Postgres(row) => row.try_get(i).map(|Whole(int)| int).map_err(|_| unread(i, "bigint")),
            Cells::Sqlite(cells) => match cells.get(i) {
                Some(Cell::Integer(int)) => Ok(*int),
                _ => Err(unread(i, "bigint")),
            },
        }
    }

    /// A `boolean not null` column.
    pub fn bool(&self, i: usize) -> Result<bool, DbError> {
        match &self.0 {
            Cells::Postgres(row) => row.try_get(i).map_err(|_| unread(i, "boolean")),
            Cells::Sqlite(cells) => match cells.get(i) {
                Some(Cell::Integer(0)) => Ok(false),
                Some(Cell::Integer(1)) => Ok(true),
                _ => Err(unread(i, "boolean")),
            },
        }
    }

    /// A `timestamptz not null` column.
    pub fn time(&self, i: usize) -> Result<Timestamp, DbError> {
        self.opt_time(i)?.ok_or_else(|| unread(i, "timestamptz"))
    }

    /// A nullable `timestamptz` column.
    pub fn opt_time(&self, i: usize) -> Result<Option<Timestamp>, DbError> {
        let micros = match &self.0 {
            Cells::Postgres(row) => {
                let micros: Option<Micros> = row.try_get(i).map_err(|_| unread(i, "timestamptz"))?;
                micros.map(|Micros(micros)| micros)
            }
            Cells::Sqlite(cells) => match cells.get(i) {
                Some(Cell::Null) => None,
                Some(Cell::Integer(micros)) => Some(*micros),
                _ => return Err(unread(i, "timestamptz")),
            },
        };
        Ok(micros.map(Timestamp::from_micros))
    }

    /// A column of this kind as it is, null or not; a time is not cut to the years that the API takes.
    pub(super) fn datum(&self, i: usize, kind: ColumnKind) -> Result<Datum, DbError> {
        match &self.0 {
            Cells::Postgres(row) => from_postgres(row, i, kind).map_err(|_| unread(i, kind.name())),
            Cells::Sqlite(cells) => {
                cells.get(i).and_then(|cell| from_sqlite(cell, kind)).ok_or_else(|| unread(i, kind.name()))
            }
        }
    }

    /// A JSON array of strings, not null.
    pub fn tags(&self, i: usize) -> Result<Vec<String>, DbError> {
        match &self.0 {
            Cells::Postgres(row) => {
                row.try_get(i).map(|Tags(tags)| tags).map_err(|_| unread(i, "array of strings"))
            }
            Cells::Sqlite(cells) => match cells.get(i) {
                Some(Cell::Text(text)) => {
                    parse_tags(text.as_bytes()).ok_or_else(|| unread(i, "array of strings"))
                }
                _ => Err(unread(i, "array of strings")),
            },
        }
    }
}

fn from_postgres(
    row: &tokio_postgres::Row,
    i: usize,
    kind: ColumnKind,
) -> Result<Datum, tokio_postgres::Error> {
    let datum = match kind {
        ColumnKind::Text => row.try_get::<_, Option<String>>(i)?.map(Datum::Text),
        ColumnKind::Uuid => row.try_get::<_, Option<Uuid>>(i)?.map(Datum::Uuid),
        ColumnKind::Int => row.try_get::<_, Option<Whole>>(i)?.map(|Whole(int)| Datum::Int(int)),
        ColumnKind::Bool => row.try_get::<_, Option<bool>>(i)?.map(Datum::Bool),
        ColumnKind::Time => row.try_get::<_, Option<Micros>>(i)?.map(|Micros(micros)| Datum::Time(micros)),
        ColumnKind::Tags => row.try_get::<_, Option<Tags>>(i)?.map(|Tags(tags)| Datum::Tags(tags)),
    };
    Ok(datum.unwrap_or(Datum::Null))
}

fn from_sqlite(cell: &Cell, kind: ColumnKind) -> Option<Datum> {
    match (kind, cell) {
        (_, Cell::Null) => Some(Datum::Null),
        (ColumnKind::Text, Cell::Text(text)) => Some(Datum::Text(text.clone())),
        (ColumnKind::Uuid, Cell::Blob(bytes)) => Uuid::from_slice(bytes).ok().map(Datum::Uuid),
        (ColumnKind::Int, Cell::Integer(int)) => Some(Datum::Int(*int)),
        (ColumnKind::Bool, Cell::Integer(int @ (0 | 1))) => Some(Datum::Bool(*int == 1)),
        (ColumnKind::Time, Cell::Integer(micros)) => Some(Datum::Time(*micros)),
        (ColumnKind::Tags, Cell::Text(json)) => parse_tags(json.as_bytes()).map(Datum::Tags),
        _ => None,
    }
}

/// A JSON array of strings; none for anything else.
pub(super) fn parse_tags(json: &[u8]) -> Option<Vec<String>> {
    if json == b"[]" {
        return Some(Vec::new());
    }
    serde_json::from_slice(json).ok()
}

/// A list of strings as a JSON array.
pub(super) fn write_tags(tags: &[String]) -> Result<String, serde_json::Error> {
    if tags.is_empty() { Ok("[]".to_owned()) } else { serde_json::to_string(tags) }
}

/// Which column did not read, and as what; never its value.
fn unread(i: usize, kind: &str) -> DbError {
    DbError::Fault(format!("column {i} of a row does not read as {kind}"))
}
