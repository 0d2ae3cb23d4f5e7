//! The one thread that writes. Commits share their sync: it takes what has queued up, runs each write in a savepoint
//! of its own, and answers all of them only after the commit of their group.

use std::cell::Cell;
use std::convert::Infallible as Never;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use rusqlite::{Connection, Error, ErrorCode};
use tokio::sync::oneshot;

use crate::db::job::Job;
use crate::db::share::{Place, Shares};
use crate::db::{DbError, Row};
use crate::metrics;

use super::Patience;
use super::connection::{open_for_writing, refused};
use super::limit::Limit;
use super::readers::STACK;

mod group;

/// Writes that may wait; more are refused at once.
const QUEUE: usize = 4096;

/// Writes of one user that may wait; more are refused at once.
const SHARE: usize = 512;

/// Writes that share a commit.
const GROUP: usize = 128;

/// How much longer than its deadline a write that has begun is waited for.
const SETTLE: Duration = Duration::from_secs(2);

/// The states of a queued write.
const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const COMMITTING: u8 = 2;
const GIVEN_UP: u8 = 3;

type Answer = Result<Vec<Vec<Row>>, DbError>;

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Sender<Task>,
    /// Taken away when the thread shall end.
    open: Mutex<Option<Sender<Never>>>,
    failing: Arc<AtomicBool>,
    shares: Arc<Shares>,
    patience: Patience,
}

#[derive(Debug)]
enum Task {
    Write(Write),
    /// A small write that changes nothing, to see whether writing works.
    Probe(oneshot::Sender<Result<(), DbError>>),
}

/// What the thread takes its tasks from.
#[derive(Debug)]
struct Inbox {
    tasks: Receiver<Task>,
    closing: Receiver<Never>,
}

impl Inbox {
    /// The next task; none when the thread shall end and nothing is left.
    fn next(&self) -> Option<Task> {
        select! {
            recv(self.tasks) -> task => task.ok(),
            recv(self.closing) -> _ => self.tasks.try_recv().ok(),
        }
    }
}

/// A write in the queue.
#[derive(Debug)]
struct Write {
    job: Job,
    texts: Vec<Arc<str>>,
    queued: Instant,
    /// Until when it may wait for its turn, and for another process that has the file.
    by: Instant,
    state: Arc<AtomicU8>,
    answer: oneshot::Sender<Answer>,
    /// Goes with it, so that one user's writes never fill the queue, not even those that nobody waits for any more.
    _place: Option<Place>,
}

/// The thread's own side.
struct Desk {
    path: PathBuf,
    connection: Connection,
    limit: Limit,
    patience: Patience,
    /// Whether the last write failed for the disk's sake.
    failing: Arc<AtomicBool>,
    /// When the last write failed for want of room, or because the disk did.
    failed: Cell<Option<Instant>>,
    counts: Arc<metrics::Database>,
}

/// For so long after a failed write a small one proves nothing: a nearly full disk takes that, and not the next real one.
const PROVES_NOTHING: Duration = Duration::from_secs(10);

/// After how many pages the log is written back once the disk has had no room; SQLite's own number is 1000, 4 MB.
const SHORT_LOG: i64 = 100;

impl Writer {
    /// Opens the file and starts the thread.
    pub(super) async fn open(
        path: &Path,
        patience: Patience,
        counts: Arc<metrics::Database>,
    ) -> Result<(Self, JoinHandle<()>), String> {
        let (queue, tasks) = bounded(QUEUE);
        let (open, closing) = bounded(0);
        let inbox = Inbox { tasks, closing };
        let (opened, opening) = oneshot::channel();
        let failing = Arc::new(AtomicBool::new(false));
        let (path, own) = (path.to_owned(), failing.clone());
        let run = move || match Desk::open(&path, patience, own, counts) {
            Ok(desk) => {
                drop(opened.send(Ok(())));
                desk.run(&inbox);
            }
            Err(text) => drop(opened.send(Err(text))),
        };
        let thread = std::thread::Builder::new().name("db-write".to_owned()).stack_size(STACK).spawn(run);
        let thread = thread.map_err(|error| format!("no thread for the database: {error}"))?;
        opening.await.unwrap_or_else(|_| Err("the database's thread ended".to_owned()))?;
        let shares = Shares::new(SHARE, 0);
        Ok((Self { queue, open: Mutex::new(Some(open)), failing, shares, patience }, thread))
    }

    pub(super) async fn write(&self, job: Job, texts: Vec<Arc<str>>) -> Answer {
        let (answer, mut answered) = oneshot::channel();
        let (deadline, by, state) =
            (job.deadline, job.acquire_by(self.patience.acquire), Arc::new(AtomicU8::new(WAITING)));
        let place = self.shares.place_for(&job.owner, by).await?;
        let (queued, own) = (Instant::now(), state.clone());
        self.send(Task::Write(Write { job, texts, queued, by, state: own, answer, _place: place }))?;
        let ended = |_| match state.load(Ordering::Acquire) {
            COMMITTING => Err(DbError::OutcomeUnknown("the writer ended while it committed".to_owned())),
            _ => Err(DbError::unavailable("the writer ended before it committed")),
        };
        if let Ok(answer) = tokio::time::timeout_at(deadline.into(), &mut answered).await {
            return answer.unwrap_or_else(ended);
        }
        if state.compare_exchange(WAITING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return Err(DbError::unavailable("the writer was busy until the deadline"));
        }
        // It has begun, so its outcome counts.
        match tokio::time::timeout(SETTLE, answered).await {
            Ok(answer) => answer.unwrap_or_else(ended),
            Err(_) => Err(DbError::OutcomeUnknown("the disk did not answer in time".to_owned())),
        }
    }

