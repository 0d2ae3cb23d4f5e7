//! Migrations on SQLite: one writer at a time is what its lock means anyway.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Error, OpenFlags, TransactionBehavior};

use super::files::{Migration, book};
use super::{BOOK, Record, Way, foreign, next};
use crate::db::sqlite::connection::{open_for_writing, refused};
use crate::db::text::translate;
use crate::db::{DbError, Engine};

/// How long another process may hold the file's lock.
const PATIENCE: Duration = Duration::from_secs(60);

/// Goes at most `most` migrations up or down.
pub(super) fn go(path: &Path, way: Way, most: u32, known: &[Migration]) -> Result<Vec<String>, DbError> {
    if way == Way::Up && is_done(path, known) {
        return Ok(Vec::new());
    }
    let mut connection = open_for_writing(path, PATIENCE).map_err(DbError::Fault)?;
    let mut done = Vec::new();
    while done.len() < usize::try_from(most).unwrap_or(usize::MAX) {
        match one(&mut connection, way, known)? {
            Some(name) => done.push(name),
            None => break,
        }
    }
    Ok(done)
}

/// Whether nothing is pending, seen without the writer's lock: the common start, which shall be quick.
fn is_done(path: &Path, known: &[Migration]) -> bool {
    path.exists()
        && matches!(records(path, known).map(|records| next(Way::Up, known, &records)), Ok(Ok(None)))
}

/// What the file has written down, after the checks that go before any change; nothing for a file that is not there.
pub(super) fn records(path: &Path, known: &[Migration]) -> Result<Vec<Record>, DbError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| refused(&error))?;
    connection.busy_timeout(PATIENCE).map_err(|error| refused(&error))?;
    records_through(&connection, known)
}

/// As [`records`], through a connection that somebody has opened.
pub(super) fn records_through(connection: &Connection, known: &[Migration]) -> Result<Vec<Record>, DbError> {
    let records = read_book(connection)?;
    if let Some(migration) = next(Way::Up, known, &records)? {
        refuse_foreign(connection, migration)?;
    }
    Ok(records)
}

/// Runs the next migration in a transaction of its own, after another look at what is applied.
fn one(connection: &mut Connection, way: Way, known: &[Migration]) -> Result<Option<String>, DbError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| refused(&error))?;
    let records = read_book(&transaction)?;
    let Some(migration) = next(way, known, &records)? else { return Ok(None) };
    let run = |text: &str| transaction.execute_batch(&translate(text, Engine::Sqlite, ""));
    let ran = match way {
        Way::Up => {
            refuse_foreign(&transaction, migration)?;
            run(&book(Engine::Sqlite))
                .and_then(|()| run(&migration.up))
                .and_then(|()| run(&migration.record()))
        }
        Way::Down => run(&migration.down).and_then(|()| run(&migration.forget())),
    };
    ran.map_err(|error| match refused(&error) {
        DbError::Fault(text) => DbError::Fault(format!("migration {} failed: {text}", migration.full_name())),
        other => other,
    })?;
    transaction.commit().map_err(|error| refused(&error))?;
    Ok(Some(migration.full_name()))
}

fn read_book(connection: &Connection) -> Result<Vec<Record>, DbError> {
    let read = || -> Result<Vec<Record>, Error> {
        if !has_table(connection, BOOK)? {
            return Ok(Vec::new());
        }
        let text = format!("select version, name, checksum from {BOOK} order by version");
        let mut statement = connection.prepare(&text)?;
        let record = |row: &rusqlite::Row<'_>| {
            Ok(Record { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? })
        };
        statement.query_map([], record)?.collect()
    };
    read().map_err(|error| refused(&error))
}

fn has_table(connection: &Connection, name: &str) -> Result<bool, Error> {
    let text = "select count(*) from sqlite_schema where type in ('table', 'view') and name = ?1";
    connection.query_row(text, [name], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

fn refuse_foreign(connection: &Connection, migration: &Migration) -> Result<(), DbError> {
    for table in migration.tables() {
        if has_table(connection, table).map_err(|error| refused(&error))? {
            return Err(foreign(table, Engine::Sqlite));
        }
    }
    Ok(())
}
