//! PostgreSQL: reads that an index serves on a shared lane, everything else on a pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::config::database::{DatabaseConfig, PostgresUrl};
use crate::metrics::{self, Operation};

use super::job::Job;
use super::text::Texts;
use super::{DbError, Engine, Plan, Row, Statement};

pub(super) mod batch;
pub(super) mod cell;
pub(super) mod connector;
mod exclusive;
pub(super) mod fence;
mod held;
mod hosts;
pub(super) mod lane;
mod pool;
mod reach;
mod tls;
mod transaction;
pub(super) mod trouble;
mod verdict;

use batch::Query;
use connector::Connector;
use exclusive::Exclusive;
use fence::Fence;
use lane::{Lane, Shared};
use trouble::{Kind, Trouble};

/// Connections on the read lane. More were not faster on two cores; each further one needs its measured figure.
const LANE: usize = 2;

/// How much longer than the statement timeout the server may take to say so, before its silence counts as an answer.
const GRACE: Duration = Duration::from_millis(500);

/// A PostgreSQL server, perhaps behind a transaction pooler.
#[derive(Debug)]
pub(super) struct Postgres {
    texts: Arc<Texts>,
    /// None behind a pooler or with row level security, and once closed.
    lane: ArcSwapOption<Lane>,
    exclusive: Arc<Exclusive>,
    fence: Arc<Fence>,
    statement_timeout: Duration,
    counts: Arc<metrics::Database>,
}

impl Postgres {
    pub(super) fn open(
        config: &DatabaseConfig,
        url: &PostgresUrl,
        counts: Arc<metrics::Database>,
    ) -> Result<Arc<Self>, String> {
        let pooled = config.is_pooled();
        let timeout = config.statement_timeout;
        let connector = Connector::new(config, url, (!pooled).then_some(timeout))?;
        let most = (config.pool_size + config.pool_overflow).max(1);
        let shared = if pooled || config.rls { 0 } else { LANE.min(most - 1) };
        let fence = Arc::new(Fence::new(config.rls));
        let lane = (shared > 0).then(|| Arc::new(Lane::open(&connector, shared, pool::OLDEST)));
        let texts = Arc::new(Texts::new(Engine::Postgres, &config.schema));
        let exclusive =
            Exclusive::open(connector, config, texts.clone(), fence.clone(), most - shared, counts.clone())?;
        tracing::debug!(target: "creatorvault::db", pooled, shared, exclusive = most - shared, "database opened");
        Ok(Arc::new(Self {
            texts,
            lane: ArcSwapOption::new(lane),
            exclusive: Arc::new(exclusive),
            fence,
            statement_timeout: timeout,
            counts,
        }))
    }

    /// The connections now.
    pub(super) fn load(&self) -> (metrics::Pool, metrics::Lane) {
        let lane = self.lane.load().as_ref().map(|lane| lane.load());
        (self.exclusive.load(), lane.unwrap_or_default())
    }

    pub(super) async fn read(&self, job: Job) -> Result<Vec<Vec<Row>>, DbError> {
        let steady = job.steps.iter().all(|step| step.statement.plan == Plan::Steady);
        match self.lane.load_full() {
            Some(lane) if steady && !self.fence.is_up() => {
                let timed = self.counts.begin(Operation::LaneRead);
                let read = self.on_lane(&lane, &job).await;
                drop(timed);
                if read.is_err() && self.fence.is_up() { self.read_alone(job).await } else { read }
            }
            _ => self.read_alone(job).await,
        }
    }

    /// Reads on a connection that nobody shares.
    async fn read_alone(&self, job: Job) -> Result<Vec<Vec<Row>>, DbError> {
        let texts = self.texts(&job);
        self.exclusive.read(job, texts).await
    }

    pub(super) async fn write(&self, job: Job) -> Result<Vec<Vec<Row>>, DbError> {
        job.check()?;
        let texts = self.texts(&job);
        self.exclusive.write(job, texts).await
    }

    fn texts(&self, job: &Job) -> Vec<Arc<str>> {
        job.steps.iter().map(|step| self.texts.translate(&step.statement.sql)).collect()
    }

    /// A sign of life, on the lane where there is one.
    pub(super) async fn ping(&self, deadline: Instant) -> Result<(), DbError> {
        let statement = Statement { sql: "select 1".into(), params: Vec::new(), plan: Plan::Steady };
        self.read(Job::nobodys(statement, deadline)).await.map(|_| ())
    }

    pub(super) fn close(&self) {
        self.lane.store(None);
        self.exclusive.close();
    }

    /// Reads on the lane; once more when the connection turns out to be gone, on a new one, or a statement outdated.
    async fn on_lane(&self, lane: &Lane, job: &Job) -> Result<Vec<Vec<Row>>, DbError> {
        let limit = job.deadline.min(Instant::now() + self.statement_timeout + GRACE);
        let slot = lane.slot().ok_or_else(DbError::closed)?;
        let queries: Vec<Query<'_>> = job
            .steps
            .iter()
            .map(|step| {
                Query::new(self.texts.translate(&step.statement.sql), &job.owner, &step.statement.params)
            })
            .collect();
        let first = slot.connection(None, limit).await?;
        let trouble = match self.try_on(&first, &queries, limit, job.deadline).await {
            Ok(read) => return Ok(read),
            Err(trouble) => trouble,
        };
        if trouble.kind == Kind::Guarded {
            self.fence.raise();
        }
        let second = if trouble.kind == Kind::Replanned {
            queries.iter().for_each(|query| first.forget(&query.text));
            first
        } else if trouble.evicts() {
            first.evict();
            slot.connection(Some(&first), limit).await?
        } else {
            return Err(trouble.unchanged());
        };
        tracing::debug!(target: "creatorvault::db", error = trouble.text, "reading again");
        let again = self.try_on(&second, &queries, limit, job.deadline).await;
        again.map_err(|trouble| failed(&second, trouble))
    }

    async fn try_on(
        &self,
        shared: &Shared,
        queries: &[Query<'_>],
        limit: Instant,
        deadline: Instant,
    ) -> Result<Vec<Vec<Row>>, Trouble> {
        let reading = batch::read_shared(shared, queries);
        match tokio::time::timeout_at(limit.into(), reading).await {
            Ok(read) => read.map_err(|error| Trouble::of(&error)),
            Err(_) => {
                // Past the statement timeout the server would have answered if it could.
                if limit < deadline {
                    shared.evict();
                }
                Err(Trouble::out_of_time())
            }
        }
    }
}

/// The second failure of a read.
fn failed(shared: &Shared, trouble: Trouble) -> DbError {
    if trouble.evicts() {
        shared.evict();
    }
    trouble.unchanged()
}