    /// How many writes wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether the last write failed for the disk's sake.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Tries a small write.
    pub(super) async fn probe(&self, deadline: Instant) -> Result<(), DbError> {
        let (answer, answered) = oneshot::channel();
        self.send(Task::Probe(answer))?;
        match tokio::time::timeout_at(deadline.into(), answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(DbError::closed())),
            Err(_) => Err(DbError::out_of_time()),
        }
    }

    /// Ends the thread after what is queued before.
    pub(super) fn stop(&self) {
        drop(self.open.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn send(&self, task: Task) -> Result<(), DbError> {
        self.queue.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => DbError::unavailable("too many writes are waiting"),
            TrySendError::Disconnected(_) => DbError::closed(),
        })
    }
}

impl Desk {
    fn open(
        path: &Path,
        patience: Patience,
        failing: Arc<AtomicBool>,
        counts: Arc<metrics::Database>,
    ) -> Result<Self, String> {
        let mut connection = open_for_writing(path, patience.acquire)?;
        let limit = Limit::on(&mut connection).map_err(|error| error.to_string())?;
        Ok(Self {
            path: path.to_owned(),
            connection,
            limit,
            patience,
            failing,
            failed: Cell::new(None),
            counts,
        })
    }

    fn run(mut self, inbox: &Inbox) {
        let mut next = inbox.next();
        while let Some(task) = next.take() {
            match task {
                Task::Write(first) => {
                    let mut group = vec![first];
                    while group.len() < GROUP && next.is_none() {
                        match inbox.tasks.try_recv() {
                            Ok(Task::Write(write)) => group.push(write),
                            Ok(other) => next = Some(other),
                            Err(_) => break,
                        }
                    }
                    self.guarded(|desk| desk.group(group));
                }
                Task::Probe(answer) => self.guarded(|desk| drop(answer.send(desk.probe()))),
            }
            next = next.or_else(|| inbox.next());
        }
        self.checkpoint();
    }

    /// Outlives a panic in its work, with a new connection. Whoever waits learns from the state of the write how far it
    /// had got: what had not begun to commit never will.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_ok() {
            return;
        }
        tracing::error!(target: "creatorvault::db", "the writer panicked and goes on with a new connection");
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("rollback")
        {
            tracing::error!(target: "creatorvault::db", error = %error, "rollback failed");
        }
        match Self::open(&self.path, self.patience, self.failing.clone(), self.counts.clone()) {
            Ok(desk) => *self = desk,
            Err(error) => {
                tracing::error!(target: "creatorvault::db", error, "no new connection");
                self.limit.lift();
            }
        }
    }

    /// Writes the version number that the file has already: one page of the log, and nothing changed.
    fn probe(&mut self) -> Result<(), DbError> {
        if self.failed.get().is_some_and(|failed| failed.elapsed() < PROVES_NOTHING) {
            return Err(DbError::unavailable("a write failed a moment ago"));
        }
        let probe = |connection: &mut Connection| {
            let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            connection.pragma_update(None, "user_version", version)
        };
        let probed = probe(&mut self.connection);
        self.note(probed.as_ref().err());
        probed.map_err(|error| refused(&error))
    }

    /// Remembers whether writing works.
    fn note(&self, error: Option<&Error>) {
        let failing = error.is_some();
        // A file that another process held is free as soon as a small write succeeds.
        let no_room = error.is_some_and(|error| {
            matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
        });
        self.failed.set(no_room.then(Instant::now));
        if self.failing.swap(failing, Ordering::Relaxed) != failing {
            match error {
                Some(error) => tracing::error!(target: "creatorvault::db", error = %error, "writes fail"),
                None => tracing::info!(target: "creatorvault::db", "writes succeed again"),
            }
        }
    }

    /// Empties the log after the disk had no room: at once, and once more as soon as a write finds room again. A log that
    /// has taken nearly all the room would otherwise stay just short of the length at which SQLite does this by itself,
    /// and no write would ever have room; from now on it does so much earlier. Readers are hardly waited for; the next
    /// failure tries again.
    fn empty_log(&self) {
        let emptied = self
            .connection
            .busy_timeout(Duration::from_millis(100))
            .and_then(|()| self.connection.pragma_update(None, "wal_autocheckpoint", SHORT_LOG))
            .and_then(|()| self.connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())));
        if let Err(error) = emptied {
            tracing::debug!(target: "creatorvault::db", error = %error, "no room to write the log back either");
        }
        if let Err(error) = self.connection.busy_timeout(self.patience.acquire) {
            tracing::warn!(target: "creatorvault::db", error = %error, "the busy timeout stays short");
        }
    }

    /// Writes the log back into the file, as far as other processes let it.
    fn checkpoint(&self) {
        let done =
            self.connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get::<_, i64>(0));
        match done {
            Ok(0) => tracing::debug!(target: "creatorvault::db", "log written back"),
            Ok(_) => {
                tracing::info!(target: "creatorvault::db", "log not written back: another process reads the file");
            }
            Err(error) => tracing::warn!(target: "creatorvault::db", error = %error, "log not written back"),
        }
    }
}

#[cfg(test)]
mod tests;
