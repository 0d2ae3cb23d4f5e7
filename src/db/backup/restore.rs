//! A copy put in the place of a database file.
//!
//! The order matters. A log (`-wal`) that is left beside the new file would be played onto it and destroy it, so the old
//! file takes in its own log first, or keeps it, aside. A server that starts meanwhile must not get hold of the old file
//! under the new one's name, so the old one is locked, as SQLite locks, until the new one has the name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;
use rustix::fs::{FlockOperation, fcntl_lock};

use super::part::{BESIDE, Part, folder, on_its_way, sync_folder};
use super::{Held, beside, count, examine, known, open, real, refuse_own};
use crate::db::DbError;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What is there now.
    pub held: Held,
    /// Where the old file is, if it held anything.
    pub aside: Option<PathBuf>,
}

/// What stands in the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Old {
    /// Tables without rows, or nothing at all.
    Empty,
    Rows,
    /// No database, or no longer one.
    Damaged,
}

/// Puts a copy of `from` in the place of the database file. A database that has rows is replaced only where `replace` says
/// so, and is then kept under its name with `.before-restore-` and `moment` at its end. It blocks.
///
/// # Errors
/// One line with the cure. The old file is still in its place, unless the line says that the backup is.
pub fn restore(from: &Path, database: &Path, replace: bool, moment: &str) -> Result<Restored, String> {
    refuse_own(database, from, "name a backup")?;
    let database = place(database)?;
    let passing = beside(&database, ".restore");
    if real(from) == on_its_way(&passing) {
        return Err(format!("{} is what a restore that was killed has left: name a backup", from.display()));
    }
    // What is quickly said comes before the long copy; it is asked again at the end.
    refuse(&database, look(&database)?, replace)?;
    let mut part = Part::begin(&passing).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            format!("another restore of {} is under way: wait for it", database.display())
        }
        _ => unwritten(&database, &error),
    })?;
    fill(from, &mut part, &database)?;
    let held = examine(part.path()).map_err(|text| refused_copy(from, &text))?;
    refuse_newer(from, &held)?;
    make_place(&database, moment)?;
    let aside = replace_old(part, &database, replace, moment)?;
    Ok(Restored { held, aside })
}

/// The file itself, where the name is a link; its folder is made.
fn place(database: &Path) -> Result<PathBuf, String> {
    let absolute = std::path::absolute(database).map_err(|error| unwritten(database, &error))?;
    fs::create_dir_all(folder(&absolute)).map_err(|error| unwritten(&absolute, &error))?;
    match absolute.canonicalize() {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(absolute),
        Err(error) => Err(unwritten(&absolute, &error)),
    }
}

/// Copies the bytes; what is looked over afterwards is the copy, which nobody else writes to.
fn fill(from: &Path, part: &mut Part, database: &Path) -> Result<(), String> {
    refuse_logged(from)?;
    let mut source = File::open(from)
        .map_err(|error| format!("{} cannot be read: {error}; nothing was changed", from.display()))?;
    if !source.metadata().is_ok_and(|found| found.is_file()) {
        return Err(format!("{} is not a plain file; nothing was changed", from.display()));
    }
    io::copy(&mut source, part.file()).map_err(|error| unwritten(database, &error))?;
    // Run by root, say, for a server that is not: the file is to be the server's.
    let owner = fs::metadata(database).or_else(|_| fs::metadata(folder(database)));
    give(part.file(), &owner.map_err(|error| unwritten(database, &error))?);
    Ok(())
}

/// A file that goes on in a log is a database, and a log that is not the file's own would destroy it: only its owner knows.
fn refuse_logged(from: &Path) -> Result<(), String> {
    let from = &real(from);
    let log = ["-wal", "-journal"]
        .map(|end| beside(from, end))
        .into_iter()
        .find(|log| fs::metadata(log).is_ok_and(|found| found.len() > 0));
    let Some(log) = log else {
        return Ok(());
    };
    let (from, log) = (from.display(), log.display());
    Err(format!(
        "{from} has a log beside it ({log}); nothing was changed: if {from} was made by creatorvault backup, the log is \
         another file's, so move it away and do not open {from} before; if it is a database, make a backup of it with \
         DATABASE_URL=sqlite://{from} creatorvault backup FILE"
    ))
}

