//! Which database a URL names, in the forms that people paste.

use std::fmt;
use std::path::PathBuf;

use super::postgres_url::PostgresUrl;
use super::query;

/// Where the rows live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file; made with its folder when it is not there.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(Box<PostgresUrl>),
}

impl DatabaseUrl {
    /// Takes a URL apart; what is odd but harmless goes to `warnings`, completing "NAME …".
    ///
    /// # Errors
    /// The rule that the URL breaks, completing "NAME …". Never a piece of the URL: it may hold a password.
    pub fn parse(text: &str, warnings: &mut Vec<String>) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').ok_or_else(unknown_scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "postgres"
            | "postgresql"
            | "postgresql+psycopg"
            | "postgresql+psycopg2"
            | "postgresql+asyncpg" => {
                let rest = rest.strip_prefix("//").ok_or("must go on with // after its scheme")?;
                PostgresUrl::parse(rest, warnings).map(|url| Self::Postgres(Box::new(url)))
            }
            "sqlite" | "sqlite+aiosqlite" => sqlite_path(rest, warnings).map(Self::Sqlite),
            _ => Err(unknown_scheme()),
        }
    }

    /// As [`DatabaseUrl::parse`] without its warnings, for the command line, where the path of a SQLite file will do.
    ///
    /// # Errors
    /// Those of [`DatabaseUrl::parse`].
    pub fn parse_argument(text: &str) -> Result<Self, String> {
        let is_path = !text.contains("://") && !text.starts_with("sqlite:");
        if is_path && !text.is_empty() {
            return Ok(Self::Sqlite(text.into()));
        }
        Self::parse(text, &mut Vec::new())
    }
}

/// What a log may say of it: neither user nor password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "SQLite file {}", path.display()),
            Self::Postgres(url) => write!(f, "{url}"),
        }
    }
}

fn unknown_scheme() -> String {
    "must start with postgresql:// or sqlite://".to_owned()
}

/// `//rel`, `///abs` and `////abs` (as SQLAlchemy writes an absolute path).
fn sqlite_path(rest: &str, warnings: &mut Vec<String>) -> Result<PathBuf, String> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, keys) = rest.split_once('?').unwrap_or((rest, ""));
    for (key, _) in query::pairs(keys)? {
        warnings.push(query::ignored(&key));
    }
    let path = query::decode(path)?;
    let path = if path.starts_with("//") { &path[1..] } else { &path };
    if path.is_empty() || path == "/" || path.ends_with(":memory:") || path.contains('\0') {
        return Err("must name a file, such as sqlite://data/creatorvault.db".to_owned());
    }
    Ok(PathBuf::from(path))
}
