//! Work on a connection that nobody shares. It runs in a task that owns the connection, so that a caller who goes
//! away leaves neither an open transaction nor a busy connection in the pool.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::config::database::DatabaseConfig;
use crate::db::job::Job;
use crate::db::text::Texts;
use crate::db::{DbError, Row};
use crate::metrics::{self, Operation};

use super::GRACE;
use super::connector::Connector;
use super::fence::{ALL_OR_ERROR_HERE, Fence};
use super::held::{Connections, Held};
use super::pool::Pool;
use super::transaction::{Again, Begin, Failure, Progress, Transaction, queries};

mod reads;

type Rows = Vec<Vec<Row>>;

/// How long the outcome of a cancelled write is waited for.
const SETTLE: Duration = Duration::from_secs(1);

/// How often a known conflict (40001, 40P01) runs again.
const CONFLICTS: u32 = 3;

/// Connections for one request at a time.
#[derive(Debug)]
pub(super) struct Exclusive {
    connections: Connections,
    connector: Connector,
    texts: Arc<Texts>,
    fence: Arc<Fence>,
    /// Behind a transaction pooler: nothing named, every statement inside `begin` and `commit`.
    pooled: bool,
    acquire_timeout: Duration,
    statement_timeout: Duration,
    counts: Arc<metrics::Database>,
}

impl Exclusive {
    pub(super) fn open(
        connector: Connector,
        config: &DatabaseConfig,
        texts: Arc<Texts>,
        fence: Arc<Fence>,
        size: usize,
        counts: Arc<metrics::Database>,
    ) -> Result<Self, String> {
        let pool = Pool::open(&connector, size, counts.clone())?;
        Ok(Self {
            connections: Connections::new(pool, size, config.acquire_timeout),
            connector,
            texts,
            fence,
            pooled: config.is_pooled(),
            acquire_timeout: config.acquire_timeout,
            statement_timeout: config.statement_timeout,
            counts,
        })
    }

    pub(super) fn load(&self) -> metrics::Pool {
        self.connections.pool.load()
    }

    pub(super) fn close(&self) {
        self.connections.pool.close();
    }

    /// Reads; a caller who goes away ends them.
    pub(super) async fn read(self: &Arc<Self>, mut job: Job, texts: Vec<Arc<str>>) -> Result<Rows, DbError> {
        let held = self.acquire(&mut job).await?;
        let _timed = self.counts.begin(Operation::PoolRead);
        let (_caller, gone) = oneshot::channel::<()>();
        let own = self.clone();
        let task = tokio::spawn(async move { own.reads(held, &job, &texts, gone).await }.in_current_span());
        task.await.unwrap_or_else(|_| Err(DbError::unavailable("a read ended early")))
    }

    /// Writes; a caller who goes away does not stop them.
    pub(super) async fn write(self: &Arc<Self>, mut job: Job, texts: Vec<Arc<str>>) -> Result<Rows, DbError> {
        let held = self.acquire(&mut job).await?;
        let _timed = self.counts.begin(Operation::PoolWrite);
        let own = self.clone();
        let task = tokio::spawn(async move { own.writes(held, &job, &texts).await }.in_current_span());
        task.await.unwrap_or_else(|_| Err(DbError::OutcomeUnknown("a write ended early".to_owned())))
    }

    /// A connection. What waited for it ends when it would have ended without: nobody is told so late that a lock did
    /// not come free.
    async fn acquire(&self, job: &mut Job) -> Result<Held, DbError> {
        let longest = self.acquire_timeout.max(self.statement_timeout) + GRACE;
        job.deadline = job.deadline.min(Instant::now() + longest);
        self.connections.acquire(job).await
    }

    /// When a try is given up from here. Behind a pooler the server knows the deadline itself, and may take a moment
    /// longer to say so.
    fn limit(&self, job: &Job) -> Instant {
        let timeout = Instant::now() + self.statement_timeout + GRACE;
        if self.pooled { timeout.min(job.deadline + GRACE) } else { timeout.min(job.deadline) }
    }

    /// Whether statements may have names: not behind a pooler, nor where a name was not to see what its rows are.
    fn named(&self) -> bool {
        !self.pooled && !self.fence.is_late()
    }