/// Gives a file the owner of another one. Who is not root may not give files away, and then the server runs as the same
/// user or not at all.
fn give(file: &File, like: &fs::Metadata) {
    if file.metadata().is_ok_and(|own| (own.uid(), own.gid()) != (like.uid(), like.gid())) {
        drop(fchown(file, Some(like.uid()), Some(like.gid())));
    }
}

fn refuse_newer(from: &Path, held: &Held) -> Result<(), String> {
    let known = known();
    match held.migrations.iter().find(|row| !known.contains(&row.name)) {
        None => Ok(()),
        Some(row) => Err(refused_copy(
            from,
            &format!(
                "has the migration {}, which this version does not know: run the newest version",
                row.name
            ),
        )),
    }
}

/// Has a file stand in the place, so that its lock can be taken. An empty one, where there was none, is an empty database;
/// it stays when the rest fails, because a server may have begun to use it.
fn make_place(database: &Path, moment: &str) -> Result<(), String> {
    if !database.exists() {
        // The log of a file that was taken away must not be played onto the new one.
        put_aside(database, &aside(database, moment)).map_err(|error| unwritten(database, &error))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(database) {
        Ok(made) => {
            let owner = fs::metadata(folder(database)).map_err(|error| unwritten(database, &error))?;
            give(&made, &owner);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unwritten(database, &error)),
    }
}

fn replace_old(part: Part, database: &Path, replace: bool, moment: &str) -> Result<Option<PathBuf>, String> {
    let failed = |error: io::Error| unwritten(database, &error);
    let old = settle(database, replace)?;
    let file = OpenOptions::new().read(true).write(true).open(database).map_err(failed)?;
    // All of the file, so every byte that SQLite locks: nobody has it open, and who opens it now waits.
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| runs(database))?;
    let aside = aside(database, moment);
    // Beside a sound file there is nothing any more.
    put_aside(database, &aside).map_err(failed)?;
    let keeps = old != Old::Empty;
    if keeps {
        fs::hard_link(database, &aside).or_else(|_| copy_aside(&file, &aside)).map_err(failed)?;
    }
    sync_folder(database).map_err(failed)?;
    part.place(database).map_err(failed)?.map_err(|error| unsynced(database, &error))?;
    drop(file);
    Ok(keeps.then_some(aside))
}

/// For a file system without links. It reads through the file that is locked: closing another descriptor of it would end
/// the lock.
fn copy_aside(mut file: &File, aside: &Path) -> io::Result<()> {
    let old = file.metadata()?;
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(aside)?;
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut file, &mut copy)?;
    give(&copy, &old);
    copy.set_permissions(old.permissions())?;
    copy.sync_all()
}

fn aside(database: &Path, moment: &str) -> PathBuf {
    beside(database, &format!(".before-restore-{moment}"))
}

