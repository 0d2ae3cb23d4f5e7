//! What is asked for when the text is made.

use std::fmt;
use std::time::Duration;

use super::text::Text;

/// What was found when the text was asked for.
#[derive(Debug)]
pub struct Readings {
    /// Which program it is.
    pub build: Build,
    /// When the server started, in seconds since 1970.
    pub started: f64,
    /// The tables are not what this version needs.
    pub migrations_pending: bool,
    /// The server is shutting down.
    pub stopping: bool,
    /// The database's connections and queues.
    pub load: Load,
    /// The auth server's key set, where one is configured.
    pub keys: Option<Keys>,
}

/// Which program it is.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The commit that it was built from, where the build was told.
    pub commit: &'static str,
    /// `postgresql` or `sqlite`.
    pub database: &'static str,
}

/// The database's connections and queues.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// PostgreSQL's.
    Postgres(Pool, Lane),
    /// SQLite's.
    Sqlite(Waiting),
}

/// PostgreSQL's pool.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// Connections that it may have.
    pub most: usize,
    /// Connections that it has.
    pub open: usize,
    /// Those of them that nobody uses.
    pub idle: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

/// PostgreSQL's read lane.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lane {
    /// Connections that it is to have.
    pub most: usize,
    /// Connections that it has.
    pub open: usize,
}

/// What waits in SQLite's queues.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Reads by an index.
    pub steady: usize,
    /// Reads that may be slow.
    pub fresh: usize,
    /// Writes.
    pub writes: usize,
}

/// The auth server's key set.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// How long ago it was last fetched; none: never.
    pub age: Option<Duration>,
    /// Keys that can check tokens now.
    pub keys: usize,
    /// Fetches so far.
    pub fetches: u64,
    /// Those that failed.
    pub failures: u64,
}

impl Readings {
    pub(super) fn write(&self, text: &mut Text<'_>) -> fmt::Result {
        let Self { build, started, migrations_pending, stopping, load, keys } = self;
        let Build { version, commit, database } = *build;
        let labels = [("version", version), ("commit", commit), ("database", database)];
        text.gauges("creatorvault_build_info", "Which program this is")?.one(labels, 1_u64)?;
        let help = "When the server started, in seconds since 1970";
        text.seconds("process_start_time_seconds", help, *started)?;
        let help = "1 while the tables are not what this version needs";
        text.gauge("migrations_pending", help, u64::from(*migrations_pending))?;
        text.gauge("server_stopping", "1 while the server is shutting down", u64::from(*stopping))?;
        match load {
            Load::Postgres(pool, lane) => postgres(text, *pool, *lane)?,
            Load::Sqlite(waiting) => sqlite(text, *waiting)?,
        }
        keys.map_or(Ok(()), |keys| keys.write(text))
    }
}

fn postgres(text: &mut Text<'_>, pool: Pool, lane: Lane) -> fmt::Result {
    let Pool { most, open, idle, waiting } = pool;
    let mut connections = text.gauges("db_pool_connections", "Connections of the pool, by what they do")?;
    connections.one([("state", "in_use")], number(open.saturating_sub(idle)))?;
    connections.one([("state", "idle")], number(idle))?;
    text.gauge("db_pool_connections_max", "Connections that the pool may have", number(most))?;
    text.gauge("db_pool_waiting", "Requests that wait for a connection of the pool", number(waiting))?;
    let Lane { most, open } = lane;
    text.gauge("db_lane_connections", "Shared connections for reads", number(open))?;
    text.gauge("db_lane_connections_max", "Shared connections for reads that there should be", number(most))
}

fn sqlite(text: &mut Text<'_>, waiting: Waiting) -> fmt::Result {
    let Waiting { steady, fresh, writes } = waiting;
    let mut queues = text.gauges("sqlite_queue_waiting", "What waits for one of SQLite's threads")?;
    queues.one([("queue", "steady_reads")], number(steady))?;
    queues.one([("queue", "other_reads")], number(fresh))?;
    queues.one([("queue", "writes")], number(writes))
}

impl Keys {
    fn write(&self, text: &mut Text<'_>) -> fmt::Result {
        let Self { age, keys, fetches, failures } = *self;
        if let Some(age) = age {
            let help = "Time since the key set was last fetched; missing before the first fetch";
            text.seconds("jwks_age_seconds", help, age.as_secs_f64())?;
        }
        text.gauge("jwks_keys", "Keys of the auth server that can check tokens now", number(keys))?;
        text.counter("jwks_fetches", "Fetches of the key set", fetches)?;
        text.counter("jwks_fetch_failures", "Fetches of the key set that failed", failures)
    }
}

fn number(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
