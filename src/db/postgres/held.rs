//! A connection that one job has, and the place among its user's that goes with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Object;

use crate::db::DbError;
use crate::db::job::Job;
use crate::db::share::{Place, Shares};

use super::pool::Pool;

/// Of so many connections one user may have one.
const PART: usize = 4;

/// But so many in any case, as far as one is left for the others.
const LEAST: usize = 2;

/// Requests of one user that may wait for the user's own connections.
const WAITING: usize = 256;

/// The connections, and what each user may have of them.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) pool: Pool,
    shares: Arc<Shares>,
    acquire_timeout: Duration,
}

/// A connection that goes back to the pool only when it is said to be clean.
#[derive(Debug)]
pub(super) struct Held {
    object: Option<Object>,
    /// Until when another connection may be waited for.
    by: Instant,
    /// Dropped after the connection.
    _place: Option<Place>,
}

impl Connections {
    /// `size` of them.
    pub(super) fn new(pool: Pool, size: usize, acquire_timeout: Duration) -> Self {
        Self { pool, shares: Shares::new(share(size), WAITING), acquire_timeout }
    }

    /// A connection for the job. All its waits for connections together take no longer than the acquire timeout.
    pub(super) async fn acquire(&self, job: &Job) -> Result<Held, DbError> {
        let by = job.acquire_by(self.acquire_timeout);
        let place = self.shares.place_for(&job.owner, by).await?;
        Ok(Held { object: Some(self.pool.acquire(by).await?), by, _place: place })
    }

    /// Another connection in the place of one that was found ended.
    pub(super) async fn replace(&self, held: &mut Held) -> Result<(), DbError> {
        held.end();
        held.object = Some(self.pool.replace(held.by).await?);
        Ok(())
    }
}

impl Held {
    pub(super) fn object(&self) -> Result<&Object, DbError> {
        self.object.as_ref().ok_or_else(DbError::closed)
    }

    pub(super) fn give_back(mut self) {
        drop(self.object.take());
    }

    /// Ends the connection.
    pub(super) fn end(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end();
    }
}

/// How many of so many connections one user may have.
fn share(size: usize) -> usize {
    (size / PART).max(LEAST).min(size.saturating_sub(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_and_never_all_but_of_one() {
        let shares: Vec<_> = [1, 2, 3, 4, 8, 12, 28, 100].map(share).into();
        assert_eq!(shares, [1, 1, 2, 2, 2, 3, 7, 25]);
    }
}