/// Gives the logs of a file the names that fit its new one.
fn put_aside(database: &Path, aside: &Path) -> io::Result<()> {
    for end in BESIDE {
        match fs::rename(beside(database, end), beside(aside, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Has the old file take in its log, where it is a sound one, and leave nothing beside it.
fn settle(database: &Path, replace: bool) -> Result<Old, String> {
    let old = look(database)?;
    refuse(database, old, replace)?;
    if old == Old::Damaged {
        return Ok(old);
    }
    let settled = open(database, Duration::ZERO).and_then(|connection| {
        let mode = connection.query_row("pragma journal_mode = delete", [], |row| row.get::<_, String>(0));
        mode.map(drop).map_err(|error| crate::db::sqlite::connection::refused(&error))
    });
    match settled {
        Ok(()) => Ok(old),
        Err(DbError::Unavailable(text)) if text.contains("locked") => Err(runs(database)),
        Err(error) => Err(unwritten(database, &io::Error::other(error.into_text()))),
    }
}

/// What stands there, if nobody has it open.
fn look(database: &Path) -> Result<Old, String> {
    if !database.exists() {
        return Ok(Old::Empty);
    }
    let asked = || -> Result<Vec<(String, u64)>, Option<ErrorCode>> {
        let code = |error: rusqlite::Error| error.sqlite_error_code();
        let connection = open(database, Duration::ZERO).map_err(|error| match error {
            DbError::Unavailable(_) => Some(ErrorCode::CannotOpen),
            DbError::Fault(_) | DbError::Locked(_) | DbError::OutcomeUnknown(_) => None,
        })?;
        // With this, SQLite wants the file for itself at the first read.
        connection.pragma_update(None, "locking_mode", "exclusive").map_err(code)?;
        connection.execute_batch("begin exclusive").map_err(code)?;
        count(&connection).map_err(|_| Some(ErrorCode::DatabaseCorrupt))
    };
    match asked() {
        Ok(tables) if tables.iter().all(|(_, rows)| *rows == 0) => Ok(Old::Empty),
        Ok(_) => Ok(Old::Rows),
        Err(Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => Err(runs(database)),
        Err(Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) => Ok(Old::Damaged),
        Err(_) => Err(unwritten(database, &io::Error::other("SQLite cannot open it for writing"))),
    }
}

fn refuse(database: &Path, old: Old, replace: bool) -> Result<(), String> {
    if replace {
        return Ok(());
    }
    let what = match old {
        Old::Empty => return Ok(()),
        Old::Rows => "has rows already",
        Old::Damaged => "is damaged, or no database",
    };
    Err(format!(
        "{} {what}; nothing was changed: replace it with --force (it is kept aside), or name another file in DATABASE_URL",
        database.display()
    ))
}

fn refused_copy(from: &Path, text: &str) -> String {
    format!("{} {text}; nothing was changed", from.display())
}

fn runs(database: &Path) -> String {
    format!("another process has {} open; nothing was changed: stop the server first", database.display())
}

fn unsynced(database: &Path, error: &io::Error) -> String {
    format!(
        "the backup is in its place, but the folder of {} cannot be synced: {error}: see to the disk before you start the server",
        database.display()
    )
}

fn unwritten(database: &Path, reason: &dyn std::fmt::Display) -> String {
    format!(
        "{} cannot be written: {reason}; nothing was changed: see that this user may write there and that the disk has room",
        database.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_aside_does_not_end_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (database, aside) = (folder.path().join("x.db"), folder.path().join("aside.db"));
        fs::write(&database, "rows").unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&database).unwrap();
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        let own = format!(" {} ", std::process::id());
        let is_locked = || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|lock| {
                lock.contains("POSIX")
                    && lock.contains("WRITE")
                    && lock.contains(&own)
                    && lock.ends_with(" 0 EOF")
            })
        };
        assert!(is_locked());
        copy_aside(&file, &aside).unwrap();
        assert!(is_locked());
        assert_eq!(fs::read(&aside).unwrap(), b"rows");
        // What would have gone wrong: any other descriptor of the file that is closed takes the lock along.
        drop(File::open(&database).unwrap());
        assert!(!is_locked());
        assert!(copy_aside(&file, &aside).is_err(), "never over what was kept before");
    }

    /// Says something where root runs it; for everybody else a new file is theirs, and so is the folder.
    #[test]
    fn an_empty_file_in_the_place_belongs_to_the_folders_owner() {
        let folder = tempfile::tempdir().unwrap();
        drop(std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)));
        let database = folder.path().join("x.db");
        make_place(&database, "then").unwrap();
        let (made, folder) = (fs::metadata(&database).unwrap(), fs::metadata(folder.path()).unwrap());
        assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (folder.uid(), folder.gid(), 0o600));
    }
}
