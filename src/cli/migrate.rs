//! `migrate`: the versioned SQL of both databases, up, down, listed, begun.

use std::path::Path;

use clap::Subcommand;

use super::{Failure, complain, say, settings, wait_for};
use crate::db::{DbError, migrate};

/// Bring the database's tables up to date, take them back, list what is applied, begin a new migration
#[derive(Debug, Subcommand)]
pub(super) enum Migrate {
    /// Apply what is pending; safe from several processes at once
    #[command(after_help = "\
Examples:
  creatorvault migrate up                   apply every pending migration to DATABASE_URL
  creatorvault migrate up --sql > next.sql  only print what would run, to read it or to run it by hand with psql

DATABASE_DIRECT_URL, where it is set, is used instead of DATABASE_URL: the address past a connection pooler.
With DATABASE_RLS=on it also puts row level security on the tables that lack it, which only their owner can.")]
    Up {
        /// Print the SQL that would run, and run nothing
        #[arg(long)]
        sql: bool,
    },
    /// Take the newest migrations back; what their tables and columns held is lost
    #[command(after_help = "\
Examples:
  creatorvault migrate down      take the newest one back
  creatorvault migrate down 3    take the newest three back")]
    Down {
        /// How many
        #[arg(value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
    },
    /// List what is applied and what is pending
    #[command(after_help = "\
Examples:
  creatorvault migrate status
  DATABASE_URL=postgresql://… creatorvault migrate status")]
    Status,
    /// Begin a migration: four empty files (up and down, PostgreSQL and SQLite) in ./migrations
    #[command(after_help = "\
Examples:
  creatorvault migrate new add_task_colour

A migration leaves the previous version of the program working: a rolling restart runs both.")]
    New {
        /// What it does, in lower-case letters, digits and underscores
        #[arg(value_parser = name)]
        name: String,
    },
}

impl Migrate {
    pub(super) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Up { sql: true } => {
                let config = settings()?;
                let text = wait_for(async { migrate::up_sql(&config.database).await.map_err(failed) })?;
                say(text.trim_end());
            }
            Self::Up { sql: false } => {
                let config = settings()?;
                let done = wait_for(async { migrate::up(&config.database).await.map_err(failed) })?;
                done.iter().for_each(|name| say(&format!("applied {name}")));
                if done.is_empty() {
                    say("nothing pending");
                }
            }
            Self::Down { count } => {
                let config = settings()?;
                let done = wait_for(async { migrate::down(&config.database, *count).await.map_err(failed) })?;
                done.iter().for_each(|name| say(&format!("took back {name}")));
                if done.is_empty() {
                    say("nothing applied");
                }
            }
            Self::Status => {
                let config = settings()?;
                let rows = wait_for(async { migrate::status(&config.database).await.map_err(failed) })?;
                for row in rows {
                    say(&format!("{:8} {}", if row.applied { "applied" } else { "pending" }, row.name));
                }
                if config.database.rls {
                    let fence = wait_for(async { migrate::fence(&config.database).await.map_err(failed) })?;
                    let open = fence.is_none_or(|fence| fence.tables.is_empty() || !fence.open().is_empty());
                    say(&format!("{:8} row level security", if open { "pending" } else { "applied" }));
                }
            }
            Self::New { name } => {
                let made = migrate::new(Path::new("migrations"), name).map_err(|error| error.to_string())?;
                made.iter().for_each(|file| say(&file.display().to_string()));
                complain(
                    "Write the same change into both databases' files, and the way back into the down files.",
                );
            }
        }
        Ok(())
    }
}

/// The database's own words: they name the cure.
fn failed(error: DbError) -> Failure {
    match error {
        DbError::Unavailable(reason) | DbError::Locked(reason) => {
            Failure::from(format!("the database is unavailable: {reason}"))
        }
        DbError::OutcomeUnknown(reason) | DbError::Fault(reason) => Failure::from(reason),
    }
}

/// A name that is safe as a part of a file's name.
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !text.is_empty() && text.len() <= 60 && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 60 lower-case letters, digits and underscores, such as add_task_colour".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_file_names() {
        assert_eq!(name("add_task_colour2"), Ok("add_task_colour2".to_owned()));
        for bad in ["", "../x", "Add", "a b", "é", &"x".repeat(61)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
