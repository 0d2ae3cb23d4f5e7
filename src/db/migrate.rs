//! Migrations: versioned SQL, the same file names for both databases, each applied once and in one transaction.
//!
//! Several processes may migrate at once, also through a transaction pooler: the lock belongs to the transaction that
//! runs the migration, and a process that dies leaves nothing half done.

use std::path::{Path, PathBuf};

use crate::config::database::{DatabaseConfig, DatabaseUrl};

use super::{DbError, Engine};

mod fence;
mod files;
mod postgres;
mod sqlite;

pub use fence::{Fence, Fenced};
use files::Migration;

/// Where applied migrations are written down.
pub(super) const BOOK: &str = "creatorvault_migrations";

/// A migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Whether the database has it.
    pub applied: bool,
    /// Version and name, as its files are called.
    pub name: String,
}

/// What the database has written down about a migration.
#[derive(Debug)]
struct Record {
    version: i64,
    name: String,
    checksum: String,
}

/// Which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Applies every pending migration, and with `DATABASE_RLS=on` puts row level security on the tables that lack it: the
/// names of what this call applied.
///
/// # Errors
/// [`DbError::Unavailable`]: the database is down, or another process has migrated for ten minutes; run it again.
/// [`DbError::Fault`], with the cure: a table of our name that these migrations did not make, a migration that was
/// changed after it was applied, a missing right. Nothing is half done.
pub async fn up(config: &DatabaseConfig) -> Result<Vec<String>, DbError> {
    let known = files::known(engine(config));
    let mut done = go(config, Way::Up, u32::MAX, &known).await?;
    if let (true, DatabaseUrl::Postgres(url)) = (config.rls, config.migration_url()) {
        let count = postgres::put_up(config, url, &known).await?;
        if count > 0 {
            tracing::info!(target: "creatorvault::db", tables = count, "row level security put up");
            done.push("row level security".to_owned());
        }
    }
    Ok(done)
}

/// How row level security stands for the role of `DATABASE_URL`, which is the one that serves; none on SQLite.
///
/// # Errors
/// [`DbError::Unavailable`] when the database does not answer.
pub async fn fence(config: &DatabaseConfig) -> Result<Option<Fence>, DbError> {
    match &config.url {
        DatabaseUrl::Postgres(url) => {
            postgres::fence(config, url, &files::known(Engine::Postgres)).await.map(Some)
        }
        DatabaseUrl::Sqlite(_) => Ok(None),
    }
}

/// Takes the newest `count` migrations back, with what their tables and columns hold: their names.
///
/// # Errors
/// As [`up`].
pub async fn down(config: &DatabaseConfig, count: u32) -> Result<Vec<String>, DbError> {
    go(config, Way::Down, count, &files::known(engine(config))).await
}

/// Every migration that this program or the database knows, in order.
///
/// # Errors
/// As [`up`]; it changes nothing.
pub async fn status(config: &DatabaseConfig) -> Result<Vec<Applied>, DbError> {
    let known = files::known(engine(config));
    let records = records(config, &known).await?;
    Ok(listed(&known, &records))
}

/// As [`status`], of a SQLite file that somebody has opened.
///
/// # Errors
/// As [`status`].
pub(super) fn status_through(connection: &rusqlite::Connection) -> Result<Vec<Applied>, DbError> {
    let known = files::known(Engine::Sqlite);
    let records = sqlite::records_through(connection, &known)?;
    Ok(listed(&known, &records))
}

/// The names of the migrations that this program has for the database, in order.
pub fn names(config: &DatabaseConfig) -> Vec<String> {
    names_of(engine(config))
}

/// As [`names`], for an engine.
pub(super) fn names_of(engine: Engine) -> Vec<String> {
    files::known(engine).iter().map(Migration::full_name).collect()
}

