//! What holds on both engines, tried with a user; each test has a schema or a file of its own.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tempfile::TempDir;

use super::*;
use crate::config::database::Prepared;
use crate::config::{Environment, Reader};
use crate::field::timestamp::Timestamp;

mod behaviour;
mod bulk;
mod fence;
mod pgbouncer;
mod postgres;
mod proxy;
mod sqlite;

const TABLE: &str = "create table @things (owner text not null, name text not null, n bigint not null check (n < 1000), \
                     unique (owner, name))";

/// A database of one test's own.
pub(super) struct Bed {
    pub(super) db: Db,
    pub(super) config: DatabaseConfig,
    _folder: Option<TempDir>,
}

pub(super) fn test_url() -> String {
    std::env::var("TEST_POSTGRES_URL").expect(
        "set TEST_POSTGRES_URL to a PostgreSQL server on which tests may make schemas, postgresql://…",
    )
}

pub(super) fn settings(vars: &[(&str, &str)]) -> DatabaseConfig {
    let mut reader = Reader::new(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    DatabaseConfig::read(&mut reader, Environment::Development)
}

/// A name that no other test has.
pub(super) fn own_schema() -> String {
    format!("test_{}", crate::clock::Clock::system().random_id().simple())
}

impl Bed {
    pub(super) async fn postgres(change: impl FnOnce(&mut DatabaseConfig)) -> Self {
        let mut config = settings(&[("DATABASE_URL", &test_url()), ("DATABASE_SCHEMA", &own_schema())]);
        change(&mut config);
        let db = Db::open(&config).await.unwrap();
        let bed = Self { db, config, _folder: None };
        bed.raw(&format!("create schema {}", bed.config.schema)).await;
        bed.raw(TABLE).await;
        bed
    }

    pub(super) async fn sqlite(change: impl FnOnce(&mut DatabaseConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/own/test.db", folder.path().display());
        let mut config = settings(&[("DATABASE_URL", &url)]);
        change(&mut config);
        let db = Db::open(&config).await.unwrap();
        let bed = Self { db, config, _folder: Some(folder) };
        bed.raw(TABLE).await;
        bed
    }

    /// Runs SQL past the face, on a connection of its own.
    pub(super) async fn raw(&self, sql: &str) {
        self.try_raw(sql).await.unwrap();
    }

    pub(super) async fn try_raw(&self, sql: &str) -> Result<(), String> {
        let text = text::translate(sql, self.db.engine(), &self.config.schema);
        match &self.config.url {
            DatabaseUrl::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.busy_timeout(Duration::from_secs(5)).unwrap();
                connection.pragma_update(None, "foreign_keys", "on").unwrap();
                connection.execute_batch(&text).map_err(|error| error.to_string())
            }
            DatabaseUrl::Postgres(_) => {
                let DatabaseUrl::Postgres(url) = settings(&[("DATABASE_URL", &test_url())]).url else {
                    unreachable!()
                };
                let connector = super::postgres::connector::Connector::new(&self.config, &url, None).unwrap();
                let (client, connection) = connector.connect().await.unwrap();
                let driver = tokio::spawn(connection);
                let result = client.batch_execute(&text).await.map_err(|error| format!("{error:?}"));
                drop(client);
                driver.await.unwrap().unwrap();
                result
            }
        }
    }

    /// Runs a test, then removes what it made, whether it failed or not.
    pub(super) async fn hold(self, test: impl AsyncFnOnce(&Self)) {
        let result = AssertUnwindSafe(test(&self)).catch_unwind().await;
        self.db.close().await;
        if self.db.engine() == Engine::Postgres {
            self.raw(&format!("drop schema {} cascade", self.config.schema)).await;
        }
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    }
}

/// Runs a test on both engines, and on PostgreSQL also as behind a pooler.
pub(super) async fn everywhere(test: impl AsyncFn(&Bed)) {
    Bed::sqlite(|_| {}).await.hold(&test).await;
    Bed::postgres(|_| {}).await.hold(&test).await;
    Bed::postgres(|config| config.prepared = Prepared::Off).await.hold(&test).await;
}

pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

pub(super) fn user(id: &str) -> UserId {
    UserId::for_tests(id)
}

pub(super) fn steady(sql: &'static str, params: impl Into<Vec<Value>>) -> Statement {
    Statement { sql: sql.into(), params: params.into(), plan: Plan::Steady }
}

pub(super) fn fresh(sql: &'static str, params: impl Into<Vec<Value>>) -> Statement {
    Statement { plan: Plan::Fresh, ..steady(sql, params) }
}

pub(super) fn always(statement: Statement) -> Step {
    Step { statement, when: When::Always }
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(Some(text.to_owned()))
}

pub(super) fn insert(name: &str, n: i64) -> Statement {
    let sql = "insert into @things (owner, name, n) values ($1, $2, $3) returning name, n";
    steady(sql, [self::text(name), Value::Int(n)])
}

impl Bed {
    pub(super) async fn names(&self, id: &str) -> Vec<String> {
        let owner = user(id);
        let list = steady("select name from @things where owner = $1 order by name", []);
        let rows = self.db.scope(&owner, soon()).read(list).await.unwrap();
        rows.iter().map(|row| row.text(0).unwrap()).collect()
    }
}

#[test]
fn every_line_of_the_log_is_known_as_ours() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/db")];
    let mut lines = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for target in text.split(concat!("target", ": \"")).skip(1) {
                assert!(target.starts_with(concat!(env!("CARGO_PKG_NAME"), "::")), "{}", path.display());
                lines += 1;
            }
        }
    }
    assert!(lines > 20);
}
