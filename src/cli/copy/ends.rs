//! The two databases: whether they are what they have to be, and what is said when they are not.

use crate::config::database::{DatabaseConfig, DatabaseUrl};
use crate::db::bulk::{Lifted, Target};
use crate::db::migrate::{self, Applied};
use crate::db::{DbError, Row};

use super::tables::TABLES;
use super::urls::Destination;
use super::{Failure, PATIENCE, complain};

const NOTHING: &str = "nothing was copied";

/// The two databases.
#[derive(Debug)]
pub(super) struct Ends {
    from: DatabaseConfig,
    to: DatabaseConfig,
    /// What named the target.
    to_name: String,
}

impl Ends {
    /// The settings are about the target.
    pub(super) fn new(from: &DatabaseUrl, to: &Destination, config: &DatabaseConfig) -> Self {
        let of = |url| DatabaseConfig { url, direct_url: None, ..config.clone() };
        let Destination { name, url } = to;
        Self { from: of(from.clone()), to: of(DatabaseUrl::Postgres(url.clone())), to_name: name.clone() }
    }

    /// Refuses a source that has not the migrations of this program.
    pub(super) async fn check_source(&self) -> Result<(), Failure> {
        if let DatabaseUrl::Sqlite(path) = &self.from.url
            && !path.is_file()
        {
            let text =
                format!("--from: there is no file {}: name the SQLite file of the server", path.display());
            return Err(Failure::from(text));
        }
        let rows = migrate::status(&self.from).await.map_err(|error| self.unread(error))?;
        self.refuse_unknown("--from", &self.from, &rows)?;
        match pending(&rows) {
            None => Ok(()),
            Some(name) => Err(Failure::from(format!(
                "--from: {} lacks the migration {name}: run `creatorvault migrate up` with DATABASE_URL={} first",
                self.from.url,
                sqlite_url(&self.from.url)
            ))),
        }
    }

    /// Refuses a target that has not the migrations of this program, where nothing is to be written.
    pub(super) async fn check_target(&self) -> Result<(), Failure> {
        let rows = migrate::status(&self.to).await.map_err(|error| self.unreachable(error))?;
        self.refuse_unknown(&self.to_name, &self.to, &rows)?;
        match pending(&rows) {
            None => Ok(()),
            Some(name) => Err(Failure::from(format!(
                "{}: {} lacks the migration {name}: nothing has been copied there yet",
                self.to_name, self.to.url
            ))),
        }
    }

    /// Brings the target's tables up to date, where they are ours and hold nothing.
    pub(super) async fn prepare_target(&self) -> Result<(), Failure> {
        let rows = migrate::status(&self.to).await.map_err(|error| self.unreachable(error))?;
        self.refuse_unknown(&self.to_name, &self.to, &rows)?;
        if pending(&rows).is_none() {
            return Ok(());
        }
        if rows.iter().any(|row| row.applied) {
            // Every row of ours belongs to a user, and the first migration makes that table.
            let DatabaseUrl::Postgres(url) = &self.to.url else { return Ok(()) };
            let look = async {
                let target = Target::begin(url, &self.to, PATIENCE).await?;
                // Nothing of this is committed.
                let _lifted = target.lift(&[TABLES[0].name]).await?;
                target.inside().rows(&TABLES[0].any()).await
            };
            let found = look.await.map_err(|error| self.unreachable(error))?;
            self.refuse_rows(TABLES[0].name, &found)?;
        }
        let applied = migrate::up(&self.to).await.map_err(|error| self.unreachable(error))?;
        applied.iter().for_each(|name| complain(&format!("applied {name} to the target")));
        Ok(())
    }

