//! Statements sent together: encoded in their order, answered in one round trip.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, RowStream, Statement};

use crate::db::job::Owner;
use crate::db::{DbError, Row, Value};

use super::cell::{self, Param};
use super::lane::Shared;

/// Statements slower than this are logged.
const SLOW: Duration = Duration::from_millis(500);

/// A statement with everything that it needs to be sent.
#[derive(Debug)]
pub(in crate::db) struct Query<'a> {
    pub(in crate::db) text: Arc<str>,
    pub(in crate::db) params: Vec<Param<'a>>,
}

/// Why a statement failed.
#[derive(Debug)]
pub(in crate::db) struct Failed {
    pub(in crate::db) error: Error,
    /// Whether the server had said that the statement was complete, so that only its commit was left.
    pub(in crate::db) complete: bool,
}

impl<'a> Query<'a> {
    pub(in crate::db) fn new(text: Arc<str>, owner: &'a Owner, values: &'a [Value]) -> Self {
        Self { text, params: cell::params(owner, values) }
    }

    /// The kinds of its parameters.
    pub(super) fn kinds(&self) -> Vec<Type> {
        self.params.iter().map(|param| param.kind()).collect()
    }

    /// Refuses parameters that would not encode, before anything of their transaction is sent: a statement missing
    /// from the middle of a pipeline would not stop the commit behind it.
    pub(in crate::db) fn check(&self, prepared: Option<&Statement>) -> Result<(), DbError> {
        let encodes =
            self.params.iter().all(|param| param.encodes()) && self.params.len() <= usize::from(u16::MAX);
        let kinds = self.params.iter().map(|param| param.kind());
        if encodes && prepared.is_none_or(|statement| kinds.eq(statement.params().iter().cloned())) {
            Ok(())
        } else {
            Err(DbError::Fault("parameters do not fit their statement".to_owned()))
        }
    }

    /// Runs it under its name, or without one where `prepared` is none.
    pub(in crate::db) async fn run(
        &self,
        client: &Client,
        prepared: Option<&Statement>,
    ) -> Result<Vec<Row>, Failed> {
        let begun = Instant::now();
        let sent = match prepared {
            Some(statement) => client.query_raw(statement, self.params.iter().copied()).await,
            None => {
                let typed = self.params.iter().map(|param| (*param, param.kind()));
                client.query_typed_raw(&self.text, typed).await
            }
        };
        let result = match sent {
            Ok(stream) => collect(stream).await,
            Err(error) => Err(Failed { error, complete: false }),
        };
        let took = begun.elapsed();
        if took > SLOW {
            tracing::warn!(target: "creatorvault::db", statement = &*self.text, duration_ms = took.as_millis(), "slow statement");
        }
        result
    }
}

/// All rows, up to the server's word that it is ready for more, which comes after a statement's own commit.
async fn collect(stream: RowStream) -> Result<Vec<Row>, Failed> {
    let mut stream = pin!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.next().await {
        match row {
            Ok(row) => rows.push(Row::from(row)),
            Err(error) => return Err(Failed { error, complete: stream.rows_affected().is_some() }),
        }
    }
    Ok(rows)
}

/// Reads on a shared connection under the statements' names.
pub(super) async fn read_shared(shared: &Shared, queries: &[Query<'_>]) -> Result<Vec<Vec<Row>>, Error> {
    if let [query] = queries {
        return Ok(vec![read_named(shared, query).await?]);
    }
    let reads = queries.iter().map(|query| Box::pin(read_named(shared, query))).collect();
    in_order(reads).await.into_iter().collect()
}

async fn read_named(shared: &Shared, query: &Query<'_>) -> Result<Vec<Row>, Error> {
    let statement = shared.named(query).await?;
    query.run(&shared.client, Some(&statement)).await.map_err(|failed| failed.error)
}

/// A future among others of its kind.
pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs futures together, each polled first in its turn: what they send on one connection goes out in this order.
pub(in crate::db) async fn in_order<F: Future + ?Sized>(mut futures: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
