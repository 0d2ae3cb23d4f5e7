//! The end of a transaction over which a judge decides, while it is still open.

use crate::db::{DbError, Judge, Row, Statement, Verdict};

use super::batch::{Boxed, Failed, Query, in_order};
use super::transaction::{Again, Failure, Transaction};

impl Transaction<'_> {
    /// Has the judge decide, where there is one, while the transaction is still open.
    pub(super) async fn judged(&self, results: Vec<Vec<Row>>) -> Result<Vec<Vec<Row>>, Failure> {
        let Some(Judge(judge)) = &self.job.judge else { return Ok(results) };
        match judge(&results) {
            Ok(Verdict::Commit(statements)) => self.finish(&statements).await.map(|()| results),
            // Whether or not the rollback arrives, nothing was changed; without it the connection is of no use.
            Ok(Verdict::RollBack) => {
                let undone =
                    self.undo(Failure::from(DbError::unavailable("a rollback did not arrive")), false).await;
                if undone.evict { Err(Failure { again: Again::Elsewhere, ..undone }) } else { Ok(results) }
            }
            Err(error) => Err(self.undo(Failure::from(error), false).await),
        }
    }

    /// Sends the judge's statements with the commit behind them.
    async fn finish(&self, statements: &[Statement]) -> Result<(), Failure> {
        let queries: Vec<Query<'_>> = statements
            .iter()
            .map(|s| Query::new(self.texts.translate(&s.sql), &self.job.owner, &s.params))
            .collect();
        for query in &queries {
            if let Err(error) = query.check(None) {
                return Err(self.undo(Failure::from(error), false).await);
            }
        }
        let mut sent: Vec<Boxed<'_, Result<Vec<Row>, Failed>>> = Vec::with_capacity(queries.len() + 1);
        for query in &queries {
            sent.push(Box::pin(query.run(self.client, None)));
        }
        self.progress.commit_is_sent();
        sent.push(Box::pin(self.command("commit", None)));
        let answers = in_order(sent).await;
        match answers.into_iter().enumerate().find_map(|(i, answer)| answer.err().map(|failed| (i, failed))) {
            None => Ok(()),
            Some((i, failed)) => {
                let failure = self.judge(&failed, i == queries.len(), true);
                Err(self.undo(failure, true).await)
            }
        }
    }
}
