//! `--users`: what each user's rows come to, a line of JSON for each user and table, written as it is found out.

use std::fs::File;
use std::io::{BufWriter, Error, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::Failure;

/// How a list of ours begins.
const BEGIN: &[u8] = b"{\"user\":";

/// The list under way.
#[derive(Debug)]
pub(super) struct Users {
    path: PathBuf,
    file: BufWriter<File>,
}

/// A line: a user's rows of one table in the source.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    pub(super) user: &'a str,
    pub(super) table: &'static str,
    pub(super) rows: u64,
    /// SHA-256 in hex.
    pub(super) sha256: &'a str,
}

impl Users {
    /// Makes the file, or empties the list that an earlier run has made. Another file is left alone: a database, say,
    /// whose name was meant for another option.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        if path.is_file() && !is_ours(path).map_err(|error| unwritten(path, &error))? {
            return Err(Failure::from(format!(
                "--users: {} is there already and is no list of users; nothing was copied: name another file",
                path.display()
            )));
        }
        let file = File::create(path).map_err(|error| unwritten(path, &error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    pub(super) fn add(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(Error::from);
        written.and_then(|()| self.file.write_all(b"\n")).map_err(|error| unwritten(&self.path, &error))
    }

    /// Writes what is still in memory.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| unwritten(&self.path, &error))
    }
}

fn is_ours(path: &Path) -> Result<bool, Error> {
    let mut begin = Vec::new();
    File::open(path)?.take(BEGIN.len() as u64).read_to_end(&mut begin)?;
    Ok(begin.is_empty() || begin == BEGIN)
}

/// It is written before the commit.
fn unwritten(path: &Path, error: &Error) -> Failure {
    let path = path.display();
    Failure::from(format!(
        "--users: {path} cannot be written: {error}; nothing was copied: name another file"
    ))
}
