//! What a PostgreSQL server says of itself, asked over one connection of its own.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::citus::{self, CitusLook};
use crate::config::database::{DatabaseConfig, PostgresUrl};
use crate::db::DbError;
use crate::db::postgres::connector::Connector;
use crate::db::postgres::trouble::Trouble;

/// Everything at once. Rows are read as JSON where a column is not in every version of the server.
const QUESTIONS: &str = "\
select current_setting('server_version'), \
    current_setting('server_version_num'), \
    current_setting('server_encoding'), \
    to_jsonb(d) ->> 'datctype', \
    to_jsonb(d) ->> 'datlocprovider', \
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), \
    s.setting, \
    s.source, \
    pg_catalog.pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on', \
    n.oid is not null, \
    case when n.oid is null then has_database_privilege(d.oid, 'create') \
        else has_schema_privilege(n.oid, 'create') end, \
    (select count(*) from pg_catalog.pg_class i join pg_catalog.pg_index x on x.indexrelid = i.oid and x.indisvalid \
        where i.relnamespace = n.oid and i.relname in ('tasks_by_words', 'ideas_by_words')) = 2, \
    (select quote_ident(p.nspname) from pg_catalog.pg_extension e \
        join pg_catalog.pg_namespace p on p.oid = e.extnamespace where e.extname = 'pg_trgm'), \
    '@schema' <> 'public' and exists (select from pg_catalog.pg_roles where rolname = '@schema') and exists \
        (select from pg_catalog.pg_class c join pg_catalog.pg_namespace p on p.oid = c.relnamespace \
        where p.nspname = 'public' and c.relname in ('users', 'tasks', 'ideas')) \
from pg_catalog.pg_database d \
join pg_catalog.pg_settings s on s.name = 'statement_timeout' \
left join pg_catalog.pg_namespace n on n.nspname = '@schema' \
where d.datname = current_database()";

/// What a PostgreSQL server says of itself.
#[derive(Debug)]
pub struct PostgresLook {
    /// `server_version`, such as `18.1`.
    pub version: String,
    /// How long a connection took, from name resolution to login.
    pub connecting: Duration,
    /// How long one round trip took on it.
    pub round_trip: Duration,
    /// `server_encoding`.
    pub encoding: String,
    /// The database's `lc_ctype`.
    pub ctype: String,
    /// Whether the database takes classes of characters from its own locale and not from `lc_ctype`.
    pub own_classes: bool,
    /// `statement_timeout` as it counts on the connection.
    pub statement_timeout: Duration,
    /// Where that comes from (`pg_settings.source`), such as `client`, `user` or `default`.
    pub timeout_source: String,
    /// Whether nothing can be written: a standby, or a read-only default.
    pub read_only: bool,
    /// The schema of `DATABASE_SCHEMA`.
    pub schema: Rights,
    /// Whether tasks and ideas have the index that finds words.
    pub finds_words: bool,
    /// The schema of the extension `pg_trgm`, quoted where it must be; none when the database does not have it.
    pub trigrams: Option<String>,
    /// Whether the start-up option with the statement timeout was refused, as poolers do; the rest was then learned
    /// without it.
    pub refuses_options: bool,
    /// Whether a role is called like the schema, so that its names mean our tables first, while `public` has tables of the
    /// same names.
    pub shadows: bool,
    /// The extension Citus, where the database has it.
    pub citus: Option<CitusLook>,
}

/// What the role may do where the tables belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Whether the schema is there.
    pub there: bool,
    /// Whether the role may make tables in it, or the schema itself where it is not there.
    pub create: bool,
}

/// Looks at the server of a URL, connecting as the application does.
///
/// # Errors
/// [`DbError::Unavailable`] when it cannot be reached or refuses the login; [`DbError::Fault`] when it answers oddly.
pub async fn postgres(config: &DatabaseConfig, url: &PostgresUrl) -> Result<PostgresLook, DbError> {
    let timeout = (!config.is_pooled()).then_some(config.statement_timeout);
    let started = Instant::now();
    let (mut client, mut refuses_options) = (connect(config, url, timeout).await, false);
    if timeout.is_some() && client.as_ref().is_err_and(refuses) {
        (client, refuses_options) = (connect(config, url, None).await, true);
    }
    let client = client?;
    let connecting = started.elapsed();
    let started = Instant::now();
    rows(&client, "select 1").await?;
    let round_trip = started.elapsed();
    // A plain name, by the rules of the setting.
    let found = rows(&client, &QUESTIONS.replace("@schema", &config.schema)).await?;
    let answer = found.first().ok_or_else(|| DbError::Fault("no answer about the database".to_owned()))?;
    Ok(PostgresLook {
        citus: citus(&client, &config.schema).await?,
        ..read(answer, connecting, round_trip, refuses_options)
    })
}

