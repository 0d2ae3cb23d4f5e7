//! Runs statements on a SQLite connection.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Connection, Error, ToSql};

use crate::db::job::{Job, Owner, runs};
use crate::db::row::write_tags;
use crate::db::text::translate;
use crate::db::{DbError, Engine, Judge, Row, Value, Verdict};

use super::connection::refused_request;

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Text(Some(text)) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Text(None) | Self::Time(None) => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Uuid(uuid) => ToSqlOutput::Borrowed(ValueRef::Blob(uuid.as_bytes())),
            Self::Int(int) => ToSqlOutput::Borrowed(ValueRef::Integer(*int)),
            Self::Bool(bool) => ToSqlOutput::Borrowed(ValueRef::Integer((*bool).into())),
            Self::Time(Some(time)) => ToSqlOutput::Borrowed(ValueRef::Integer(time.micros())),
            Self::Tags(tags) => {
                let json = write_tags(tags).map_err(|error| Error::ToSqlConversionFailure(error.into()))?;
                ToSqlOutput::Owned(Cell::Text(json))
            }
        })
    }
}

/// How the steps of a job ended.
pub(super) enum Ran {
    /// What they did may be committed.
    Kept(Vec<Vec<Row>>),
    /// What they did is to be undone; nothing went wrong.
    Undone(Vec<Vec<Row>>),
}

/// Why the steps of a job did not run to their end.
pub(super) enum Stopped {
    /// SQLite refused one.
    Refused(Error),
    /// The judge could not judge.
    Unjudged(DbError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Stopped> for DbError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Refused(error) => refused_request(&error),
            Stopped::Unjudged(error) => error,
        }
    }
}

/// Runs the steps of a job in their order, each when its condition holds, then what the judge says.
pub(super) fn steps(connection: &Connection, job: &Job, texts: &[Arc<str>]) -> Result<Ran, Stopped> {
    let mut results = Vec::with_capacity(job.steps.len());
    for (step, text) in job.steps.iter().zip(texts) {
        let rows = if runs(step.when, &results) == Some(true) {
            query(connection, text, &job.owner, &step.statement.params)?
        } else {
            Vec::new()
        };
        results.push(rows);
    }
    let Some(Judge(judge)) = &job.judge else { return Ok(Ran::Kept(results)) };
    match judge(&results).map_err(Stopped::Unjudged)? {
        Verdict::RollBack => Ok(Ran::Undone(results)),
        Verdict::Commit(more) => {
            for statement in more {
                // The schema means nothing here.
                let text = translate(&statement.sql, Engine::Sqlite, "");
                query(connection, &text, &job.owner, &statement.params)?;
            }
            Ok(Ran::Kept(results))
        }
    }
}

/// Runs one statement with the owner at `?1` and the parameters behind it.
pub(in crate::db) fn query(
    connection: &Connection,
    text: &str,
    owner: &Owner,
    params: &[Value],
) -> Result<Vec<Row>, Error> {
    let mut statement = connection.prepare_cached(text)?;
    let own = usize::from(owner.id().is_some());
    if statement.parameter_count() != own + params.len() {
        return Err(Error::InvalidParameterCount(own + params.len(), statement.parameter_count()));
    }
    if let Some(id) = owner.id() {
        statement.raw_bind_parameter(1, id)?;
    }
    for (i, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(own + i + 1, param)?;
    }
    let columns = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        found.push(read(row, columns)?);
    }
    Ok(found)
}

/// A row of so many columns.
pub(in crate::db) fn read(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, Error> {
    (0..columns).map(|i| row.get_ref(i).map(cell)).collect::<Result<Vec<_>, _>>().map(Row::from)
}

/// A value given away. SQLite keeps whatever bytes it is handed as text; what is not UTF-8 stays bytes, which no reader
/// of texts takes.
fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(int) => Cell::Integer(int),
        ValueRef::Real(real) => Cell::Real(real),
        ValueRef::Text(bytes) => {
            String::from_utf8(bytes.to_vec()).map_or_else(|odd| Cell::Blob(odd.into_bytes()), Cell::Text)
        }
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
    }
}