/// What is known here and what is written down there, in one order.
fn listed(known: &[Migration], records: &[Record]) -> Vec<Applied> {
    let has = |version| records.iter().any(|record| record.version == version);
    let mut rows: Vec<(i64, Applied)> = known
        .iter()
        .map(|migration| {
            (migration.version, Applied { applied: has(migration.version), name: migration.full_name() })
        })
        .collect();
    for record in
        records.iter().filter(|record| known.iter().all(|migration| migration.version != record.version))
    {
        rows.push((
            record.version,
            Applied { applied: true, name: files::full_name(record.version, &record.name) },
        ));
    }
    rows.sort_by_key(|(version, _)| *version);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What [`up`] would run, as text that can be run by hand; a comment when nothing is pending.
///
/// # Errors
/// As [`up`]; it changes nothing.
pub async fn up_sql(config: &DatabaseConfig) -> Result<String, DbError> {
    let known = files::known(engine(config));
    let records = records(config, &known).await?;
    let pending = known.iter().filter(|m| records.iter().all(|record| record.version != m.version));
    let mut text = files::script(engine(config), &config.schema, pending);
    if let Some(fence) = fence(config).await?.filter(|_| config.rls) {
        text.push_str(&fence::script(&fence, &known, &config.schema));
    }
    Ok(text)
}

/// Begins a migration: four files, up and down for each database, with the next number, below `dir`.
///
/// # Errors
/// A folder that cannot be read or written, a name that is not made of `a-z`, `0-9` and `_`.
pub fn new(dir: &Path, name: &str) -> std::io::Result<Vec<PathBuf>> {
    files::make(dir, name)
}

fn engine(config: &DatabaseConfig) -> Engine {
    match config.url {
        DatabaseUrl::Postgres(_) => Engine::Postgres,
        DatabaseUrl::Sqlite(_) => Engine::Sqlite,
    }
}

async fn go(
    config: &DatabaseConfig,
    way: Way,
    most: u32,
    known: &[Migration],
) -> Result<Vec<String>, DbError> {
    let done = match config.migration_url() {
        DatabaseUrl::Postgres(url) => postgres::go(config, url, way, most, known).await,
        DatabaseUrl::Sqlite(path) => {
            let (path, known) = (path.clone(), known.to_vec());
            blocking(move || sqlite::go(&path, way, most, &known)).await
        }
    }?;
    for name in &done {
        let event = if way == Way::Up { "migration applied" } else { "migration taken back" };
        tracing::info!(target: "creatorvault::db", migration = name, "{event}");
    }
    Ok(done)
}

/// What the database has written down, after the checks that go before any change.
async fn records(config: &DatabaseConfig, known: &[Migration]) -> Result<Vec<Record>, DbError> {
    match config.migration_url() {
        DatabaseUrl::Postgres(url) => postgres::records(config, url, known).await,
        DatabaseUrl::Sqlite(path) => {
            let (path, known) = (path.clone(), known.to_vec());
            blocking(move || sqlite::records(&path, &known)).await
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(DbError::Fault("the migration's thread ended".to_owned())))
}

/// Refuses a database whose migrations are not ours; one that is ahead of us is only worth a warning, because every
/// migration leaves the previous version of the program working.
fn check(known: &[Migration], records: &[Record]) -> Result<(), DbError> {
    for record in records {
        let full = files::full_name(record.version, &record.name);
        match known.iter().find(|migration| migration.version == record.version) {
            Some(migration) if migration.checksum() == record.checksum => {}
            Some(migration) => {
                let ours = migration.full_name();
                return Err(DbError::Fault(format!(
                    "migration {full} was applied to this database with another text than {ours} has now; restore \
                     the file as it was applied, and put the change into a new migration"
                )));
            }
            None => {
                tracing::warn!(target: "creatorvault::db", migration = full, "the database has a migration that this program lacks");
            }
        }
    }
    Ok(())
}

/// The next migration on the way, if there is one.
fn next<'a>(way: Way, known: &'a [Migration], records: &[Record]) -> Result<Option<&'a Migration>, DbError> {
    check(known, records)?;
    match way {
        Way::Up => Ok(known.iter().find(|m| records.iter().all(|record| record.version != m.version))),
        Way::Down => {
            let Some(last) = records.iter().max_by_key(|record| record.version) else { return Ok(None) };
            let found = known.iter().find(|migration| migration.version == last.version);
            found.map(Some).ok_or_else(|| {
                let full = files::full_name(last.version, &last.name);
                DbError::Fault(format!("migration {full} can only be taken back by a program that has it"))
            })
        }
    }
}

/// A table that a pending migration would make is there already: says the way out, and for rows that can be taken over
/// the command that does it.
fn foreign(table: &str, engine: Engine) -> DbError {
    let name = table.rsplit('.').next().unwrap_or(table);
    let old = format!("{}old_{name}", table.strip_suffix(name).unwrap_or_default());
    let (other, there) = match engine {
        Engine::Postgres => ("set DATABASE_SCHEMA=creatorvault", format!("--table {table}")),
        Engine::Sqlite => ("name another file in DATABASE_URL", format!("--from FILE --table {table}")),
    };
    let mut text = format!(
        "the table {table} is there already, and these migrations did not make it (another back end's?): rename it \
         (`alter table {table} rename to old_{name}`) or {other}"
    );
    let kind = match name {
        "tasks" => "",
        "ideas" => " --as ideas",
        _ => return DbError::Fault(text),
    };
    text.push_str(&format!(
        "; then run `creatorvault migrate up`, and take its rows over with `creatorvault import{kind} --table {old}` \
         (or `{there}`)"
    ));
    DbError::Fault(text)
}

#[cfg(test)]
mod tests;