async fn citus(client: &Client, schema: &str) -> Result<Option<CitusLook>, DbError> {
    let first = |rows: &[SimpleQueryRow]| {
        rows.first().and_then(|row| row.try_get(0).ok().flatten().map(str::to_owned))
    };
    let Some(version) = first(&rows(client, citus::EXTENSION).await?) else { return Ok(None) };
    let nodes = first(&rows(client, citus::NODES).await?);
    let tables = rows(client, &citus::TABLES.replace("@schema", schema)).await?;
    Ok(Some(citus::read(&version, nodes.as_deref(), &tables)))
}

async fn connect(
    config: &DatabaseConfig,
    url: &PostgresUrl,
    timeout: Option<Duration>,
) -> Result<Client, DbError> {
    let connector = Connector::new(config, url, timeout).map_err(DbError::Fault)?;
    let (client, connection) = connector.connect().await.map_err(DbError::Unavailable)?;
    // Its end is seen by whoever waits for an answer.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Whether it is the start-up option that was not liked: a protocol violation by PgBouncer's account.
fn refuses(error: &DbError) -> bool {
    matches!(error, DbError::Unavailable(text) if text.contains("SQLSTATE 08P01") || text.contains("startup parameter"))
}

async fn rows(client: &Client, text: &str) -> Result<Vec<SimpleQueryRow>, DbError> {
    let messages = client.simple_query(text).await.map_err(|error| Trouble::of(&error).unchanged())?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(rows.collect())
}

fn read(
    row: &SimpleQueryRow,
    connecting: Duration,
    round_trip: Duration,
    refuses_options: bool,
) -> PostgresLook {
    let text = |at: usize| row.try_get(at).ok().flatten().unwrap_or_default();
    let yes = |at: usize| text(at) == "t";
    let newest: u32 = text(1).parse().unwrap_or_default();
    PostgresLook {
        version: text(0).split(' ').next().unwrap_or_default().to_owned(),
        connecting,
        round_trip,
        encoding: text(2).to_owned(),
        ctype: text(3).to_owned(),
        own_classes: has_own_classes(newest, text(4), text(5)),
        statement_timeout: Duration::from_millis(text(6).parse().unwrap_or_default()),
        timeout_source: text(7).to_owned(),
        read_only: yes(8),
        schema: Rights { there: yes(9), create: yes(10) },
        finds_words: yes(11),
        trigrams: Some(text(12)).filter(|name| !name.is_empty()).map(str::to_owned),
        refuses_options,
        shadows: yes(13),
        citus: None,
    }
}

/// From PostgreSQL 18 on pg_trgm asks the database's own locale what a letter is; before, `lc_ctype` alone.
fn has_own_classes(version: u32, provider: &str, locale: &str) -> bool {
    version >= 180_000 && matches!(provider, "i" | "b") && locale != "C"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_servers_ask_the_databases_own_locale() {
        assert!(has_own_classes(180_001, "b", "C.UTF-8") && has_own_classes(180_001, "i", "und"));
        assert!(!has_own_classes(180_001, "b", "C") && !has_own_classes(180_001, "c", ""));
        assert!(!has_own_classes(170_004, "b", "C.UTF-8"));
    }

    #[test]
    fn a_refused_option_is_told_from_a_refused_login() {
        let refused = |text: &str| refuses(&DbError::Unavailable(format!("connecting failed: {text}")));
        assert!(refused("SQLSTATE 08P01: unsupported startup parameter: options"));
        assert!(!refused("SQLSTATE 28P01: password authentication failed"));
        assert!(!refused("error connecting to server: Connection refused"));
    }
}
