//! `copy`: everything of a SQLite file into an empty PostgreSQL database, in one transaction, compared row by row.

use std::time::Duration;

use clap::Args;

use super::{Failure, complain, settings, wait_for};
use crate::config::database::{self, DatabaseConfig, DatabaseUrl, PostgresUrl};
use crate::db::bulk::{Source, Target};

mod compare;
mod ends;
mod fill;
mod progress;
mod report;
mod sum;
mod tables;

use compare::compare;
use ends::Ends;
use report::{Report, Written};

/// How long a writer on the target, a server say, may keep its locks.
const PATIENCE: Duration = Duration::from_secs(10);

/// Copy everything from a SQLite file into an empty PostgreSQL database
///
/// All users with their tasks, ideas and tags, with ids, numbers, versions and times as they are. It is one transaction:
/// either all of it is there afterwards, read back and compared, or nothing. The file is only read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault copy --from sqlite://data/creatorvault.db --to postgresql://user:password@host/name
  creatorvault copy --from data/creatorvault.db --to \"$NEW_URL\" --schema creatorvault --json
  creatorvault copy --verify --from sqlite://data/creatorvault.db --to \"$NEW_URL\"    only compare

Stop the server first: a file that is written to meanwhile is not copied, and the exit code is 1. Then set DATABASE_URL to the new address, start the
server, and run creatorvault doctor. The target's tables are made, or brought up to date, as by creatorvault serve.

Exit codes: 0 everything is there and the same; 1 nothing was copied, or the file was written to in the very last
moment (standard error says which), or, with --verify, they differ; 2 misused.")]
pub(super) struct Copy {
    /// The SQLite file: its URL or its path
    #[arg(long, value_name = "URL", value_parser = file)]
    from: DatabaseUrl,
    /// The PostgreSQL database, past a pooler where there is one
    #[arg(long, value_name = "URL", value_parser = server)]
    to: Box<PostgresUrl>,
    /// The target's schema  [default: DATABASE_SCHEMA, or public]
    #[arg(long, value_name = "NAME", value_parser = database::schema)]
    schema: Option<String>,
    /// Write nothing: only compare what is in both
    #[arg(long)]
    verify: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Copy {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config(&settings()?.database);
        let ends = Ends::new(&self.from, &self.to, &config);
        let report = wait_for(async {
            match self.verify {
                true => self.look(&config, &ends).await,
                false => self.copy(&config, &ends).await,
            }
        })?;
        report.say(self.json);
        let wrong = report.wrong(&ends);
        if wrong.is_empty() { Ok(()) } else { Err(Failure(wrong)) }
    }

    /// The settings, about the target alone.
    fn config(&self, settings: &DatabaseConfig) -> DatabaseConfig {
        let mut config = settings.clone();
        config.url = DatabaseUrl::Postgres(self.to.clone());
        config.direct_url = None;
        if let Some(schema) = &self.schema {
            config.schema.clone_from(schema);
        }
        config
    }

    async fn copy(&self, config: &DatabaseConfig, ends: &Ends) -> Result<Report, Failure> {
        ends.check_source().await?;
        ends.prepare_target().await?;
        let target =
            Target::begin(&self.to, config, PATIENCE).await.map_err(|error| ends.unreachable(error))?;
        ends.take(&target).await?;
        complain(&format!(
            "note: what is written to {} from now on is not copied: let no server run on it",
            self.from
        ));
        let source = Source::open_moment(&self.from, config).await.map_err(|error| ends.unread(error))?;
        fill::all(&source, &target, ends).await?;
        let comparison = compare(&source, target.inside(), ends).await?;
        // As late as it can be and take everything back.
        let source_changed = source.changed().map_err(|error| ends.unread(error))?;
        if source_changed || !comparison.is_same() {
            return Ok(Report { written: Written::TakenBack, source_changed, comparison });
        }
        target.commit().await.map_err(|error| ends.uncommitted(error))?;
        let source_changed = source.changed().map_err(|error| ends.untold(error))?;
        Ok(Report { written: Written::All, source_changed, comparison })
    }

    async fn look(&self, config: &DatabaseConfig, ends: &Ends) -> Result<Report, Failure> {
        ends.check_source().await?;
        ends.check_target().await?;
        let source = Source::open_moment(&self.from, config).await.map_err(|error| ends.unread(error))?;
        let target =
            Source::open_moment(&config.url, config).await.map_err(|error| ends.unreachable(error))?;
        let comparison = compare(&source, &target, ends).await?;
        Ok(Report { written: Written::Nothing, source_changed: false, comparison })
    }
}

/// A SQLite URL, or the path of a file.
fn file(text: &str) -> Result<DatabaseUrl, String> {
    let is_path = !text.contains("://") && !text.starts_with("sqlite:");
    let url = if is_path && !text.is_empty() {
        DatabaseUrl::Sqlite(text.into())
    } else {
        DatabaseUrl::parse(text, &mut Vec::new())?
    };
    match url {
        DatabaseUrl::Sqlite(_) => Ok(url),
        DatabaseUrl::Postgres(_) => Err("copies from a SQLite file to PostgreSQL only: give the file, \
                                         sqlite://…; between PostgreSQL servers use pg_dump"
            .to_owned()),
    }
}

fn server(text: &str) -> Result<Box<PostgresUrl>, String> {
    match DatabaseUrl::parse(text, &mut Vec::new())? {
        DatabaseUrl::Postgres(url) => Ok(url),
        DatabaseUrl::Sqlite(_) => {
            Err("copies from a SQLite file to PostgreSQL only, not the other way: give \
                                       postgresql://…; a SQLite file is copied with sqlite3's .backup"
                .to_owned())
        }
    }
}
