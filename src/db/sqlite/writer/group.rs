//! A group of writes that share one commit.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::{Error, ErrorCode};

use crate::db::{DbError, Row};
use crate::metrics::{Operation, Queue};

use super::super::connection::fails_writes;
use super::super::readers::log_slow;
use super::super::run::{self, Ran, Stopped};
use super::{BEGUN, COMMITTING, Desk, WAITING, Write};

type Rows = Vec<Vec<Row>>;

/// How one run through a group ended.
enum Ended {
    /// Every write has its answer.
    Answered,
    /// SQLite rolled the transaction back because of one write, which has its answer: the others run again.
    Again(Vec<Write>),
}

impl Desk {
    /// Runs a group to its commit and answers it.
    pub(super) fn group(&mut self, mut writes: Vec<Write>) {
        writes.retain(|write| {
            write.state.compare_exchange(WAITING, BEGUN, Ordering::AcqRel, Ordering::Acquire).is_ok()
        });
        let now = Instant::now();
        for write in &writes {
            self.counts.waited(Queue::SqliteWrite, now - write.queued);
        }
        let late = || DbError::unavailable("the writer was busy for too long");
        let mut writes = in_time(writes, late);
        while !writes.is_empty() {
            match self.try_group(writes) {
                Ended::Answered => return,
                Ended::Again(rest) => writes = rest,
            }
        }
    }

    fn try_group(&mut self, writes: Vec<Write>) -> Ended {
        if let Err(error) = self.begin(&writes) {
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) {
                self.fail(writes, &error);
                return Ended::Answered;
            }
            // Another process has the file. Who has come later has not waited for long enough yet.
            self.note(Some(&error));
            return Ended::Again(in_time(writes, || DbError::Unavailable(error.to_string())));
        }
        let alone = writes.len() == 1;
        let mut done: Vec<(Write, Rows)> = Vec::with_capacity(writes.len());
        let mut rest = writes.into_iter();
        while let Some(write) = rest.next() {
            match self.one(&write, alone) {
                // With a transaction of its own nothing of it is left to be committed.
                Ok(Ran::Undone(rows)) if alone => write.answer(Ok(rows)),
                // Undone, it has seen what the others did: it is true only once that is committed.
                Ok(Ran::Kept(rows) | Ran::Undone(rows)) => done.push((write, rows)),
                Err(Stopped::Refused(error)) if fails_writes(&error) => {
                    let all = done.into_iter().map(|(write, _)| write).chain([write]).chain(rest).collect();
                    self.fail(all, &error);
                    return Ended::Answered;
                }
                Err(stopped) => {
                    write.answer(Err(stopped.into()));
                    if self.connection.is_autocommit() {
                        return Ended::Again(done.into_iter().map(|(write, _)| write).chain(rest).collect());
                    }
                }
            }
        }
        self.commit(done);
        Ended::Answered
    }

    /// Begins the transaction; another process is waited for as long as the first of the writes has patience.
    fn begin(&self, writes: &[Write]) -> Result<(), Error> {
        let by = writes.iter().map(|write| write.by).min();
        let left = by.map_or(self.patience.acquire, |by| by.saturating_duration_since(Instant::now()));
        self.connection.busy_timeout(left.min(self.patience.acquire) + Duration::from_millis(1))?;
        self.connection.execute_batch("begin immediate")
    }

    /// Runs one write; what it did is undone when it fails or is judged so, and nothing else is.
    fn one(&self, write: &Write, alone: bool) -> Result<Ran, Stopped> {
        let begun = Instant::now();
        let _timed = self.counts.begin(Operation::SqliteWrite);
        self.limit.set(write.job.deadline.min(begun + self.patience.statement));
        let savepoint =
            |text: &str| self.connection.prepare_cached(text).and_then(|mut s| s.execute([])).map(|_| ());
        let steps = || run::steps(&self.connection, &write.job, &write.texts);
        let result = if alone {
            steps()
        } else {
            savepoint("savepoint one").map_err(Stopped::from).and_then(|()| steps())
        };
        self.limit.lift();
        log_slow(begun, &write.texts);
        if self.connection.is_autocommit() {
            // SQLite has ended the transaction, with everything in it.
            return result.and(Err(Error::InvalidQuery.into()));
        }
        let closing = match (alone, &result) {
            (true, Ok(Ran::Kept(_))) => Ok(()),
            (true, Ok(Ran::Undone(_)) | Err(_)) => self.connection.execute_batch("rollback"),
            (false, Ok(Ran::Kept(_))) => savepoint("release one"),
            (false, Ok(Ran::Undone(_)) | Err(_)) => {
                savepoint("rollback to one").and_then(|()| savepoint("release one"))
            }
        };
        if closing.is_err() && !self.connection.is_autocommit() {
            // Its traces cannot be told from the others' any more: the group starts over without it.
            self.connection.execute_batch("rollback")?;
        }
        result.and_then(|ran| closing.map(|()| ran).map_err(Stopped::from))
    }

    /// Commits, then answers: what is acknowledged is on the disk.
    fn commit(&self, done: Vec<(Write, Rows)>) {
        if self.connection.is_autocommit() {
            return;
        }
        for (write, _) in &done {
            write.state.store(COMMITTING, Ordering::Release);
        }
        let timed = self.counts.begin(Operation::SqliteCommit);
        let committed = self.connection.execute_batch("commit");
        drop(timed);
        match committed {
            Ok(()) => {
                let had_no_room = self.failed.get().is_some();
                if !done.is_empty() {
                    self.counts.committed(done.len());
                    self.note(None);
                    tracing::trace!(target: "creatorvault::db", writes = done.len(), "group committed");
                }
                for (write, rows) in done {
                    write.answer(Ok(rows));
                }
                if had_no_room {
                    self.empty_log();
                }
            }
            Err(error) => self.fail(done.into_iter().map(|(write, _)| write).collect(), &error),
        }
    }

    /// Nothing of the group was kept.
    fn fail(&self, writes: Vec<Write>, error: &Error) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("rollback")
        {
            tracing::error!(target: "creatorvault::db", error = %error, "rollback failed");
        }
        self.note(Some(error));
        for write in writes {
            write.answer(Err(DbError::Unavailable(error.to_string())));
        }
        if self.failed.get().is_some() {
            self.empty_log();
        }
    }
}

/// Those of the writes whose time to wait has not passed; the others are answered.
fn in_time(writes: Vec<Write>, late: impl Fn() -> DbError) -> Vec<Write> {
    let now = Instant::now();
    let (late_ones, writes) =
        writes.into_iter().partition::<Vec<_>, _>(|write| now >= write.job.deadline || now >= write.by);
    late_ones.into_iter().for_each(|write| write.answer(Err(late())));
    writes
}

impl Write {
    fn answer(self, answer: super::Answer) {
        // The caller may have gone.
        drop(self.answer.send(answer));
    }
}
