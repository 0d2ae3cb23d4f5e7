//! What a SQLite file says of itself, read without leaving a trace.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::db::DbError;
use crate::db::migrate::{self, Applied};
use crate::db::sqlite::connection::{open_to_look, refused};

/// How long another process may hold the file's lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a SQLite file says of itself.
#[derive(Debug)]
pub struct SqliteLook {
    /// The version of SQLite in this program.
    pub version: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// How long opening it and a first read took.
    pub took: Duration,
    /// Its migrations, or what is wrong with them.
    pub migrations: Result<Vec<Applied>, DbError>,
}

/// Looks at a SQLite file; `None` when there is none. It blocks.
///
/// # Errors
/// [`DbError::Unavailable`]: somebody has to let go of it, or take its log in, first. [`DbError::Fault`]: it cannot be
/// read, or is no database.
pub fn sqlite(path: &Path) -> Result<Option<SqliteLook>, DbError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DbError::Fault(error.to_string())),
    };
    if !metadata.is_file() {
        return Err(DbError::Fault("it is not a plain file".to_owned()));
    }
    // SQLite's own words would not say whose right is lacking.
    File::open(path).map_err(|error| DbError::Fault(error.to_string()))?;
    let started = Instant::now();
    let connection = open_to_look(path, PATIENCE)?;
    let text = "select sqlite_version() from (select count(*) from sqlite_schema)";
    let version = connection.query_row(text, [], |row| row.get(0)).map_err(|error| refused(&error))?;
    let took = started.elapsed();
    let migrations = migrate::status_through(&connection);
    Ok(Some(SqliteLook { version, bytes: metadata.len(), took, migrations }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A file with a write-ahead log, closed or still open.
    fn written(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        let sql = "pragma journal_mode = wal; create table tasks (id integer); insert into tasks values (1)";
        connection.execute_batch(sql).unwrap();
        connection
    }

    #[test]
    fn a_look_leaves_no_file_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd name?#%41.db");
        assert!(sqlite(&path).unwrap().is_none());
        assert!(files(folder.path()).is_empty());
        drop(written(&path));
        assert_eq!(files(folder.path()).len(), 1, "closed in the ordinary way");
        let look = sqlite(&path).unwrap().unwrap();
        assert!(look.version.starts_with("3.") && look.bytes > 0);
        assert_eq!(files(folder.path()).len(), 1);
    }

    #[test]
    fn what_only_the_log_of_a_running_server_holds_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.db");
        let open = written(&path);
        let before = files(folder.path());
        assert_eq!(before.len(), 3, "{before:?}");
        let look = sqlite(&path).unwrap().unwrap();
        let Err(DbError::Fault(text)) = look.migrations else { panic!("{look:?}") };
        assert!(text.starts_with("the table tasks is there already"), "{text}");
        assert_eq!(files(folder.path()), before);
        drop(open);
    }

    #[test]
    fn a_log_without_its_index_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.db");
        let copy = folder.path().join("copy.db");
        let open = written(&path);
        fs::copy(&path, &copy).unwrap();
        fs::copy(folder.path().join("rows.db-wal"), folder.path().join("copy.db-wal")).unwrap();
        let before = files(folder.path());
        assert!(matches!(sqlite(&copy), Err(DbError::Unavailable(_))));
        assert_eq!(files(folder.path()), before);
        drop(open);
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.db");
        fs::write(&path, "canary ".repeat(500)).unwrap();
        let Err(DbError::Fault(text)) = sqlite(&path) else { panic!("taken") };
        assert!(text.contains("not a database") && !text.contains("canary"), "{text}");
        assert!(sqlite(folder.path()).is_err(), "a folder");
    }
}
