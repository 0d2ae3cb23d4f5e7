//! `backup`: a copy of the SQLite file, while the server runs.

use std::path::PathBuf;

use clap::Args;

use super::doctor::size;
use super::{Failure, say, settings};
use crate::config::database::{DatabaseConfig, DatabaseUrl};
use crate::db::backup::{self, Held};

/// Copy the SQLite file of DATABASE_URL, while the server runs and writes
///
/// The copy holds everything that was acknowledged before, as one moment. It is read through, written to the disk, and
/// only then gets its name. It is readable by its owner alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault backup /srv/backups/vault.db
  creatorvault backup --force /srv/backups/latest.db              replace the one of yesterday
  creatorvault backup \"/srv/backups/vault-$(date +%F).db\"         one for each day

The server goes on reading and writing. The file is an ordinary SQLite database: creatorvault restore FILE puts it back,
and it can be looked at with sqlite3.

With PostgreSQL, use pg_dump; this command then says how.

Exit codes: 0 the backup is whole and on the disk, 1 there is none (one of that name from before is untouched), 2 misused.")]
pub(super) struct Backup {
    /// The file to write
    #[arg(value_name = "FILE", value_parser = clap::value_parser!(PathBuf))]
    file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

impl Backup {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = settings()?.database;
        let DatabaseUrl::Sqlite(database) = &config.url else {
            return Err(elsewhere(&config));
        };
        let held = backup::make(database, &self.file, self.force)?;
        say(&format!("{}: {}", self.file.display(), told(&held)));
        Ok(())
    }
}

/// Rows and size, in a line.
pub(super) fn told(held: &Held) -> String {
    let tables: Vec<_> = held.tables.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
    let rows = if held.rows() == 1 { "1 row" } else { &format!("{} rows", held.rows()) };
    format!("{rows} ({}), {}, integrity ok", tables.join(", "), size(held.bytes))
}

fn elsewhere(config: &DatabaseConfig) -> Failure {
    let variable = variable(config);
    Failure(vec![
        "DATABASE_URL names a PostgreSQL database, and this command copies a SQLite file. Use PostgreSQL's own:".to_owned(),
        format!("  pg_dump --format=custom --no-owner{} --file=FILE \"${variable}\"", schema(config)),
        "For a point in time use base backups and the archived log (pg_basebackup, pgBackRest), with Neon a branch: \
         docs/backups.md"
            .to_owned(),
    ])
}

/// The variable that leads past a pooler, where one does.
pub(super) fn variable(config: &DatabaseConfig) -> &'static str {
    if config.direct_url.is_some() { "DATABASE_DIRECT_URL" } else { "DATABASE_URL" }
}

/// Ours alone, where it has a schema of its own.
fn schema(config: &DatabaseConfig) -> String {
    match config.schema.as_str() {
        "public" => String::new(),
        name => format!(" --schema={name} --extension=pg_trgm --extension=btree_gin"),
    }
}
