//! Where it comes from and where it goes, as people name it.

use std::env::VarError;

use crate::cli::Failure;
use crate::config::database::{DatabaseConfig, DatabaseUrl, PostgresUrl};

/// The PostgreSQL database.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// The option or the variable that named it, for messages.
    pub(super) name: String,
    pub(super) url: Box<PostgresUrl>,
}

/// A SQLite URL, or the path of a file.
pub(super) fn file(text: &str) -> Result<DatabaseUrl, String> {
    let url = DatabaseUrl::parse_argument(text)?;
    match url {
        DatabaseUrl::Sqlite(_) => Ok(url),
        DatabaseUrl::Postgres(_) => Err("copies from a SQLite file to PostgreSQL only: give the file, \
                                         sqlite://…; between PostgreSQL servers use pg_dump"
            .to_owned()),
    }
}

/// A PostgreSQL URL on the command line.
pub(super) fn server(text: &str) -> Result<Destination, String> {
    Ok(Destination { name: "--to".to_owned(), url: postgres(text)? })
}

/// The environment variable of this name. No message holds a piece of its value.
pub(super) fn variable(name: &str) -> Result<Destination, String> {
    let text = std::env::var(name).map_err(|error| match error {
        VarError::NotPresent => "no such environment variable is set: export it, with the URL as its value",
        VarError::NotUnicode(_) => "the value of this environment variable is not UTF-8",
    })?;
    let url = postgres(&text).map_err(|rule| format!("the value of this environment variable {rule}"))?;
    Ok(Destination { name: format!("--to-env {name}"), url })
}

/// The database of the settings, past a pooler.
pub(super) fn of_settings(settings: &DatabaseConfig) -> Result<Destination, Failure> {
    let name = if settings.direct_url.is_some() { "DATABASE_DIRECT_URL" } else { "DATABASE_URL" };
    match settings.migration_url() {
        DatabaseUrl::Postgres(url) => Ok(Destination { name: name.to_owned(), url: url.clone() }),
        DatabaseUrl::Sqlite(_) => Err(Failure::from(
            "--to is not given, and DATABASE_URL names no PostgreSQL database: set it to postgresql://…, or name with \
             --to-env the environment variable that holds the URL"
                .to_owned(),
        )),
    }
}

fn postgres(text: &str) -> Result<Box<PostgresUrl>, String> {
    match DatabaseUrl::parse(text, &mut Vec::new())? {
        DatabaseUrl::Postgres(url) => Ok(url),
        DatabaseUrl::Sqlite(_) => {
            Err("copies from a SQLite file to PostgreSQL only, not the other way: give \
                                       postgresql://…; a SQLite file is copied with sqlite3's .backup"
                .to_owned())
        }
    }
}
