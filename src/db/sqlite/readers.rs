//! Threads that read, each with a connection of its own: a long statement is never on an async worker. Reads that may
//! be slow have a queue of their own, and one thread takes none of them: a few searches hold up nobody's rows. Of the
//! other threads one user's slow reads have half, so they hold up nobody else's either.

use std::convert::Infallible as Never;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, never, select};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::db::job::Job;
use crate::db::share::{Place, Shares};
use crate::db::{DbError, Plan, Row, Statement};
use crate::metrics::{self, Operation, Queue};

use super::Patience;
use super::connection::open_for_reading;
use super::limit::Limit;
use super::run::{self, Ran};

/// Reads that may wait in each queue; more are refused at once.
const QUEUE: usize = 4096;

/// Of so many threads that take slow reads one user may have one.
const PART: usize = 2;

/// Slow reads of one user that may wait for the user's own threads; more are refused at once.
const WAITING: usize = 256;

/// The stack of a database thread; SQLite needs some tens of KiB.
pub(super) const STACK: usize = 512 << 10;

/// Statements slower than this are logged.
pub(super) const SLOW: Duration = Duration::from_millis(500);

type Answer = Result<Vec<Vec<Row>>, DbError>;

/// The way to the readers.
#[derive(Debug)]
pub(super) struct Readers {
    steady: Sender<Read>,
    fresh: Sender<Read>,
    /// What each user may have of the threads that take from `fresh`.
    shares: Arc<Shares>,
    patience: Patience,
    /// Taken away when the threads shall end.
    open: Mutex<Option<Sender<Never>>>,
}

/// A read in a queue.
#[derive(Debug)]
struct Read {
    job: Job,
    texts: Vec<Arc<str>>,
    queued: Instant,
    /// Until when it may wait for its turn.
    by: Instant,
    /// Goes with it: a thread is busy with it even when nobody waits for the answer any more.
    place: Option<Place>,
    answer: oneshot::Sender<Answer>,
}

/// What a thread takes reads from.
#[derive(Debug, Clone)]
struct Queues {
    steady: Receiver<Read>,
    fresh: Receiver<Read>,
    closing: Receiver<Never>,
}

impl Queues {
    /// The next read; none when the threads shall end and nothing is left.
    fn next(&self) -> Option<Read> {
        select! {
            recv(self.steady) -> read => read.ok(),
            recv(self.fresh) -> read => read.ok(),
            recv(self.closing) -> _ => self.steady.try_recv().or_else(|_| self.fresh.try_recv()).ok(),
        }
    }
}

/// One thread's connection, made when it is first needed.
struct Reader {
    path: PathBuf,
    patience: Patience,
    connection: Option<(Connection, Limit)>,
    counts: Arc<metrics::Database>,
}

impl Readers {
    /// Starts as many threads as there are cores, two at least and four at most, and one more for steady reads alone.
    pub(super) fn open(
        path: &Path,
        patience: Patience,
        counts: &Arc<metrics::Database>,
    ) -> Result<(Self, Vec<JoinHandle<()>>), String> {
        let count = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
        let ((steady, steadies), (fresh, freshes)) = (bounded(QUEUE), bounded(QUEUE));
        let (open, closing) = bounded(0);
        let all = Queues { steady: steadies, fresh: freshes, closing };
        let threads = (0..=count).map(|i| {
            let reader = Reader { path: path.to_owned(), patience, connection: None, counts: counts.clone() };
            let mut queues = all.clone();
            if i == count {
                queues.fresh = never();
            }
            let thread = std::thread::Builder::new().name(format!("db-read-{i}")).stack_size(STACK);
            thread
                .spawn(move || reader.run(&queues))
                .map_err(|error| format!("no thread for the database: {error}"))
        });
        let threads = threads.collect::<Result<_, _>>()?;
        let shares = Shares::new((count / PART).max(1), WAITING);
        Ok((Self { steady, fresh, shares, patience, open: Mutex::new(Some(open)) }, threads))
    }

    pub(super) async fn read(&self, job: Job, texts: Vec<Arc<str>>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let deadline = job.deadline;
        let steady = job.steps.iter().all(|step| step.statement.plan == Plan::Steady);
        let (queued, by) = (Instant::now(), job.acquire_by(self.patience.acquire));
        let (queue, place) = if steady {
            (&self.steady, None)
        } else {
            (&self.fresh, self.shares.place_for(&job.owner, by).await?)
        };
        match queue.try_send(Read { job, texts, queued, by, place, answer }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(DbError::unavailable("too many reads are waiting")),
            Err(TrySendError::Disconnected(_)) => return Err(DbError::closed()),
        }
        match tokio::time::timeout_at(deadline.into(), answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(DbError::closed())),
            Err(_) => Err(DbError::out_of_time()),
        }
    }

    /// How many reads wait in each queue.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.steady.len(), self.fresh.len())
    }

    /// Reads from the file itself.
    pub(super) async fn ping(&self, deadline: Instant) -> Result<(), DbError> {
        let text = "select count(*) from sqlite_schema";
        let statement = Statement { sql: text.into(), params: Vec::new(), plan: Plan::Steady };
        self.read(Job::nobodys(statement, deadline), vec![text.into()]).await.map(|_| ())
    }

    /// Ends every thread after what is queued before.
    pub(super) fn stop(&self) {
        drop(self.open.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Reader {
    fn run(mut self, queues: &Queues) {
        while let Some(Read { job, texts, queued, by, place, answer }) = queues.next() {
            let reading = AssertUnwindSafe(|| {
                self.counts.waited(Queue::SqliteRead, queued.elapsed());
                if answer.is_closed() || Instant::now() >= by {
                    return Err(DbError::unavailable("no reader became free in time"));
                }
                self.read(&job, &texts)
            });
            let result = catch_unwind(reading).unwrap_or_else(|_| {
                // Whatever state the connection is in: the next read makes another.
                self.connection = None;
                Err(DbError::unavailable("a reader panicked"))
            });
            drop(place);
            // The caller may have gone.
            drop(answer.send(result));
        }
    }

    fn read(&mut self, job: &Job, texts: &[Arc<str>]) -> Answer {
        let (begun, counts) = (Instant::now(), Arc::clone(&self.counts));
        let _timed = counts.begin(Operation::SqliteRead);
        let limit = job.deadline.min(begun + self.patience.statement);
        let (connection, stop) = self.connection()?;
        stop.set(limit);
        let result = run::steps(connection, job, texts);
        stop.lift();
        log_slow(begun, texts);
        match result? {
            Ran::Kept(rows) | Ran::Undone(rows) => Ok(rows),
        }
    }

    fn connection(&mut self) -> Result<&(Connection, Limit), DbError> {
        let made = match self.connection.take() {
            Some(made) => made,
            None => {
                let busy = self.patience.acquire;
                let made = open_for_reading(&self.path, busy).and_then(|mut connection| {
                    let limit = Limit::on(&mut connection)?;
                    Ok((connection, limit))
                });
                made.map_err(|error| DbError::Unavailable(format!("the file does not open: {error}")))?
            }
        };
        Ok(self.connection.insert(made))
    }
}

/// Logs statements that took long, without their values.
pub(super) fn log_slow(begun: Instant, texts: &[Arc<str>]) {
    let took = begun.elapsed();
    if took > SLOW {
        let text = texts.first().map_or("", |text| &**text);
        let (statements, ms) = (texts.len(), took.as_millis());
        tracing::warn!(target: "creatorvault::db", statement = text, statements, duration_ms = ms, "slow statement");
    }
}

#[cfg(test)]
mod tests;
