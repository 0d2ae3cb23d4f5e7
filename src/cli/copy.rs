//! `copy`: everything of a SQLite file into an empty PostgreSQL database, in one transaction, compared row by row.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Failure, complain, settings, wait_for};
use crate::config::database::{self, DatabaseConfig, DatabaseUrl};
use crate::db::bulk::{Source, Target};

mod compare;
mod ends;
mod fill;
mod progress;
mod report;
mod sum;
mod tables;
mod urls;
mod users;

use compare::compare;
use ends::Ends;
use report::{Report, Written};
use urls::Destination;
use users::Users;

/// How long a writer on the target, a server say, may keep its locks.
const PATIENCE: Duration = Duration::from_secs(10);

/// Copy everything from a SQLite file into an empty PostgreSQL database
///
/// All users with their tasks, ideas and tags, with ids, numbers, versions and times as they are. It is one transaction:
/// either all of it is there afterwards, read back and compared, or nothing. The file is only read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault copy --from sqlite://data/creatorvault.db                      into the database of DATABASE_URL
  creatorvault copy --from data/creatorvault.db --to-env NEW_URL --json       into that of the variable NEW_URL
  creatorvault copy --from data/creatorvault.db --to postgresql://host/name --schema creatorvault
  creatorvault copy --verify --from data/creatorvault.db --to-env NEW_URL     only compare
  creatorvault copy --from data/creatorvault.db --to-env NEW_URL --users users.jsonl

A password does not belong in --to: every user of the machine can read the arguments of a process.

Stop the server first: a file that is written to meanwhile is not copied, and the exit code is 1. Then set DATABASE_URL
to the new address, start the server, and run creatorvault doctor. The target's tables are made, or brought up to date,
as by creatorvault serve.

Exit codes: 0 everything is there and the same; 1 nothing was copied, or the file was written to in the very last
moment (standard error says which), or, with --verify, they differ; 2 misused.")]
pub(super) struct Copy {
    /// The SQLite file: its URL or its path
    #[arg(long, value_name = "URL", value_parser = urls::file)]
    from: DatabaseUrl,
    /// The PostgreSQL database, past a pooler where there is one  [default: that of DATABASE_URL]
    #[arg(long, value_name = "URL", value_parser = urls::server)]
    to: Option<Destination>,
    /// The environment variable that holds its URL
    #[arg(long, value_name = "NAME", value_parser = urls::variable, conflicts_with = "to")]
    to_env: Option<Destination>,
    /// The target's schema  [default: DATABASE_SCHEMA, or public]
    #[arg(long, value_name = "NAME", value_parser = database::schema)]
    schema: Option<String>,
    /// Write nothing: only compare what is in both
    #[arg(long)]
    verify: bool,
    /// Write what each user's rows of each table come to, number and SHA-256, as a line of JSON
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Copy {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = settings()?.database;
        let to = match self.to.as_ref().or(self.to_env.as_ref()) {
            Some(to) => to.clone(),
            None => urls::of_settings(&settings)?,
        };
        let config = self.config(&settings, &to);
        let ends = Ends::new(&self.from, &to, &config);
        let report = wait_for(async {
            match self.verify {
                true => self.look(&config, &ends).await,
                false => self.copy(&to, &config, &ends).await,
            }
        })?;
        report.say(self.json);
        let wrong = report.wrong(&ends);
        if wrong.is_empty() { Ok(()) } else { Err(Failure(wrong)) }
    }

    /// The settings, about the target alone.
    fn config(&self, settings: &DatabaseConfig, to: &Destination) -> DatabaseConfig {
        let mut config = settings.clone();
        config.url = DatabaseUrl::Postgres(to.url.clone());
        config.direct_url = None;
        if let Some(schema) = &self.schema {
            config.schema.clone_from(schema);
        }
        config
    }

    async fn copy(&self, to: &Destination, config: &DatabaseConfig, ends: &Ends) -> Result<Report, Failure> {
        ends.check_source().await?;
        let users = self.users()?;
        ends.prepare_target().await?;
        let target =
            Target::begin(&to.url, config, PATIENCE).await.map_err(|error| ends.unreachable(error))?;
        let lifted = ends.take(&target).await?;
        complain(&format!(
            "note: what is written to {} from now on is not copied: let no server run on it",
            self.from
        ));
        let source = Source::open_moment(&self.from, config).await.map_err(|error| ends.unread(error))?;
        fill::all(&source, &target, ends).await?;
        let comparison = compare(&source, target.inside(), ends, users).await?;
        // As late as it can be and take everything back.
        let source_changed = source.changed().map_err(|error| ends.unread(error))?;
        if source_changed || !comparison.is_same() {
            return Ok(Report { written: Written::TakenBack, source_changed, comparison });
        }
        target.restore(lifted).await.map_err(|error| ends.uncommitted(error))?;
        target.commit().await.map_err(|error| ends.uncommitted(error))?;
        let source_changed = source.changed().map_err(|error| ends.untold(error))?;
        Ok(Report { written: Written::All, source_changed, comparison })
    }

    fn users(&self) -> Result<Option<Users>, Failure> {
        self.users.as_deref().map(Users::create).transpose()
    }

    async fn look(&self, config: &DatabaseConfig, ends: &Ends) -> Result<Report, Failure> {
        ends.check_source().await?;
        let users = self.users()?;
        ends.check_target().await?;
        let source = Source::open_moment(&self.from, config).await.map_err(|error| ends.unread(error))?;
        let target =
            Source::open_moment(&config.url, config).await.map_err(|error| ends.unreachable(error))?;
        let comparison = compare(&source, &target, ends, users).await?;
        Ok(Report { written: Written::Nothing, source_changed: false, comparison })
    }
}
