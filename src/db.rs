//! The database: PostgreSQL or embedded SQLite behind one small face; it knows no table's rules.
//!
//! One SQL text serves both engines. It is written lower case with `$n` placeholders and `@name` for
//! one of our tables (the schema of `DATABASE_SCHEMA` is put before it on PostgreSQL, nothing on SQLite);
//! on SQLite `$n` becomes `?n`. `$1` is always the owner: [`Scope`] binds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tracing::Instrument as _;

use crate::auth::user_id::UserId;
use crate::config::database::{DatabaseConfig, DatabaseUrl};
use crate::metrics;
use crate::traces;

pub mod backup;
mod bounded;
pub mod bulk;
pub mod draft;
mod error;
pub mod inspect;
mod job;
pub mod migrate;
mod postgres;
mod row;
mod share;
mod sqlite;
mod statement;
mod text;
mod wait;

pub use error::DbError;
pub use row::Row;
pub use statement::{Engine, Judge, Plan, Statement, Step, Value, Verdict, When};
pub use wait::spread;

use job::Job;

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(Arc<Backend>, Arc<metrics::Database>);

#[derive(Debug)]
enum Backend {
    Postgres(Arc<postgres::Postgres>),
    Sqlite(Box<sqlite::Sqlite>),
}

impl Db {
    /// Opens the database that the settings name. A PostgreSQL server may be down: it is tried again in the
    /// background and by every request. Needs a Tokio runtime.
    ///
    /// # Errors
    /// One line with the cure: a root certificate that does not read, a SQLite file that does not open.
    pub async fn open(config: &DatabaseConfig) -> Result<Self, String> {
        let counts = Arc::<metrics::Database>::default();
        let backend = match &config.url {
            DatabaseUrl::Postgres(url) => {
                Backend::Postgres(postgres::Postgres::open(config, url, counts.clone())?)
            }
            DatabaseUrl::Sqlite(path) => {
                Backend::Sqlite(Box::new(sqlite::Sqlite::open(config, path, counts.clone()).await?))
            }
        };
        Ok(Self(Arc::new(backend), counts))
    }

    /// What was asked of it so far.
    pub fn counts(&self) -> &Arc<metrics::Database> {
        &self.1
    }

