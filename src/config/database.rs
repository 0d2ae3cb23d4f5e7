//! `DATABASE_URL` and what goes with it.

use std::time::Duration;

use super::{Environment, Reader};

mod postgres_url;
mod query;
mod url;

pub use postgres_url::{ChannelBinding, Host, PostgresUrl, RootCert, SessionAttrs, SslMode};
pub use url::DatabaseUrl;

/// Where a development server keeps its rows when nothing is configured.
const DEFAULT_URL: &str = "sqlite://data/creatorvault.db";

/// Ports on which poolers commonly listen (PgBouncer and its hosted variants).
const POOLER_PORTS: [u16; 2] = [6432, 6543];

/// The database's settings.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `DATABASE_URL`.
    pub url: DatabaseUrl,
    /// `DATABASE_DIRECT_URL`: past the pooler, for migrations.
    pub direct_url: Option<DatabaseUrl>,
    /// `DATABASE_POOL_SIZE`: connections; with the overflow the most that are ever open.
    pub pool_size: usize,
    /// `DATABASE_POOL_OVERFLOW`: connections beyond the pool's size.
    pub pool_overflow: usize,
    /// `DATABASE_ACQUIRE_TIMEOUT`.
    pub acquire_timeout: Duration,
    /// `DATABASE_STATEMENT_TIMEOUT`.
    pub statement_timeout: Duration,
    /// `DATABASE_PREPARED`.
    pub prepared: Prepared,
    /// `DATABASE_RLS`: row level security on PostgreSQL.
    pub rls: bool,
    /// `DATABASE_SCHEMA`, a plain identifier.
    pub schema: String,
    /// `AUTO_MIGRATE`.
    pub auto_migrate: bool,
    /// What is odd but no reason to stop: one line each, for the log.
    pub warnings: Vec<String>,
}

/// `DATABASE_PREPARED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// Found out from the URL.
    Auto,
    /// A direct connection.
    On,
    /// Behind a transaction pooler.
    Off,
}

impl DatabaseConfig {
    /// Reads every variable of the database; problems go to the reader, oddities to [`DatabaseConfig::warnings`].
    pub fn read(reader: &mut Reader, environment: Environment) -> Self {
        let mut warnings = Vec::new();
        let url = read_url(reader, environment, &mut warnings);
        let direct_url = read_direct_url(reader, &url, &mut warnings);
        let rls = read_rls(reader, &url);
        Self {
            url,
            direct_url,
            rls,
            pool_size: reader.parse("DATABASE_POOL_SIZE", 20, |text| count(text, 1)),
            pool_overflow: reader.parse("DATABASE_POOL_OVERFLOW", 10, |text| count(text, 0)),
            acquire_timeout: positive(reader, "DATABASE_ACQUIRE_TIMEOUT"),
            statement_timeout: positive(reader, "DATABASE_STATEMENT_TIMEOUT"),
            prepared: reader.parse("DATABASE_PREPARED", Prepared::Auto, prepared),
            schema: reader.parse("DATABASE_SCHEMA", "public".to_owned(), schema),
            auto_migrate: reader.switch("AUTO_MIGRATE", true),
            warnings,
        }
    }

    /// Whether the main URL leads through a transaction pooler: no named statements, no session settings there.
    pub fn is_pooled(&self) -> bool {
        match (self.prepared, &self.url) {
            (Prepared::On, _) | (_, DatabaseUrl::Sqlite(_)) => false,
            (Prepared::Off, DatabaseUrl::Postgres(_)) => true,
            (Prepared::Auto, DatabaseUrl::Postgres(url)) => looks_pooled(url),
        }
    }

    /// The URL that migrations use.
    pub fn migration_url(&self) -> &DatabaseUrl {
        self.direct_url.as_ref().unwrap_or(&self.url)
    }
}

fn looks_pooled(url: &PostgresUrl) -> bool {
    url.pgbouncer.unwrap_or_else(|| {
        url.hosts.iter().any(|(host, port)| {
            let named = matches!(host, Host::Name(name) if name.split('.').next().is_some_and(|l| l.ends_with("-pooler")));
            named || POOLER_PORTS.contains(port)
        })
    })
}

