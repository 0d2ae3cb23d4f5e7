//! The database past the server under test, for what no client can do: looking at rows, copying them, breaking tables.

use std::path::Path;
use std::time::Duration;

use super::Engine;

/// A connection to a world's database.
#[derive(Debug)]
pub(crate) enum Behind {
    Sqlite(rusqlite::Connection),
    Postgres { client: tokio_postgres::Client, schema: String },
}

impl Behind {
    pub(super) fn sqlite(file: &Path) -> Self {
        let connection = rusqlite::Connection::open(file).expect("a second opener");
        connection.busy_timeout(Duration::from_secs(20)).expect("a patient one");
        connection.pragma_update(None, "foreign_keys", true).expect("foreign keys");
        Self::Sqlite(connection)
    }

    pub(super) fn postgres(client: tokio_postgres::Client, schema: &str) -> Self {
        Self::Postgres { client, schema: schema.to_owned() }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres { .. } => Engine::Postgres,
        }
    }

    /// The schema of the world's tables, on PostgreSQL.
    pub(crate) fn schema(&self) -> Option<&str> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres { schema, .. } => Some(schema),
        }
    }

    /// Runs statements, in which `@name` is one of the world's tables.
    pub(crate) async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(&sql.replace('@', "")),
            Self::Postgres { client, schema } => {
                let sql = sql.replace('@', &format!("\"{schema}\"."));
                client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                return;
            }
        }
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The only number that a query answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        match self {
            Self::Sqlite(connection) => {
                connection.query_row(&sql.replace('@', ""), [], |row| row.get(0)).expect("a number")
            }
            Self::Postgres { client, schema } => {
                let sql = sql.replace('@', &format!("\"{schema}\"."));
                client.query_one(&sql, &[]).await.expect("a row").get(0)
            }
        }
    }

    /// Begins a transaction that only `run` of this connection goes on with; PostgreSQL alone has several at once.
    pub(crate) async fn begin(&self) {
        self.run("begin").await;
    }

    /// Has all kept answers be as many hours old.
    pub(crate) async fn age_keys(&self, hours: i64) {
        let then = match self {
            Self::Sqlite(_) => format!("(julianday('now') - 2440587.5 - {hours} / 24.0) * 86400000000"),
            Self::Postgres { .. } => format!("now() - interval '{hours} hours'"),
        };
        let cast = if self.engine() == Engine::Sqlite { "integer" } else { "timestamptz" };
        self.run(&format!("update @idempotency_keys set created_at = cast({then} as {cast})")).await;
    }
}
