//! `restore`: a backup in the place of the SQLite file.

use std::path::PathBuf;

use clap::Args;

use super::backup::{told, variable};
use super::{Failure, say, settings};
use crate::clock::Clock;
use crate::config::database::{DatabaseConfig, DatabaseUrl};
use crate::db::backup::{self, Restored};

/// Put a backup in the place of the SQLite file of DATABASE_URL, with the server stopped
///
/// The backup is copied and read through before anything is changed. Afterwards either all of it is there or the old
/// file, whenever this command or the machine ends.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault restore /srv/backups/vault.db                       where there is no database yet, or an empty one
  creatorvault restore --force /srv/backups/vault.db               in place of one that has rows, which is kept aside
  DATABASE_URL=sqlite:///tmp/drill.db creatorvault restore /srv/backups/vault.db    to see that a backup is good

Stop the server first: a file that is open is not replaced. Migrations that the backup lacks are applied when the server
starts.

With PostgreSQL, use pg_restore; this command then says how.

Exit codes: 0 the backup is in its place, 1 it is not (what is said tells why), 2 misused.")]
pub(super) struct Restore {
    /// The backup
    #[arg(value_name = "FILE", value_parser = clap::value_parser!(PathBuf))]
    file: PathBuf,
    /// Replace a database that has rows, and keep it under another name
    #[arg(long)]
    force: bool,
}

impl Restore {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = settings()?.database;
        let DatabaseUrl::Sqlite(database) = &config.url else {
            return Err(elsewhere(&config));
        };
        let moment: String =
            Clock::system().now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        let restored = backup::restore(&self.file, database, self.force, &moment)?;
        say(&format!("{}: {}", database.display(), told(&restored.held)));
        report(&restored);
        Ok(())
    }
}

fn report(restored: &Restored) {
    if let Some(aside) = &restored.aside {
        say(&format!("the database that was there before: {}", aside.display()));
    }
    let pending: Vec<_> =
        restored.held.migrations.iter().filter(|row| !row.applied).map(|row| row.name.as_str()).collect();
    if !pending.is_empty() {
        say(&format!(
            "pending, applied when the server starts, or now by `creatorvault migrate up`: {}",
            pending.join(", ")
        ));
    }
}

fn elsewhere(config: &DatabaseConfig) -> Failure {
    Failure(vec![
        "DATABASE_URL names a PostgreSQL database, and this command puts back a SQLite file. Use PostgreSQL's own, into \
         an empty database:"
            .to_owned(),
        format!(
            "  pg_restore --no-owner --exit-on-error --single-transaction --dbname=\"${}\" FILE",
            variable(config)
        ),
        "For a point in time use base backups and the archived log (pg_basebackup, pgBackRest), with Neon a branch: \
         docs/backups.md"
            .to_owned(),
    ])
}