/// `DATABASE_URL`, else its alias, else the default of a development server.
fn read_url(reader: &mut Reader, environment: Environment, warnings: &mut Vec<String>) -> DatabaseUrl {
    let set = ["DATABASE_URL", "NEON_DATABASE_URL"]
        .into_iter()
        .find_map(|name| reader.text(name).map(|text| (name, text.to_owned())));
    let (name, text) = match (set, environment) {
        (Some(found), _) => found,
        (None, Environment::Development) => ("DATABASE_URL", DEFAULT_URL.to_owned()),
        (None, Environment::Production) => {
            reader.problem(
                "DATABASE_URL",
                "is not set: production has no default database; set it to postgresql://… or sqlite:///…",
            );
            ("DATABASE_URL", DEFAULT_URL.to_owned())
        }
    };
    parse_url(reader, name, &text, warnings)
        .unwrap_or_else(|| DatabaseUrl::Sqlite("data/creatorvault.db".into()))
}

/// `DATABASE_DIRECT_URL`, which makes sense beside a PostgreSQL URL only.
fn read_direct_url(
    reader: &mut Reader,
    main: &DatabaseUrl,
    warnings: &mut Vec<String>,
) -> Option<DatabaseUrl> {
    let text = reader.text("DATABASE_DIRECT_URL")?.to_owned();
    let direct = parse_url(reader, "DATABASE_DIRECT_URL", &text, warnings)?;
    match (&direct, main) {
        (DatabaseUrl::Postgres(_), DatabaseUrl::Postgres(_)) => Some(direct),
        _ => {
            reader.problem(
                "DATABASE_DIRECT_URL",
                "must be a PostgreSQL URL beside a PostgreSQL DATABASE_URL; leave it out for SQLite",
            );
            None
        }
    }
}

/// `DATABASE_RLS`. Whoever asks for that fence must not run without it.
fn read_rls(reader: &mut Reader, main: &DatabaseUrl) -> bool {
    let asked = reader.switch("DATABASE_RLS", false);
    if asked && matches!(main, DatabaseUrl::Sqlite(_)) {
        reader.problem(
            "DATABASE_RLS",
            "must not be on with SQLite, which has no row level security: unset it, or set DATABASE_URL to a PostgreSQL \
             database",
        );
    }
    asked
}

fn parse_url(reader: &mut Reader, name: &str, text: &str, warnings: &mut Vec<String>) -> Option<DatabaseUrl> {
    let mut odd = Vec::new();
    let parsed = DatabaseUrl::parse(text, &mut odd);
    warnings.extend(odd.into_iter().map(|text| format!("{name} {text}")));
    parsed.map_err(|text| reader.problem(name, text)).ok()
}

fn count(text: &str, least: usize) -> Result<usize, String> {
    let wrong = || format!("must be a number from {least} to 1000");
    text.parse().ok().filter(|number| (least..=1000).contains(number)).ok_or_else(wrong)
}

/// A timeout of five seconds unless set; none at all would let requests hang.
fn positive(reader: &mut Reader, name: &str) -> Duration {
    const DEFAULT: Duration = Duration::from_secs(5);
    reader.parse(name, DEFAULT, |text| {
        let duration = super::parse_duration(text)?;
        let allowed = Duration::from_millis(1)..=Duration::from_secs(3600);
        allowed.contains(&duration).then_some(duration).ok_or_else(|| "must be between 1ms and 1h".to_owned())
    })
}

fn prepared(text: &str) -> Result<Prepared, String> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Prepared::Auto),
        "on" | "true" => Ok(Prepared::On),
        "off" | "false" => Ok(Prepared::Off),
        _ => Err("must be auto, on (a direct connection) or off (behind a transaction pooler)".to_owned()),
    }
}

/// A plain identifier, because it is written into every statement.
///
/// # Errors
/// The rule that the name breaks, completing "NAME …".
pub fn schema(text: &str) -> Result<String, String> {
    let plain = text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !plain {
        return Err("must be a plain name: a-z, 0-9 and _, not starting with a digit, at most 63 characters"
            .to_owned());
    }
    if text.starts_with("pg_") || text == "information_schema" {
        return Err("must not be a schema of PostgreSQL's own; choose another name".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
