//! A copy of a file that a server may be writing to.
//!
//! `vacuum into` rather than SQLite's backup interface: it reads one snapshot, while the server goes on writing to its
//! log, where a stepwise backup begins again at every write of another process and may never end under load. It writes
//! only rows: what was deleted, an erased user's texts, is in no free page of the copy. And it reads every row, so that a
//! damaged file is seen here and not when the copy is needed.

use std::fs;
use std::io;
use std::path::Path;

use super::part::{BESIDE, Part, on_its_way};
use super::{Held, PATIENCE, beside, examine, open, ours, real, refuse_own};

/// Copies the database file to `to`, which holds everything that was acknowledged before and is complete as soon as it
/// has its name; an older file of that name is replaced only where `replace` says so. It blocks.
///
/// # Errors
/// One line with the cure; what had the name before is still there.
pub fn make(database: &Path, to: &Path, replace: bool) -> Result<Held, String> {
    refuse_own(database, to, "name another file")?;
    // A link stays one, and what it leads to is replaced.
    let to = real(to);
    may_be_made(&to, replace)?;
    refuse_own(database, &on_its_way(&to), "name another file, since that one is written first")?;
    let source = database.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no SQLite file {}: name the server's in DATABASE_URL", database.display())
        }
        _ => format!("{} cannot be read: {error}", database.display()),
    })?;
    let part = Part::begin(&to).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            format!("another backup is being written to {}: wait for it", to.display())
        }
        _ => unwritten(&to, &error.to_string()),
    })?;
    copy(&source, part.path()).map_err(|trouble| match trouble {
        Trouble::Source(text) => format!("{} {text}; no backup was made", source.display()),
        Trouble::Target(text) => unwritten(&to, &text),
    })?;
    let held = examine(part.path()).map_err(|text| {
        format!(
            "the copy of {} {text}; no backup was made: see to the disk, and keep the last good one",
            source.display()
        )
    })?;
    may_be_made(&to, replace)?;
    let failed = |error: std::io::Error| unwritten(&to, &error.to_string());
    part.place(&to).map_err(failed)?.map_err(failed)?;
    Ok(held)
}

fn may_be_made(to: &Path, replace: bool) -> Result<(), String> {
    let name = to.display();
    match fs::symlink_metadata(to) {
        Ok(found) if found.is_dir() => Err(format!("{name} is a folder: name a file in it")),
        Ok(_) if !replace => {
            Err(format!("{name} is there already: name another file, or replace it with --force"))
        }
        Ok(found) if !found.is_file() => Err(format!("{name} is no plain file: name another one")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritten(to, &error.to_string())),
        Ok(_) | Err(_) => has_nothing_beside(to),
    }
}

/// SQLite would play another file's log onto the backup as soon as somebody opens it.
fn has_nothing_beside(to: &Path) -> Result<(), String> {
    match BESIDE.iter().map(|end| beside(to, end)).find(|path| fs::symlink_metadata(path).is_ok()) {
        None => Ok(()),
        Some(found) => Err(format!(
            "{} is there: a database {} is in use, or was not closed; no backup was made: name another file",
            found.display(),
            to.display()
        )),
    }
}

fn unwritten(to: &Path, reason: &str) -> String {
    format!(
        "{} cannot be written: {reason}; no backup was made: name a file in a folder that is there, that this user may \
         write to and that has room",
        to.display()
    )
}

enum Trouble {
    Source(String),
    Target(String),
}

fn copy(source: &Path, part: &Path) -> Result<(), Trouble> {
    let unread = |text: String| Trouble::Source(format!("cannot be read: {text}"));
    let connection = open(source, PATIENCE).map_err(|error| unread(error.into_text()))?;
    ours(&connection).map_err(Trouble::Source)?;
    let Some(name) = part.to_str() else {
        return Err(Trouble::Target("SQLite takes a name in UTF-8 only".to_owned()));
    };
    match connection.execute("vacuum into ?1", [name]) {
        Ok(_) => Ok(()),
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Err(Trouble::Source(format!(
                    "is damaged ({error}): put the last good backup in its place with restore"
                )))
            }
            Some(rusqlite::ErrorCode::DatabaseBusy) => Err(unread(error.to_string())),
            _ => Err(Trouble::Target(error.to_string())),
        },
    }
}