    /// Its connections and queues now.
    pub fn load(&self) -> metrics::Load {
        match &*self.0 {
            Backend::Postgres(postgres) => {
                let (pool, lane) = postgres.load();
                metrics::Load::Postgres(pool, lane)
            }
            Backend::Sqlite(sqlite) => metrics::Load::Sqlite(sqlite.load()),
        }
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        match &*self.0 {
            Backend::Postgres(_) => Engine::Postgres,
            Backend::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// One user's view of the database until `deadline`; every statement through it has the user at `$1`.
    pub fn scope<'a>(&'a self, user: &'a UserId, deadline: Instant) -> Scope<'a> {
        Scope { db: self, user, begun: Instant::now(), deadline }
    }

    /// Asks the database for a sign of life (and, on SQLite, that the last write did not fail for a full disk).
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it gives none until `deadline`.
    pub async fn ping(&self, deadline: Instant) -> Result<(), DbError> {
        match &*self.0 {
            Backend::Postgres(postgres) => postgres.ping(deadline).await,
            Backend::Sqlite(sqlite) => sqlite.ping(deadline).await,
        }
    }

    /// Ends all connections; SQLite checkpoints its log. Whatever is asked afterwards is unavailable.
    pub async fn close(&self) {
        match &*self.0 {
            Backend::Postgres(postgres) => postgres.close(),
            Backend::Sqlite(sqlite) => sqlite.close().await,
        }
    }

    /// The span of something that is asked of it.
    fn span(&self, operation: &'static str) -> tracing::Span {
        traces::database(operation, self.engine().name())
    }

    /// Here, where the request's own log fields are at hand; the caller only learns the kind.
    fn tell(&self, error: &DbError) {
        use metrics::Failure;
        let failure = match error {
            DbError::Unavailable(text) => {
                tracing::warn!(target: "db", error = text, "database unavailable");
                Failure::Unavailable
            }
            DbError::Locked(text) => {
                tracing::warn!(target: "db", error = text, "database unavailable");
                Failure::Locked
            }
            DbError::OutcomeUnknown(text) => {
                tracing::error!(target: "db", error = text, "outcome of a commit unknown");
                Failure::OutcomeUnknown
            }
            DbError::Fault(text) => {
                tracing::error!(target: "db", error = text, "database fault");
                Failure::Fault
            }
        };
        self.counts().failed(failure);
    }
}

/// One user's view of the database: `$1` of every statement is that user's id.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    db: &'a Db,
    user: &'a UserId,
    /// When the request came this far: its waits count together.
    begun: Instant,
    deadline: Instant,
}

impl Scope<'_> {
    /// Nothing is begun after the deadline, however quickly it could be done.
    fn in_time(&self) -> Result<(), DbError> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(DbError::Unavailable("the deadline has passed".to_owned()))
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.db.engine()
    }

    /// Reads rows outside any transaction.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and [`DbError::Fault`].
    pub async fn read(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        let mut results = self.read_all(vec![statement]).await?;
        results.pop().ok_or_else(|| DbError::Fault("a read without a result".to_owned()))
    }

    /// Reads several statements in one round trip, each its own snapshot.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and [`DbError::Fault`], for all of them.
    pub async fn read_all(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DbError> {
        self.in_time()?;
        let job = Job::reads(self.user, statements, self.deadline).since(self.begun);
        let span = self.db.span("read");
        let read = match &*self.db.0 {
            Backend::Postgres(postgres) => postgres.read(job).instrument(span).await,
            Backend::Sqlite(sqlite) => sqlite.read(job).instrument(span).await,
        };
        read.inspect_err(|error| self.db.tell(error))
    }

    /// Runs the steps in one transaction, pipelined where no step waits for another; answers after the commit,
    /// with the rows of each step (none for a step that did not run). A single step is its own transaction.
    /// After the deadline it is cancelled and its outcome awaited; known rollbacks (40001, 40P01) run again.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and [`DbError::Fault`]: nothing was changed. [`DbError::OutcomeUnknown`]: the link
    /// broke while the commit was under way.
    pub async fn write(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, DbError> {
        let job = Job::writes(self.user, steps, None, self.deadline).since(self.begun);
        self.run(job).await.inspect_err(|error| self.db.tell(error))
    }

    /// As [`Scope::write`], but asks the judge before the commit. Answers with the rows of the steps (not of the judge's
    /// statements) and whether they were committed.
    ///
    /// # Errors
    /// Those of [`Scope::write`], and the judge's own, after which nothing was changed. [`DbError::Locked`] where the
    /// steps have set a lock timeout.
    pub async fn write_judged(
        &self,
        steps: Vec<Step>,
        judge: Judge,
    ) -> Result<(Vec<Vec<Row>>, bool), DbError> {
        let committed = Arc::new(AtomicBool::new(false));
        let (said, Judge(ask)) = (committed.clone(), judge);
        let judge = Judge::new(move |rows| {
            let verdict = ask(rows);
            said.store(matches!(verdict, Ok(Verdict::Commit(_))), Ordering::Relaxed);
            verdict
        });
        let job = Job::writes(self.user, steps, Some(judge), self.deadline).since(self.begun);
        let written = self.run(job).await;
        let rows = written.inspect_err(|error| {
            // Whoever sets a lock timeout expects that it may come.
            if !matches!(error, DbError::Locked(_)) {
                self.db.tell(error);
            }
        })?;
        Ok((rows, committed.load(Ordering::Relaxed)))
    }

    async fn run(&self, job: Job) -> Result<Vec<Vec<Row>>, DbError> {
        self.in_time()?;
        let span = self.db.span("write");
        match &*self.db.0 {
            Backend::Postgres(postgres) => postgres.write(job).instrument(span).await,
            Backend::Sqlite(sqlite) => sqlite.write(job).instrument(span).await,
        }
    }
}

#[cfg(test)]
mod tests;
