//! Reads on a connection of one's own.

use std::sync::Arc;

use deadpool_postgres::Object;
use tokio::sync::oneshot;

use crate::db::DbError;
use crate::db::job::Job;
use crate::db::postgres::held::Held;
use crate::db::postgres::transaction::{Again, Begin, Failure, Progress, Transaction, queries};
use crate::db::postgres::trouble::Trouble;

use super::{Exclusive, Rows};

impl Exclusive {
    /// Reads on a connection, once more where it turns out to be of no use.
    pub(super) async fn reads(
        &self,
        mut held: Held,
        job: &Job,
        texts: &[Arc<str>],
        mut gone: oneshot::Receiver<()>,
    ) -> Result<Rows, DbError> {
        let (mut retried, mut fenced) = (false, false);
        loop {
            let object = held.object()?;
            let failure = match self.read_until(object, job, texts, &mut gone).await {
                Some(Ok(rows)) => {
                    held.give_back();
                    return Ok(rows);
                }
                Some(Err(failure)) => failure,
                None => {
                    self.connector.cancel(object.cancel_token()).await;
                    return Err(DbError::out_of_time());
                }
            };
            if failure.again == Again::Fenced && !fenced && self.fence.raise() {
                fenced = true;
                continue;
            }
            if failure.again == Again::Here && !failure.evict && !retried {
                retried = true;
                continue;
            }
            if !failure.evict {
                held.give_back();
                return Err(failure.error);
            }
            if retried || failure.again == Again::No {
                return Err(failure.error);
            }
            retried = true;
            tracing::debug!(target: "creatorvault::db", error = %failure.error, "reading again on another connection");
            self.connections.replace(&mut held).await?;
        }
    }

    /// One try; none when its time is up or its caller has gone.
    async fn read_until(
        &self,
        object: &Object,
        job: &Job,
        texts: &[Arc<str>],
        gone: &mut oneshot::Receiver<()>,
    ) -> Option<Result<Rows, Failure>> {
        let progress = Progress::default();
        tokio::select! {
            ended = self.try_read(object, job, texts, &progress) => Some(ended),
            () = tokio::time::sleep_until(self.limit(job).into()) => None,
            _ = gone => None,
        }
    }

    async fn try_read(
        &self,
        object: &Object,
        job: &Job,
        texts: &[Arc<str>],
        progress: &Progress,
    ) -> Result<Rows, Failure> {
        let queries = queries(job, texts);
        let fence = self.fence.of(job);
        if self.pooled || fence.is_some() {
            let begin = if self.pooled {
                format!("begin; {}", self.timeout(job, fence.is_some()))
            } else {
                "begin".to_owned()
            };
            let begin = Begin::Along(&begin);
            return Transaction {
                client: object,
                begin,
                fence,
                named: self.named(),
                queries,
                job,
                texts: &self.texts,
                progress,
            }
            .run()
            .await
            .map_err(reread);
        }
        let reads = queries.iter().map(|query| Box::pin(query.run(object, None))).collect();
        let answers: Result<Rows, _> =
            crate::db::postgres::batch::in_order(reads).await.into_iter().collect();
        answers.map_err(|failed| reread(Failure::nothing_done(Trouble::of(&failed.error))))
    }
}

/// A read has no outcome that could be unknown: it may always run again.
fn reread(failure: Failure) -> Failure {
    match failure.error {
        DbError::OutcomeUnknown(text) => {
            Failure { error: DbError::Unavailable(text), evict: true, again: Again::Elsewhere }
        }
        DbError::Unavailable(_) | DbError::Locked(_) | DbError::Fault(_) => failure,
    }
}
