//! Copies of a SQLite file: made while a server writes to it, looked over, put back in its place.
//!
//! A copy grows under a name of its own (`….part`) and gets its name when it is whole, looked over and on the disk, so
//! that whoever sees the name sees all of it, whenever this process or the machine ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::migrate::{self, Applied};
use super::sqlite::connection::{open_to_look, refused};
use super::{DbError, Engine};

mod make;
mod part;
mod restore;

pub use make::make;
use part::{BESIDE, folder};
pub use restore::{Restored, restore};

/// How long another process may hold the file's lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// Complaints of SQLite's own examination that are told.
const TOLD: usize = 3;

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Each table of rows with how many it has, by name.
    pub tables: Vec<(String, u64)>,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The migrations that this program or the copy knows, in order.
    pub migrations: Vec<Applied>,
}

impl Held {
    /// Rows in all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }
}

/// Examines a file that nobody has open: that it is sound in SQLite's own eyes, that no row refers to one that is not
/// there, that its tables are ours.
///
/// # Errors
/// What is wrong with it, completing "FILE …".
fn examine(path: &Path) -> Result<Held, String> {
    let bytes = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    let connection = open_to_look(path, PATIENCE).map_err(DbError::into_text)?;
    // The cheap questions first: a foreign file need not be read to its end.
    let migrations = ours(&connection)?;
    let damaged = |what: String| format!("is damaged ({what})");
    let found = texts(&connection, "pragma integrity_check(10)").map_err(damaged)?;
    if found != ["ok"] {
        return Err(damaged(found.into_iter().take(TOLD).collect::<Vec<_>>().join("; ")));
    }
    let lost =
        texts(&connection, "select distinct \"table\" from pragma_foreign_key_check").map_err(damaged)?;
    if !lost.is_empty() {
        return Err(format!("has rows in {} that refer to rows that are not there", lost.join(", ")));
    }
    let tables = count(&connection).map_err(damaged)?;
    Ok(Held { tables, bytes, migrations })
}

/// The migrations of a database of ours.
fn ours(connection: &Connection) -> Result<Vec<Applied>, String> {
    let migrations = migrate::status_through(connection).map_err(|error| match error {
        DbError::Unavailable(text) | DbError::Locked(text) | DbError::OutcomeUnknown(text) => {
            format!("cannot be read: {text}")
        }
        DbError::Fault(text) => format!("is no database of this program: {text}"),
    })?;
    match migrations.iter().any(|row| row.applied) {
        true => Ok(migrations),
        false => Err("is no database of this program: it has none of its tables".to_owned()),
    }
}

/// Every table but SQLite's own and the book of migrations.
fn count(connection: &Connection) -> Result<Vec<(String, u64)>, String> {
    let names = texts(
        connection,
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name",
    )?;
    let of = |name: String| {
        let text = format!("select count(*) from \"{}\"", name.replace('"', "\"\""));
        let rows = connection.query_row(&text, [], |row| row.get::<_, i64>(0)).map_err(|e| e.to_string())?;
        Ok((name, u64::try_from(rows).unwrap_or_default()))
    };
    names.into_iter().filter(|name| name != migrate::BOOK).map(of).collect()
}

fn texts(connection: &Connection, query: &str) -> Result<Vec<String>, String> {
    let read = || -> Result<Vec<String>, rusqlite::Error> {
        connection.prepare(query)?.query_map([], |row| row.get(0))?.collect()
    };
    read().map_err(|error| error.to_string())
}

/// A connection as the server has them: it takes in the log of a server that was killed.
fn open(path: &Path, busy: Duration) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| refused(&error))?;
    connection.busy_timeout(busy).map_err(|error| refused(&error))?;
    Ok(connection)
}

/// The names of the migrations that this program has.
fn known() -> Vec<String> {
    migrate::names_of(Engine::Sqlite)
}

/// The name with something at its end.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The file that a name leads to, through links; where there is none, the one that it would be.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(real) = absolute.canonicalize() {
        return real;
    }
    if let (Ok(folder), Some(name)) = (folder(&absolute).canonicalize(), absolute.file_name()) {
        return folder.join(name);
    }
    absolute
}

/// Refuses a name of the database itself, or of what SQLite has beside it: the newest rows are there.
fn refuse_own(database: &Path, path: &Path, cure: &str) -> Result<(), String> {
    let (own, other) = (real(database), real(path));
    if own == other {
        return Err(format!("{} is the database itself: {cure}", path.display()));
    }
    if BESIDE.iter().any(|end| beside(&own, end) == other) {
        return Err(format!("{} is a part of the database {}: {cure}", path.display(), database.display()));
    }
    Ok(())
}
