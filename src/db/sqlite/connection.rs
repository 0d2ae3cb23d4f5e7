//! Connections to a SQLite file, and what SQLite's errors mean.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};

use crate::db::DbError;

/// What a `file:` URI cannot hold as it is.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// Prepared statements kept on one connection.
const PREPARED: usize = 128;

/// Tries to switch a file to its write-ahead log while another process has it, 100 ms apart.
const TRIES: u32 = 50;

/// A connection that writes. The file and its folder are made when they are not there.
///
/// # Errors
/// One line with the cure.
pub(in crate::db) fn open_for_writing(path: &Path, busy: Duration) -> Result<Connection, String> {
    let cure = |what: &str| {
        let file = path.display();
        format!(
            "DATABASE_URL: the SQLite file {file} {what}; name a file in a folder that this user may write to"
        )
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| cure(&format!("has no folder ({error})")))?;
    }
    make_private(path).map_err(|error| cure(&format!("cannot be made ({error})")))?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    for _ in 0..TRIES {
        let before = identity(path);
        let connection =
            Connection::open_with_flags(path, flags).map_err(|e| cure(&format!("does not open ({e})")))?;
        let ready = set_up(&connection, busy);
        // Whatever became of the old file, a failure too, says nothing about the new one.
        if before == identity(path) {
            return match ready {
                Ok(()) => Ok(connection),
                Err(error) => Err(cure(&format!("cannot be used ({error})"))),
            };
        }
    }
    Err(cure("was replaced again and again while it was opened"))
}

/// Which file the name leads to: `restore` may put another one in its place while this process waits for the lock of
/// the old one.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// A new file is its owner's alone, and so are the log and the index that SQLite puts beside it: they hold every user's
/// rows. A file that is there keeps the rights it has.
fn make_private(path: &Path) -> std::io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn set_up(connection: &Connection, busy: Duration) -> Result<(), Error> {
    connection.busy_timeout(busy)?;
    let mode = write_ahead_log(connection)?;
    if mode != "wal" {
        let text = "its file system has no shared memory for a write-ahead log".to_owned();
        return Err(Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some(text),
        ));
    }
    // FULL syncs the log at every commit: an acknowledged write survives a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    shared_settings(connection)
}

/// Waits for another process that does the same: the busy timeout does not cover this switch.
fn write_ahead_log(connection: &Connection) -> Result<String, Error> {
    let mut tries = 0;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0)) {
            Err(error) if tries < TRIES && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(100));
            }
            other => return other.map(|mode| mode.to_ascii_lowercase()),
        }
    }
}

/// A connection that cannot write.
pub(in crate::db) fn open_for_reading(path: &Path, busy: Duration) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    shared_settings(&connection)?;
    Ok(connection)
}

/// A connection that leaves nothing behind, not even the files of a write-ahead log. The file must be there.
///
/// # Errors
/// [`DbError::Unavailable`] for a file whose log has to be taken in first, which writes.
pub(in crate::db) fn open_to_look(path: &Path, busy: Duration) -> Result<Connection, DbError> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        Path::new(&name).exists()
    };
    let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match (beside("-wal"), beside("-shm")) {
        // Nobody has the file open. An ordinary reader would make both files and, not allowed to write, leave them.
        (false, _) => {
            flags |= OpenFlags::SQLITE_OPEN_URI;
            let path = percent_encode(path.as_os_str().as_bytes(), IN_A_PATH);
            Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)
        }
        (true, true) => Connection::open_with_flags(path, flags),
        (true, false) => {
            let text =
                "its write-ahead log (-wal) has no index (-shm): the next start of the server takes it in";
            return Err(DbError::unavailable(text));
        }
    };
    let connection = opened.map_err(|error| refused(&error))?;
    connection.busy_timeout(busy).map_err(|error| refused(&error))?;
    Ok(connection)
}

fn shared_settings(connection: &Connection) -> Result<(), Error> {
    // In KiB: five connections with 2 MiB each stay small beside the process.
    connection.pragma_update(None, "cache_size", -2000)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(())
}

/// Sorts an error of a request's statement: without its tables the server is not ready, which is no fault.
pub(super) fn refused_request(error: &Error) -> DbError {
    match refused(error) {
        DbError::Fault(text) if lacks_tables(&text) => DbError::pending(&text),
        other => other,
    }
}

/// SQLite has no code for this, and its messages are in English alone.
fn lacks_tables(text: &str) -> bool {
    ["no such table", "no such column", "has no column named"].iter().any(|what| text.contains(what))
}

/// Sorts an error of SQLite. Its messages name columns and constraints, never values.
pub(in crate::db) fn refused(error: &Error) -> DbError {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => DbError::out_of_time(),
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SchemaChanged,
        ) => DbError::Unavailable(error.to_string()),
        _ if fails_writes(error) => DbError::Unavailable(error.to_string()),
        _ => DbError::Fault(error.to_string()),
    }
}

/// Whether it is the disk that refuses, not the statement.
pub(super) fn fails_writes(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen)
    )
}
