//! SQLite for admin commands: a file that is only read, and one that takes batches.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, Error};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Access, Told};
use crate::db::job::Owner;
use crate::db::sqlite::connection::{open_for_reading, open_for_writing, open_to_look, refused};
use crate::db::sqlite::run::query;
use crate::db::{DbError, Row};

/// How long another process, the server say, may hold the file's lock.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prepared statements kept: those of batches are long, and seldom the same.
const PREPARED: usize = 8;

/// A file that is only read.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    connection: Connection,
}

impl File {
    pub(super) fn open(path: &Path) -> Result<Self, DbError> {
        Ok(Self { path: path.to_owned(), connection: open(path)? })
    }

    pub(super) fn rows(&self, text: &str) -> Result<Vec<Row>, DbError> {
        query(&self.connection, text, &Owner::Nobody, &[]).map_err(|error| refused(&error))
    }

    /// On a connection and a thread of its own: SQLite hands out rows only as long as somebody stays with it.
    pub(super) fn walk(&self, text: String, at_once: usize) -> Result<Steps, DbError> {
        let connection = open(&self.path)?;
        on_a_thread(move |rows| walk(&connection, &text, at_once, rows))
    }
}

/// A file as it was at one moment: one connection in one transaction, and so one walk after the other.
#[derive(Debug)]
pub(super) struct Moment {
    connection: Arc<Mutex<Connection>>,
    /// Another number once somebody has written the file.
    version: i64,
}

impl Moment {
    pub(super) fn open(path: &Path) -> Result<Self, DbError> {
        let connection = open(path)?;
        // The first read settles which moment it is.
        let begun = connection.execute_batch("begin; select count(*) from sqlite_schema");
        let version = begun.and_then(|()| data_version(&connection)).map_err(|error| refused(&error))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), version })
    }

    pub(super) fn rows(&self, text: &str) -> Result<Vec<Row>, DbError> {
        let Ok(connection) = self.connection.try_lock() else {
            return Err(DbError::Fault("a walk through this file is not at its end".to_owned()));
        };
        query(&connection, text, &Owner::Nobody, &[]).map_err(|error| refused(&error))
    }

    /// It waits for the walk before it, which ends when it is dropped.
    pub(super) fn walk(&self, text: String, at_once: usize) -> Result<Steps, DbError> {
        let connection = Arc::clone(&self.connection);
        on_a_thread(move |rows| {
            walk(&connection.lock().unwrap_or_else(PoisonError::into_inner), &text, at_once, rows)
        })
    }

    /// Lets go of the moment, inside which nothing of others is seen; whether somebody has written the file since then.
    pub(super) fn changed(&self) -> Result<bool, DbError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = if connection.is_autocommit() { Ok(()) } else { connection.execute_batch("commit") };
        let version = ended.and_then(|()| data_version(&connection));
        version.map(|version| version != self.version).map_err(|error| refused(&error))
    }
}

fn data_version(connection: &Connection) -> Result<i64, Error> {
    connection.query_row("pragma data_version", [], |row| row.get(0))
}

fn on_a_thread(work: impl FnOnce(&Batches) -> Result<(), Error> + Send + 'static) -> Result<Steps, DbError> {
    let (rows, next) = channel(1);
    let begun = std::thread::Builder::new().name("walk".to_owned()).spawn(move || {
        if let Err(error) = work(&rows) {
            // Nobody may be there any more to hear it.
            drop(rows.blocking_send(Err(refused(&error))));
        }
    });
    begun.map_err(|error| DbError::Fault(format!("no thread to read the file with: {error}")))?;
    Ok(Steps(next))
}

/// An ordinary reader, because somebody may write the file meanwhile; where it may not make the files that such a reader
/// needs, one that leaves no trace.
fn open(path: &Path) -> Result<Connection, DbError> {
    if !path.is_file() {
        return Err(DbError::Fault(format!("there is no file {}", path.display())));
    }
    let opened = open_for_reading(path, PATIENCE).and_then(|connection| {
        connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    });
    match opened {
        Ok(connection) => Ok(connection),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen) => {
            open_to_look(path, PATIENCE)
        }
        Err(error) => Err(refused(&error)),
    }
}

type Batches = Sender<Result<Vec<Row>, DbError>>;

/// Sends all rows, `at_once` at a time; ends early when nobody takes them any more.
fn walk(connection: &Connection, text: &str, at_once: usize, to: &Batches) -> Result<(), Error> {
    let mut statement = connection.prepare(text)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut batch = Vec::with_capacity(at_once);
    while let Some(row) = rows.next()? {
        batch.push(lenient(row, columns)?);
        if batch.len() == at_once && to.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
            return Ok(());
        }
    }
    if !batch.is_empty() {
        drop(to.blocking_send(Ok(batch)));
    }
    Ok(())
}

/// A row in which text that is not UTF-8 stands as bytes: it spoils its column, not the walk.
fn lenient(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, Error> {
    let cell = |i| {
        let cell = row.get_ref(i)?;
        Ok(match cell {
            ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_err() => Cell::Blob(bytes.to_owned()),
            ValueRef::Text(_)
            | ValueRef::Blob(_)
            | ValueRef::Integer(_)
            | ValueRef::Real(_)
            | ValueRef::Null => cell.try_into()?,
        })
    };
    (0..columns).map(cell).collect::<Result<Vec<_>, Error>>().map(Row::from)
}

/// What the thread of a walk has read.
#[derive(Debug)]
pub(super) struct Steps(Receiver<Result<Vec<Row>, DbError>>);

impl Steps {
    pub(super) async fn next(&mut self) -> Result<Vec<Row>, DbError> {
        self.0.recv().await.unwrap_or_else(|| Ok(Vec::new()))
    }
}

/// A file that takes batches.
#[derive(Debug)]
pub(super) struct Pen {
    connection: Connection,
}

impl Pen {
    pub(super) fn open(path: &Path) -> Result<Self, DbError> {
        let connection = open_for_writing(path, PATIENCE).map_err(DbError::Fault)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Ok(Self { connection })
    }

    pub(super) fn begin(&mut self, access: Access) -> Result<(), DbError> {
        let begin = match access {
            Access::Look => "pragma query_only = on; begin",
            Access::Change => "pragma query_only = off; begin immediate",
        };
        let begun = || {
            if !self.connection.is_autocommit() {
                self.connection.execute_batch("rollback")?;
            }
            self.connection.execute_batch(begin)
        };
        begun().map_err(|error: Error| refused(&error))
    }

    pub(super) fn run(&mut self, told: &[Told<'_>]) -> Result<Vec<Vec<Row>>, DbError> {
        let run = |told: &Told<'_>| query(&self.connection, &told.text, &told.owner, &told.statement.params);
        told.iter().map(run).collect::<Result<_, _>>().map_err(|error| refused(&error))
    }

    pub(super) fn commit(&mut self) -> Result<(), DbError> {
        self.connection.execute_batch("commit").map_err(|error| refused(&error))
    }
}