    /// Locks the target's tables against everybody else who writes, lifts row level security from them, and refuses one
    /// that holds a row.
    pub(super) async fn take(&self, target: &Target) -> Result<Lifted<'static>, Failure> {
        let names: Vec<_> = TABLES.iter().map(|table| format!("@{}", table.name)).collect();
        let lock = format!("lock table {} in share row exclusive mode", names.join(", "));
        let lifting = async {
            target.run(&lock).await?;
            target.lift(&TABLES.map(|table| table.name)).await
        };
        let lifted = lifting.await.map_err(|error| match error {
            DbError::Locked(_) => Failure::from(format!(
                "{}: another program is writing to {}; {NOTHING}: stop the server that runs on it, and run this \
                 again",
                self.to_name, self.to.url
            )),
            other => self.unwritten(other),
        })?;
        for table in &TABLES {
            let found = target.inside().rows(&table.any()).await.map_err(|error| self.unwritten(error))?;
            self.refuse_rows(table.name, &found)?;
        }
        Ok(lifted)
    }

    fn refuse_rows(&self, table: &str, found: &[Row]) -> Result<(), Failure> {
        if found.is_empty() {
            return Ok(());
        }
        Err(Failure::from(format!(
            "{}: {} has rows in {}.{table} already, and a copy goes into empty tables only; {NOTHING}: name another \
             database, or another schema with --schema",
            self.to_name, self.to.url, self.to.schema
        )))
    }

    /// Refuses a database that another version of this program has changed.
    fn refuse_unknown(&self, option: &str, config: &DatabaseConfig, rows: &[Applied]) -> Result<(), Failure> {
        let ours = migrate::names(config);
        match rows.iter().find(|row| !ours.contains(&row.name)) {
            None => Ok(()),
            Some(row) => Err(Failure::from(format!(
                "{option}: {} has the migration {}, which this version does not know; {NOTHING}: run the newest \
                 version of this program",
                config.url, row.name
            ))),
        }
    }

    /// The source does not answer.
    pub(super) fn unread(&self, error: DbError) -> Failure {
        Failure::from(format!("--from: {} cannot be read: {}; {NOTHING}", self.from.url, error.into_text()))
    }

    /// The target cannot be reached, or its tables are not what they have to be.
    pub(super) fn unreachable(&self, error: DbError) -> Failure {
        let cure = match &error {
            DbError::Unavailable(_) => {
                ": see that the server runs, and put host, port, user, password and database right"
            }
            DbError::OutcomeUnknown(_) | DbError::Locked(_) | DbError::Fault(_) => "",
        };
        Failure::from(format!("{}: {}: {}; {NOTHING}{cure}", self.to_name, self.to.url, error.into_text()))
    }

    /// What was copied cannot be read.
    pub(super) fn unreadable(&self, error: DbError) -> Failure {
        Failure::from(format!(
            "{}: {} cannot be read: {}; {NOTHING}",
            self.to_name,
            self.to.url,
            error.into_text()
        ))
    }

    /// The target has refused rows.
    pub(super) fn unwritten(&self, error: DbError) -> Failure {
        let reason = error.into_text();
        let cure = if reason.contains("SQLSTATE 23503") {
            ": a row of the SQLite file refers to one that is not there; `pragma foreign_key_check` in sqlite3 names it"
        } else {
            ", run this again when that is put right"
        };
        Failure::from(format!(
            "{}: {} has not taken the rows: {reason}; {NOTHING}{cure}",
            self.to_name, self.to.url
        ))
    }

    /// The commit failed.
    pub(super) fn uncommitted(&self, error: DbError) -> Failure {
        match error {
            DbError::OutcomeUnknown(text) => Failure::from(format!(
                "{}: {}: {text}; whether everything was copied or nothing is unknown: run this again with --verify",
                self.to_name, self.to.url
            )),
            other => self.unwritten(other),
        }
    }

    /// The source does not say, after the commit, whether it was written to.
    pub(super) fn untold(&self, error: DbError) -> Failure {
        Failure::from(format!(
            "--from: {} cannot be read any more: {}; everything was copied and compared, and stays, but whether the file \
             was written to in the last moment is unknown: stop the server that runs on it, and run this with --verify",
            self.from.url,
            error.into_text()
        ))
    }

    /// For a copy that was taken back, because the source is another by now.
    pub(super) fn written_meanwhile(&self) -> String {
        format!(
            "--from: {} was written to while it was copied; {NOTHING}: stop the server that runs on it, and run this again",
            self.from.url
        )
    }

    /// For a copy that stays, and lacks what was written between the last look and the commit.
    pub(super) fn written_at_last(&self) -> String {
        format!(
            "--from: {} was written to in the last moment; everything before that was copied and stays, those changes are \
             not in the target: stop the server that runs on the file, empty the target (`delete from \"{}\".users`) and \
             run this again",
            self.from.url, self.to.schema
        )
    }
}

fn pending(rows: &[Applied]) -> Option<&str> {
    rows.iter().find(|row| !row.applied).map(|row| row.name.as_str())
}

/// As `DATABASE_URL` takes it.
fn sqlite_url(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(_) => url.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;

    #[tokio::test]
    async fn a_target_that_somebody_else_writes_to_is_refused_with_the_cure() {
        let url = std::env::var("TEST_POSTGRES_URL").expect("scripts/test sets it");
        let schema = format!("test_{}", Clock::system().random_id().simple());
        let vars = [("DATABASE_URL", url.clone()), ("DATABASE_SCHEMA", schema.clone())];
        let vars = vars.map(|(name, value)| (name.to_owned(), value));
        let config = Config::from_vars(vars).unwrap().0.database;
        let DatabaseUrl::Postgres(to) = &config.url else { panic!("PostgreSQL") };
        let named = Destination { name: "--to-env NEW_URL".to_owned(), url: to.clone() };
        let ends = Ends::new(&DatabaseUrl::Sqlite("not-there.db".into()), &named, &config);
        ends.prepare_target().await.unwrap();
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
            .batch_execute(&format!("begin; insert into {schema}.users (id) values ('ann')"))
            .await
            .unwrap();
        let take = async || {
            let target = Target::begin(to, &config, Duration::from_millis(50)).await.unwrap();
            ends.take(&target).await.map(drop)
        };
        let Failure(lines) = take().await.unwrap_err();
        client.batch_execute("rollback").await.unwrap();
        let afterwards = take().await;
        client.batch_execute(&format!("drop schema {schema} cascade")).await.unwrap();
        let line = format!(
            "--to-env NEW_URL: another program is writing to {}; nothing was copied: stop the server that runs on it, and run this \
             again",
            config.url
        );
        assert_eq!((lines, afterwards), (vec![line], Ok(())));
    }
}