    /// For one transaction only: a pooler hands what a session sets to its other clients. The deadline goes in too,
    /// because poolers may hold back cancel requests (PgBouncer 1.18 sends one at a time when its pool is full).
    /// A transaction that does not say whose it is fails where a policy would hide rows from it; a pooler takes no options
    /// of a session, so that is said here too.
    fn timeout(&self, job: &Job, fenced: bool) -> String {
        let left = job.deadline.saturating_duration_since(Instant::now()).min(self.statement_timeout);
        let all = if fenced { "" } else { ALL_OR_ERROR_HERE };
        format!("set local statement_timeout = {}{all}", left.as_millis().max(1))
    }

    async fn writes(&self, mut held: Held, job: &Job, texts: &[Arc<str>]) -> Result<Rows, DbError> {
        let (mut conflicts, mut moved, mut fenced) = (0, false, false);
        loop {
            let object = held.object()?;
            let failure = match self.try_write(object, job, texts).await {
                Ok((rows, clean)) => {
                    if clean {
                        held.give_back();
                    }
                    return Ok(rows);
                }
                Err(failure) => failure,
            };
            if failure.evict {
                held.end();
            }
            let (in_time, here) = (Instant::now() < job.deadline, !failure.evict);
            match failure.again {
                Again::Here if here && conflicts < CONFLICTS && in_time => {
                    conflicts += 1;
                    tracing::debug!(target: "creatorvault::db", error = %failure.error, "running a write again after a conflict");
                    tokio::time::sleep(Duration::from_millis(5).mul_f64(crate::db::wait::chance())).await;
                }
                Again::Elsewhere | Again::AtThePrimary if !moved && in_time => {
                    moved = true;
                    if failure.again == Again::AtThePrimary {
                        self.connector.reach().read_only();
                    }
                    tracing::debug!(target: "creatorvault::db", error = %failure.error, "running a write on another connection");
                    self.connections.replace(&mut held).await?;
                }
                Again::Fenced if here && !fenced && self.fence.raise() => fenced = true,
                Again::No | Again::Here | Again::Fenced | Again::Elsewhere | Again::AtThePrimary => {
                    held.give_back();
                    return Err(failure.error);
                }
            }
        }
    }

    /// Waits for the pooler to give a server connection, no longer than for one of our own.
    async fn begin_pooled(&self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        let limit = transaction.job.deadline.min(Instant::now() + self.acquire_timeout);
        let begun = tokio::time::timeout_at(limit.into(), transaction.begin()).await;
        begun.unwrap_or_else(|_| {
            let error = DbError::unavailable("the pooler had no server connection in time");
            Err(Failure { error, evict: true, again: Again::No })
        })
    }

    /// One try; with the rows comes whether the connection may be used again. Past its time it is cancelled, and its
    /// outcome awaited: what has committed is a success.
    async fn try_write(
        &self,
        object: &Object,
        job: &Job,
        texts: &[Arc<str>],
    ) -> Result<(Rows, bool), Failure> {
        let progress = Progress::default();
        let fence = self.fence.of(job);
        // Decided once: another request may raise the fence while this one waits for the pooler.
        let fenced = fence.is_some();
        let alone = job.steps.len() == 1 && job.judge.is_none() && !fenced;
        let begin = if alone { Begin::Never } else { Begin::Along("begin") };
        let queries = queries(job, texts);
        let mut transaction = Transaction {
            client: object,
            begin,
            fence,
            named: self.named(),
            queries,
            job,
            texts: &self.texts,
            progress: &progress,
        };
        let timeout;
        if self.pooled {
            self.begin_pooled(&transaction).await?;
            timeout = self.timeout(job, fenced);
            transaction.begin = Begin::Before(&timeout);
        }
        let mut running = pin!(transaction.run());
        if let Ok(ended) = tokio::time::timeout_at(self.limit(job).into(), &mut running).await {
            return ended.map(|rows| (rows, true));
        }
        let settling = async {
            if progress.begun() {
                tokio::join!(self.connector.cancel(object.cancel_token()), &mut running).1
            } else {
                (&mut running).await
            }
        };
        let failure = match tokio::time::timeout(SETTLE, settling).await {
            // The cancel request may still be on its way, and must not hit the next statement.
            Ok(Ok(rows)) => return Ok((rows, false)),
            Ok(Err(failure)) => failure,
            Err(_) if progress.committing() => {
                Failure::from(DbError::OutcomeUnknown("no answer in time".to_owned()))
            }
            Err(_) => Failure::from(DbError::out_of_time()),
        };
        Err(Failure { evict: true, again: Again::No, ..failure })
    }
}
