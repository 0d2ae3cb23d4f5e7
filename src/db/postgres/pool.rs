//! Connections that one request has to itself: for writes, for statements that may be slow, and behind poolers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool as Deadpool, PoolError, RecyclingMethod, Runtime,
    TimeoutType, Timeouts,
};

use crate::db::DbError;
use crate::metrics::{self, Queue};

use super::connector::Connector;
use super::trouble;

/// The age at which a connection is replaced, so that a server's memory and a changed address do not last for ever.
pub(super) const OLDEST: Duration = Duration::from_secs(3600);

/// Waits for a connection longer than this are logged.
const LONG_WAIT: Duration = Duration::from_millis(100);

/// The pool.
#[derive(Debug)]
pub(super) struct Pool {
    pool: Deadpool,
    connect_timeout: Duration,
    counts: Arc<metrics::Database>,
}

impl Pool {
    /// A pool of at most `size` connections, none of them made yet.
    pub(super) fn open(
        connector: &Connector,
        size: usize,
        counts: Arc<metrics::Database>,
    ) -> Result<Self, String> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(tokio_postgres::Config::new(), connector.clone(), recycling);
        let own = connector.clone();
        let young = Hook::sync_fn(move |_, metrics: &deadpool_postgres::Metrics| {
            if metrics.age() >= OLDEST {
                return Err(HookError::message("the connection is old enough"));
            }
            if own.reach().has_moved_since(metrics.created) {
                return Err(HookError::message("the connection may lead to a server that takes no writes"));
            }
            Ok(())
        });
        let pool = Deadpool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .pre_recycle(young)
            .build()
            .map_err(|error| format!("the pool cannot be set up: {error}"))?;
        Ok(Self { pool, connect_timeout: connector.timeout(), counts })
    }

    /// A connection that nobody else uses, until `limit`. It was open a moment ago.
    pub(super) async fn acquire(&self, limit: Instant) -> Result<Object, DbError> {
        let begun = Instant::now();
        let timeouts = Timeouts { wait: None, create: Some(self.connect_timeout), recycle: None };
        let got = tokio::time::timeout_at(limit.into(), self.pool.timeout_get(&timeouts)).await;
        let waited = begun.elapsed();
        self.counts.waited(Queue::Pool, waited);
        if waited > LONG_WAIT {
            let (ms, waiting) = (waited.as_millis(), self.pool.status().waiting);
            tracing::warn!(target: "creatorvault::db", waited_ms = ms, waiting, "waited for a database connection");
        }
        match got {
            Ok(Ok(object)) => Ok(object),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(DbError::unavailable("no database connection became free in time")),
        }
    }

    /// A connection in the place of one that was found ended. What else is idle goes too: a server that ends one
    /// connection mostly ends all, and there is no third try.
    pub(super) async fn replace(&self, limit: Instant) -> Result<Object, DbError> {
        self.pool.retain(|_, _| false);
        self.acquire(limit).await
    }

    /// The connections now.
    pub(super) fn load(&self) -> metrics::Pool {
        let status = self.pool.status();
        metrics::Pool {
            most: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Ends what is idle; connections in use end when they come back.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

fn refused(error: &PoolError) -> DbError {
    let text = match error {
        PoolError::Timeout(TimeoutType::Wait) => "no database connection became free in time".to_owned(),
        PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
            "connecting took too long".to_owned()
        }
        PoolError::Backend(error) => trouble::connecting(error),
        PoolError::Closed => return DbError::closed(),
        PoolError::NoRuntimeSpecified => "the pool has no runtime".to_owned(),
        PoolError::PostCreateHook(_) => "a new connection was refused".to_owned(),
    };
    DbError::Unavailable(text)
}
