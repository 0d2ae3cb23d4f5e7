//! PostgreSQL for admin commands: one connection that reads one snapshot, one that writes batches.
//!
//! Both do everything inside transactions and name no statement, so that a transaction pooler may stand between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::Client;

use super::{Access, Told};
use crate::config::database::{DatabaseConfig, PostgresUrl};
use crate::db::postgres::batch::{Failed, Query, in_order};
use crate::db::postgres::connector::Connector;
use crate::db::postgres::fence::WHOSE;
use crate::db::postgres::trouble::{Kind, Trouble};
use crate::db::{DbError, Row};

/// How times and bytes are written as text, the same on every server; a walk through a long table takes its time. Rows
/// that row level security would hide are a failure, not an absence.
const READING: &str = "begin isolation level repeatable read read only; set local statement_timeout = 0; \
                       set local row_security = off; \
                       set local idle_in_transaction_session_timeout = 0; set local timezone = 'UTC'; \
                       set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'";

async fn connect(url: &PostgresUrl, settings: &DatabaseConfig) -> Result<Client, DbError> {
    let connector = Connector::new(settings, url, None).map_err(DbError::Fault)?;
    let (client, connection) = connector.connect().await.map_err(DbError::Unavailable)?;
    // Its end is seen by whoever waits for an answer.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// A database as it was at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    client: Client,
    /// Walks begun: each has a cursor of its own.
    walks: AtomicU32,
}

impl Snapshot {
    pub(super) async fn open(url: &PostgresUrl, settings: &DatabaseConfig) -> Result<Self, DbError> {
        Self::begin(url, settings, READING).await
    }

    /// With another begin of its transaction.
    pub(super) async fn begin(
        url: &PostgresUrl,
        settings: &DatabaseConfig,
        begin: &str,
    ) -> Result<Self, DbError> {
        let client = connect(url, settings).await?;
        client.batch_execute(begin).await.map_err(|error| refused(&error))?;
        Ok(Self { client, walks: AtomicU32::new(0) })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn rows(&self, text: &str) -> Result<Vec<Row>, DbError> {
        let query = Query { text: Arc::from(text), params: Vec::new() };
        query.run(&self.client, None).await.map_err(|Failed { error, .. }| refused(&error))
    }

    pub(super) async fn walk(&self, text: &str, at_once: usize) -> Result<Cursor<'_>, DbError> {
        let name = format!("walk_{}", self.walks.fetch_add(1, Ordering::Relaxed));
        let declare = format!("declare {name} no scroll cursor for {text}");
        self.client.batch_execute(&declare).await.map_err(|error| refused(&error))?;
        Ok(Cursor {
            snapshot: self,
            fetch: format!("fetch forward {at_once} from {name}"),
            name,
            over: false,
        })
    }
}

/// A cursor of the snapshot: the server sorts once, and hands out rows as they are asked for.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    snapshot: &'a Snapshot,
    name: String,
    fetch: String,
    over: bool,
}

impl Cursor<'_> {
    pub(super) async fn next(&mut self) -> Result<Vec<Row>, DbError> {
        if self.over {
            return Ok(Vec::new());
        }
        let rows = self.snapshot.rows(&self.fetch).await?;
        if rows.is_empty() {
            self.over = true;
            let close = format!("close {}", self.name);
            self.snapshot.client.batch_execute(&close).await.map_err(|error| refused(&error))?;
        }
        Ok(rows)
    }
}

/// A connection that writes.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    /// Whether a transaction was begun and not ended.
    open: bool,
}

impl Link {
    pub(super) async fn open(url: &PostgresUrl, settings: &DatabaseConfig) -> Result<Self, DbError> {
        Ok(Self { client: connect(url, settings).await?, open: false })
    }

    pub(super) async fn begin(&mut self, access: Access) -> Result<(), DbError> {
        let end = if self.open { "rollback; " } else { "" };
        let only = match access {
            Access::Look => " read only",
            Access::Change => "",
        };
        self.open = true;
        let begin =
            format!("{end}begin{only}; set local statement_timeout = 0; set local lock_timeout = '60s'");
        self.client.batch_execute(&begin).await.map_err(|error| refused(&error))
    }

    pub(super) async fn run(&mut self, told: &[Told<'_>]) -> Result<Vec<Vec<Row>>, DbError> {
        let mut queries: Vec<Query<'_>> = Vec::with_capacity(told.len());
        let mut whose = Vec::new();
        let mut last = None;
        for told in told {
            // Where the tables have row level security it binds their owner too.
            if last != told.owner.id() {
                last = told.owner.id();
                whose.push(queries.len());
                queries.push(Query::new(Arc::from(WHOSE), &told.owner, &[]));
            }
            queries.push(Query::new(Arc::from(&*told.text), &told.owner, &told.statement.params));
        }
        queries.iter().try_for_each(|query| query.check(None))?;
        let sent = queries.iter().map(|query| Box::pin(query.run(&self.client, None))).collect();
        let answers = in_order(sent).await.into_iter().enumerate();
        answers
            .filter(|(at, answer)| answer.is_err() || whose.binary_search(at).is_err())
            .map(|(_, answer)| answer.map_err(|Failed { error, .. }| refused(&error)))
            .collect()
    }

    pub(super) async fn commit(&mut self) -> Result<(), DbError> {
        self.open = false;
        commit(&self.client).await
    }
}

/// Ends a transaction for good.
pub(super) async fn commit(client: &Client) -> Result<(), DbError> {
    client.batch_execute("commit").await.map_err(|error| {
        let trouble = Trouble::of(&error);
        match trouble.kind {
            Kind::Lost | Kind::Ended | Kind::Broken => DbError::OutcomeUnknown(trouble.text),
            Kind::Unserved
            | Kind::Stale
            | Kind::ReadOnly
            | Kind::Replanned
            | Kind::Unready
            | Kind::Guarded
            | Kind::Conflict
            | Kind::Unavailable
            | Kind::Locked
            | Kind::Fault
            | Kind::Unsent => trouble.unchanged(),
        }
    })
}

pub(super) fn refused(error: &tokio_postgres::Error) -> DbError {
    Trouble::of(error).unchanged()
}
