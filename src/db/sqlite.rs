//! Embedded SQLite: one thread that writes and groups commits, a few that read.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::config::database::DatabaseConfig;
use crate::metrics;

use super::job::Job;
use super::text::Texts;
use super::{DbError, Engine, Row};

pub(super) mod connection;
mod limit;
mod readers;
pub(super) mod run;
mod writer;

use readers::Readers;
use writer::Writer;

/// A SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    texts: Texts,
    writer: Writer,
    readers: Readers,
    threads: Mutex<Vec<JoinHandle<()>>>,
    acquire_timeout: Duration,
}

/// How long statements may wait for their turn, and run.
#[derive(Debug, Clone, Copy)]
struct Patience {
    acquire: Duration,
    statement: Duration,
}

impl Sqlite {
    pub(super) async fn open(
        config: &DatabaseConfig,
        path: &Path,
        counts: Arc<metrics::Database>,
    ) -> Result<Self, String> {
        let patience = Patience { acquire: config.acquire_timeout, statement: config.statement_timeout };
        let (writer, thread) = Writer::open(path, patience, counts.clone()).await?;
        let (readers, mut threads) = Readers::open(path, patience, &counts)?;
        threads.push(thread);
        Ok(Self {
            texts: Texts::new(Engine::Sqlite, &config.schema),
            writer,
            readers,
            threads: Mutex::new(threads),
            acquire_timeout: config.acquire_timeout,
        })
    }

    /// What waits now.
    pub(super) fn load(&self) -> metrics::Waiting {
        let (steady, fresh) = self.readers.waiting();
        metrics::Waiting { steady, fresh, writes: self.writer.waiting() }
    }

    pub(super) async fn read(&self, job: Job) -> Result<Vec<Vec<Row>>, DbError> {
        let texts = self.texts(&job);
        self.readers.read(job, texts).await
    }

    pub(super) async fn write(&self, job: Job) -> Result<Vec<Vec<Row>>, DbError> {
        job.check()?;
        let texts = self.texts(&job);
        self.writer.write(job, texts).await
    }

    fn texts(&self, job: &Job) -> Vec<Arc<str>> {
        job.steps.iter().map(|step| self.texts.translate(&step.statement.sql)).collect()
    }

    /// Sees that the threads live, and reads from the file; when the last write failed, also tries a small one.
    pub(super) async fn ping(&self, deadline: Instant) -> Result<(), DbError> {
        if self.threads().iter().any(JoinHandle::is_finished) {
            return Err(DbError::unavailable("a database thread has ended"));
        }
        self.readers.ping(deadline.min(Instant::now() + self.acquire_timeout)).await?;
        if self.writer.is_failing() { self.writer.probe(deadline).await } else { Ok(()) }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the readers, lets the writer finish what is queued and write its log back, and waits for all of them.
    pub(super) async fn close(&self) {
        self.readers.stop();
        self.writer.stop();
        let threads = std::mem::take(&mut *self.threads());
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        if joined.await.is_err() {
            tracing::warn!(target: "creatorvault::db", "a database thread did not end well");
        }
    }
}

#[cfg(test)]
mod tests;
