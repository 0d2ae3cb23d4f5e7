//! Migrations on PostgreSQL: simple queries and transaction locks only, so that a pooler may stand between.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryRow};

use super::fence::Fence;
use super::files::{Migration, book, statements, touched};
use super::{BOOK, Record, Way, check, foreign, next};
use crate::config::database::{DatabaseConfig, PostgresUrl};
use crate::db::postgres::connector::Connector;
use crate::db::postgres::trouble::{Kind, Trouble};
use crate::db::text::translate;
use crate::db::{DbError, Engine, spread};

/// How long another process may migrate before this one gives up.
const PATIENCE: Duration = Duration::from_secs(600);

/// The wait between two tries to get the lock.
const PAUSE: Duration = Duration::from_millis(150);

/// For the transaction only. A migration that waits for a table's lock holds up everybody behind it, so it waits
/// briefly and tries again; a role's own statement timeout is not meant for it. What row level security hides from it
/// is a failure, not an absence.
pub(super) const BEGIN: &str =
    "begin; set local lock_timeout = '3s'; set local statement_timeout = 0; set local row_security = off";

/// Why a migration did not run.
pub(super) enum Stop {
    /// Somebody else has the lock, of migrations or of a table: try again.
    Busy(String),
    Failed(DbError),
}

impl Stop {
    /// A pause before the next try, where there is to be one.
    async fn wait(self, patience: Instant) -> Result<(), DbError> {
        match self {
            Self::Failed(error) => Err(error),
            Self::Busy(text) if Instant::now() > patience => {
                Err(DbError::Unavailable(format!("another process holds a lock for ten minutes: {text}")))
            }
            Self::Busy(text) => {
                tracing::debug!(target: "creatorvault::db", reason = text, "waiting to migrate");
                tokio::time::sleep(spread(PAUSE * 2)).await;
                Ok(())
            }
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let locked = error.code().is_some_and(|code| code.code() == "55P03");
        let denied = error.code().is_some_and(|code| code.code() == "42501");
        let mut trouble = Trouble::of(&error);
        if locked || trouble.kind == Kind::Conflict {
            return Self::Busy(trouble.text);
        }
        if trouble.kind == Kind::Guarded {
            return Self::Failed(DbError::Fault(format!(
                "{}; a migration that touches rows says so, in a line `-- touches rows: TABLE, TABLE`",
                trouble.text
            )));
        }
        if denied {
            trouble.text.push_str(
                "; give the role the right to create there, or set DATABASE_SCHEMA to a schema that it owns",
            );
        }
        // What a migration misses is a fault of the migration.
        let unready = trouble.kind == Kind::Unready;
        Self::Failed(if unready { DbError::Fault(trouble.text) } else { trouble.unchanged() })
    }
}

impl From<DbError> for Stop {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

/// A connection for migrations.
pub(super) struct Ground {
    pub(super) client: Client,
    pub(super) schema: String,
}

/// Has Citus change the shards of a table one after the other, without which it makes no extension in a transaction that
/// has changed a table before. A name that plain PostgreSQL takes and does not look at.
const SEQUENTIAL: &str = "set local citus.multi_shard_modify_mode to 'sequential'";

/// Goes at most `most` migrations up or down.
pub(super) async fn go(
    config: &DatabaseConfig,
    url: &PostgresUrl,
    way: Way,
    most: u32,
    known: &[Migration],
) -> Result<Vec<String>, DbError> {
    let ground = Ground::reach(config, url).await?;
    let mut done = Vec::new();
    if way == Way::Up && ground.is_done(known).await? {
        return Ok(done);
    }
    let patience = Instant::now() + PATIENCE;
    while done.len() < usize::try_from(most).unwrap_or(usize::MAX) {
        match ground.one(way, known).await {
            Ok(Some(name)) => done.push(name),
            Ok(None) => break,
            Err(stop) => stop.wait(patience).await?,
        }
    }
    Ok(done)
}

/// Puts row level security on the tables that lack it: on how many.
pub(super) async fn put_up(
    config: &DatabaseConfig,
    url: &PostgresUrl,
    known: &[Migration],
) -> Result<usize, DbError> {
    let ground = Ground::reach(config, url).await?;
    let patience = Instant::now() + PATIENCE;
    loop {
        match ground.put_up(known).await {
            Ok(count) => return Ok(count),
            Err(stop) => stop.wait(patience).await?,
        }
    }
}

/// How row level security stands, for the role of this URL.
pub(super) async fn fence(
    config: &DatabaseConfig,
    url: &PostgresUrl,
    known: &[Migration],
) -> Result<Fence, DbError> {
    let ground = Ground::reach(config, url).await?;
    ground.fence(known).await.map_err(ended)
}

fn ended(stop: Stop) -> DbError {
    match stop {
        Stop::Failed(error) => error,
        Stop::Busy(text) => DbError::Unavailable(text),
    }
}

/// What the database has written down, after the checks that go before any change.
pub(super) async fn records(
    config: &DatabaseConfig,
    url: &PostgresUrl,
    known: &[Migration],
) -> Result<Vec<Record>, DbError> {
    let ground = Ground::reach(config, url).await?;
    let look = async {
        let records = ground.book().await?;
        check(known, &records)?;
        if let Some(migration) = next(Way::Up, known, &records)? {
            ground.refuse_foreign(migration).await?;
        }
        Ok(records)
    };
    look.await.map_err(ended)
}

impl Ground {
    async fn reach(config: &DatabaseConfig, url: &PostgresUrl) -> Result<Self, DbError> {
        let connector = Connector::new(config, url, None).map_err(DbError::Fault)?;
        let (client, connection) = connector.connect().await.map_err(DbError::Unavailable)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(target: "creatorvault::db", error = Trouble::of(&error).text, "connection lost while migrating");
            }
        });
        Ok(Self { client, schema: config.schema.clone() })
    }

    /// Whether nothing is pending, seen without the lock: the common start, which another process that migrates shall
    /// not hold up.
    async fn is_done(&self, known: &[Migration]) -> Result<bool, DbError> {
        let look = async { Ok(next(Way::Up, known, &self.book().await?)?.is_none()) };
        match look.await {
            Ok(done) => Ok(done),
            Err(Stop::Busy(_)) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Runs the next migration in a transaction of its own, which holds the lock and looks again at what is applied.
    async fn one(&self, way: Way, known: &[Migration]) -> Result<Option<String>, Stop> {
        let result = match self.client.batch_execute(BEGIN).await {
            Ok(()) => self.inside(way, known).await,
            Err(error) => Err(error.into()),
        };
        if result.is_err() && !self.client.is_closed() {
            // Closing the connection, which follows when this fails, rolls back too.
            drop(self.client.batch_execute("rollback").await);
        }
        result
    }

    async fn inside(&self, way: Way, known: &[Migration]) -> Result<Option<String>, Stop> {
        let lock = format!("select pg_try_advisory_xact_lock({})", lock_key(&self.schema));
        if self.word(&lock).await?.as_deref() != Some("t") {
            return Err(Stop::Busy("another process migrates".to_owned()));
        }
        if way == Way::Up {
            self.prepare().await?;
        }
        let records = self.book().await?;
        let Some(migration) = next(way, known, &records)? else {
            self.client.batch_execute("commit").await?;
            return Ok(None);
        };
        let (text, note) = match way {
            Way::Up => {
                self.refuse_foreign(migration).await?;
                (&migration.up, migration.record())
            }
            Way::Down => (&migration.down, migration.forget()),
        };
        self.client.batch_execute(SEQUENTIAL).await?;
        let lifted = self.lift(&touched(text), known).await?;
        // One by one: Citus hands its workers the text that it was sent, and they take one statement at a time.
        for statement in statements(text) {
            self.run(&statement).await.map_err(|stop| named(stop, migration))?;
        }
        self.restore(&lifted).await?;
        self.run(&note).await?;
        self.client.batch_execute("commit").await?;
        Ok(Some(migration.full_name()))
    }

    /// Makes the schema and the book where they are missing. Asked first, because a role may use a schema that it
    /// has no right to make.
    async fn prepare(&self) -> Result<(), Stop> {
        let schema = &self.schema;
        let there = format!("select 1 from pg_catalog.pg_namespace where nspname = '{schema}'");
        if self.word(&there).await?.is_none() {
            self.client.batch_execute(&format!("create schema \"{schema}\"")).await?;
        }
        if !self.has_book().await? {
            self.run(&book(Engine::Postgres)).await?;
        }
        Ok(())
    }

    async fn has_book(&self) -> Result<bool, Stop> {
        Ok(self.tables(&[BOOK]).await?.is_some())
    }

    /// The first of these tables (or views) that is there.
    async fn tables(&self, names: &[&str]) -> Result<Option<String>, Stop> {
        let list = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let schema = &self.schema;
        let text = format!(
            "select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = '{schema}' and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname in ({list}) \
             order by c.relname limit 1"
        );
        Ok(self.word(&text).await?)
    }

    async fn refuse_foreign(&self, migration: &Migration) -> Result<(), Stop> {
        let names = migration.tables();
        if names.is_empty() {
            return Ok(());
        }
        match self.tables(&names).await? {
            Some(table) => Err(foreign(&format!("{}.{table}", self.schema), Engine::Postgres).into()),
            None => Ok(()),
        }
    }

    async fn book(&self) -> Result<Vec<Record>, Stop> {
        if !self.has_book().await? {
            return Ok(Vec::new());
        }
        let text = format!("select version, name, checksum from @{BOOK} order by version");
        let rows = self.rows(&translate(&text, Engine::Postgres, &self.schema)).await?;
        let records = rows.iter().map(|row| {
            let text = |i| row.try_get(i).ok().flatten().map(str::to_owned);
            Some(Record { version: text(0)?.parse().ok()?, name: text(1)?, checksum: text(2)? })
        });
        let records: Option<Vec<_>> = records.collect();
        records.ok_or_else(|| DbError::Fault(format!("{BOOK} does not read")).into())
    }

    pub(super) async fn run(&self, text: &str) -> Result<(), Stop> {
        Ok(self.client.batch_execute(&translate(text, Engine::Postgres, &self.schema)).await?)
    }

    pub(super) async fn rows(&self, text: &str) -> Result<Vec<SimpleQueryRow>, Error> {
        let messages = self.client.simple_query(text).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The first column of the first row.
    pub(super) async fn word(&self, text: &str) -> Result<Option<String>, Error> {
        let rows = self.rows(text).await?;
        Ok(rows.first().and_then(|row| row.try_get(0).ok().flatten()).map(str::to_owned))
    }
}

/// Says which migration failed.
fn named(stop: Stop, migration: &Migration) -> Stop {
    match stop {
        Stop::Failed(DbError::Fault(text)) => {
            Stop::Failed(DbError::Fault(format!("migration {} failed: {text}", migration.full_name())))
        }
        other => other,
    }
}

/// One lock for each schema: FNV-1a over its name, the same in every version of the program.
pub(super) fn lock_key(schema: &str) -> i64 {
    let hash = format!("creatorvault migrations of {schema}")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    i64::from_ne_bytes(hash.to_ne_bytes())
}
