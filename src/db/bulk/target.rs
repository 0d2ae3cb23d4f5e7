//! A PostgreSQL database that takes whole tables in one transaction.

use std::pin::Pin;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::datum::Datum;
use super::postgres::{Snapshot, commit, refused};
use super::{Source, SourceKind};
use crate::config::database::{DatabaseConfig, PostgresUrl};
use crate::db::text::translate;
use crate::db::{DbError, Engine};

/// No time limit but for locks: what is there to be waited for is this program's own work. The last one is not in every
/// version of the server.
const WRITING: &str = "begin isolation level read committed read write; set local statement_timeout = 0; \
                       set local idle_in_transaction_session_timeout = 0; set local row_security = off; \
                       select set_config(name, '0', true) from pg_catalog.pg_settings \
                       where name = 'transaction_timeout'";

/// How `copy … (format binary)` begins: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Bytes that are sent together.
const AT_ONCE: usize = 128 << 10;

/// A transaction on a PostgreSQL database; without [`Target::commit`] nothing of it stays.
#[derive(Debug)]
pub struct Target {
    inside: Source,
}

impl Target {
    /// Connects and begins. Of the settings the schema, which `@table` stands in, and the acquire timeout count. A lock
    /// of somebody else is waited for as long as `patience`; then it is [`DbError::Locked`].
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the server cannot be reached or refuses the login.
    pub async fn begin(
        url: &PostgresUrl,
        settings: &DatabaseConfig,
        patience: Duration,
    ) -> Result<Self, DbError> {
        // Zero would be for ever.
        let begin = format!("{WRITING}; set local lock_timeout = {}", patience.as_millis().max(1));
        let kind = SourceKind::Postgres(Snapshot::begin(url, settings, &begin).await?);
        Ok(Self { inside: Source { schema: settings.schema.clone(), kind } })
    }

    /// The database as this transaction sees it.
    pub fn inside(&self) -> &Source {
        &self.inside
    }

    /// Runs statements without parameters and without rows.
    ///
    /// # Errors
    /// What the database says; the transaction is lost then.
    pub async fn run(&self, sql: &str) -> Result<(), DbError> {
        let text = translate(sql, Engine::Postgres, &self.inside.schema);
        self.snapshot()?.client().batch_execute(&text).await.map_err(|error| refused(&error))
    }

    /// Lifts row level security from the owner of these tables, which it binds where it is forced: `copy` and rows of
    /// all users are not for those whom it binds. What was lifted; others wait for the tables until the end.
    ///
    /// # Errors
    /// As [`Target::run`].
    pub async fn lift<'a>(&self, tables: &[&'a str]) -> Result<Lifted<'a>, DbError> {
        let mut lifted = Vec::new();
        for table in tables {
            let forced = "select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                          where c.relrowsecurity and c.relforcerowsecurity";
            let schema = &self.inside.schema;
            let text = format!("{forced} and n.nspname = '{schema}' and c.relname = '{table}'");
            if !self.inside.rows(&text).await?.is_empty() {
                self.run(&format!("alter table @{table} no force row level security")).await?;
                lifted.push(*table);
            }
        }
        Ok(Lifted(lifted))
    }

    /// Has it bind their owner again.
    ///
    /// # Errors
    /// As [`Target::run`].
    pub async fn restore(&self, lifted: Lifted<'_>) -> Result<(), DbError> {
        for table in lifted.0 {
            self.run(&format!("alter table @{table} force row level security")).await?;
        }
        Ok(())
    }

    /// Begins to put rows into these columns of a table.
    ///
    /// # Errors
    /// As [`Target::run`].
    pub async fn load(&self, table: &str, columns: &str) -> Result<Load, DbError> {
        let sql = format!("copy @{table} ({columns}) from stdin (format binary)");
        let text = translate(&sql, Engine::Postgres, &self.inside.schema);
        let sink = self.snapshot()?.client().copy_in(&text).await.map_err(|error| refused(&error))?;
        Ok(Load { sink: Box::pin(sink), buffer: BytesMut::from(HEADER) })
    }

    /// Makes everything stay.
    ///
    /// # Errors
    /// What the database says: nothing of it stays; [`DbError::OutcomeUnknown`] when the link broke meanwhile.
    pub async fn commit(self) -> Result<(), DbError> {
        commit(self.snapshot()?.client()).await
    }

    fn snapshot(&self) -> Result<&Snapshot, DbError> {
        match &self.inside.kind {
            SourceKind::Postgres(snapshot) => Ok(snapshot),
            SourceKind::Sqlite(_) | SourceKind::Moment(_) => {
                Err(DbError::Fault("whole tables go into PostgreSQL only".to_owned()))
            }
        }
    }
}

/// The tables whose owner row level security does not bind for this transaction.
#[derive(Debug)]
#[must_use = "what is lifted has to be restored before the commit"]
pub struct Lifted<'a>(Vec<&'a str>);

/// Rows on their way into a table. Dropped before its end, it spoils the transaction.
pub struct Load {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    buffer: BytesMut,
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load").finish_non_exhaustive()
    }
}

impl Load {
    /// Puts a row: a value for each column, in their order.
    ///
    /// # Errors
    /// What the database says about this row or one before it.
    pub async fn put(&mut self, row: &[Datum]) -> Result<(), DbError> {
        let count = i16::try_from(row.len()).map_err(|_| DbError::Fault("too many columns".to_owned()))?;
        self.buffer.put_i16(count);
        row.iter().try_for_each(|datum| datum.put_binary(&mut self.buffer))?;
        if self.buffer.len() < AT_ONCE {
            return Ok(());
        }
        self.send().await
    }

    /// Ends it: how many rows the table has taken.
    ///
    /// # Errors
    /// What the database says about one of the rows.
    pub async fn finish(mut self) -> Result<u64, DbError> {
        self.buffer.put_i16(-1);
        self.send().await?;
        self.sink.as_mut().finish().await.map_err(|error| refused(&error))
    }

    async fn send(&mut self) -> Result<(), DbError> {
        let bytes = self.buffer.split().freeze();
        match self.sink.send(bytes).await {
            Ok(()) => Ok(()),
            // Why it takes no more is said at the end.
            Err(error) => {
                let end = self.sink.as_mut().finish().await;
                Err(refused(&end.err().unwrap_or(error)))
            }
        }
    }
}
