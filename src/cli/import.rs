//! `import`: takes the rows of an existing back end.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Failure, say, settings, wait_for};
use crate::config::database::{DatabaseConfig, DatabaseUrl};
use crate::db::bulk::{Access, Sink, Source};
use crate::db::{DbError, migrate};

mod arguments;
mod columns;
mod judge;
mod met;
mod people;
mod read;
mod report;
mod rows;
mod table;
mod taking;
mod times;
mod users;
mod words;

use columns::{Columns, Field};
use people::People;
use read::Reader;
use report::Report;
use table::{Keys, Missing, Table};
use taking::Taking;
use users::UserMap;
use words::Words;

/// Rows in one transaction.
const AT_ONCE: usize = 500;

/// Take the rows of an existing back end into DATABASE_URL
///
/// The source is only read. What is there already is not taken twice, so it may run again after a break or with
/// refused rows mended. Nothing is cut or changed to fit: a row that breaks a rule of the API is named with its id and
/// the rule, and left out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault import --from-env OLD_DATABASE_URL --dry-run             what would become of the rows of its table tasks
  creatorvault import --from sqlite:///srv/old/todo.db --table task     as SQLModel names the table of a class Task
  creatorvault import --table old_tasks                                 a renamed table of DATABASE_URL's own database
  creatorvault import --from old.db --user-map users.csv                own logins before, Better Auth now
  creatorvault import --from old.db --table notes --as ideas --user ann --map title=headline --value stage:writing=draft

Exit codes: 0 every row is there now, 1 some were refused or it failed, 2 misused.")]
pub(super) struct Import {
    /// The database that has the rows: a PostgreSQL URL, a SQLite URL or a SQLite file  [default: that of DATABASE_URL]
    #[arg(long, value_name = "URL", value_parser = DatabaseUrl::parse_argument)]
    from: Option<DatabaseUrl>,
    /// The environment variable that holds that URL: for a URL with a password, since everybody on the machine may see
    /// the arguments of a process, and only its own user the environment
    #[arg(long, value_name = "NAME", value_parser = arguments::source_of_variable, conflicts_with = "from")]
    from_env: Option<DatabaseUrl>,
    /// The table that has them; with its schema (old.tasks) where the name alone does not do  [default: tasks, or ideas]
    #[arg(long)]
    table: Option<String>,
    /// What they become
    #[arg(long = "as", value_enum, default_value_t = Kind::Tasks)]
    kind: Kind,
    /// A field and its column, where the name does not say it: title=headline; `tags=` leaves a field out
    #[arg(long, value_name = "TARGET=SOURCE", num_args = 1.., value_parser = arguments::pair)]
    map: Vec<(String, String)>,
    /// What a word means: priority:urgent=high, completed:archived=true, stage:writing=draft
    #[arg(long, value_name = "FIELD:OLD=NEW", num_args = 1.., value_parser = arguments::meaning)]
    value: Vec<(String, String)>,
    /// Whose rows these are, for a table that does not say it
    #[arg(long, value_name = "ID", value_parser = arguments::user, conflicts_with = "user_map")]
    user: Option<String>,
    /// A CSV file of old and new user ids, a line `old,new` for each, where the front-end's tokens carry other ids than
    /// the table
    #[arg(long, value_name = "FILE")]
    user_map: Option<PathBuf>,
    /// The source's table of users, such as Better Auth's `user`: email and name for the users that are made
    #[arg(long, value_name = "TABLE")]
    users_table: Option<String>,
    /// Read, check and report all the same, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What the rows become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Tasks,
    Ideas,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Ideas => "ideas",
        }
    }

    /// The column of the long text.
    fn text_column(self) -> &'static str {
        match self {
            Self::Tasks => "description",
            Self::Ideas => "notes",
        }
    }
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = settings()?;
        let words = Words::read(self.kind, &self.value)?;
        let users = self.user_map.as_deref().map(UserMap::read).transpose()?;
        let report = wait_for(self.take(&config.database, &words, users.as_ref()))?;
        report.finish(self.dry_run);
        if report.refused == 0 {
            return Ok(());
        }
        let cure = "refused rows are left out: mend them in the source, or say what they mean with --map, --value or \
                    --user-map, and run the same command again; what is there is not taken twice";
        Err(Failure::from(cure.to_owned()))
    }

    async fn take(
        &self,
        config: &DatabaseConfig,
        words: &Words,
        users: Option<&UserMap>,
    ) -> Result<Report, Failure> {
        let sink = target(config).await?;
        let from = self.from.as_ref().or(self.from_env.as_ref()).unwrap_or(config.migration_url());
        let read = |error| unread(from, error);
        let source = Source::open(from, config).await.map_err(read)?;
        let find = async |name| Table::find(&source, name).await.map_err(|missing| missing.failure(from));
        let people = match &self.users_table {
            Some(name) => {
                People::read(&source, &find(name).await?, users).await.map_err(|m| m.failure(from))?
            }
            None => People::default(),
        };
        let table = find(self.table.as_deref().unwrap_or(self.kind.name())).await?;
        let columns = self.columns(&table)?;
        let counts_per_user = match table.keys(&source, &columns).await.map_err(read)? {
            Keys::Ids => false,
            Keys::IdsOfUsers => true,
            Keys::None { twice: ids } => return Err(Failure::from(twice(ids, &columns))),
        };
        say(&format!("from {from}: {}, as {}", table.name, self.kind.name()));
        self.introduce(&columns);
        let report = Report::new(table.count(&source).await.map_err(read)?);
        let reader = Reader {
            kind: self.kind,
            columns: &columns,
            words,
            user: self.user.as_deref(),
            users,
            counts_per_user,
        };
        let mut taking = Taking::new(reader, sink, people, report, self.access());
        let ended = pour(&mut taking, &source, from, &table).await;
        let report = taking.into_report();
        if ended.is_err() {
            report.finish(self.dry_run);
        }
        ended.map(|()| report)
    }

    fn access(&self) -> Access {
        if self.dry_run { Access::Look } else { Access::Change }
    }

    /// Which columns are taken, and that it is said whose rows they are.
    fn columns(&self, table: &Table) -> Result<Columns, Failure> {
        if table.is_ours() {
            let text = format!(
                "{} is a table of CreatorVault itself: there is nothing to be taken over",
                table.name
            );
            return Err(Failure::from(text));
        }
        let columns = Columns::choose(self.kind, &table.columns(), &self.map)?;
        match (columns.name(Field::User), &self.user) {
            (None, None) => Err(Failure::from(format!(
                "no column looks like the user_id: say whose rows these are with --user ID, or which column says it \
                 with --map user_id=COLUMN (there are: {})",
                table.columns().join(", ")
            ))),
            (Some(column), Some(_)) => Err(Failure::from(format!(
                "--user is for a table that does not say whose its rows are, and {column} looks as if it did: leave \
                 --user out, or add --map user_id= to give all rows to one user"
            ))),
            (None, Some(_)) | (Some(_), None) => Ok(columns),
        }
    }

    fn introduce(&self, columns: &Columns) {
        let pairs: Vec<_> =
            columns.taken.iter().map(|(field, name)| format!("{}={name}", field.name(self.kind))).collect();
        say(&format!("columns: {}", pairs.join(", ")));
        if !columns.ignored.is_empty() {
            say(&format!("ignored: {}", columns.ignored.join(", ")));
        }
    }
}

/// Takes the table's rows from the source into the target.
async fn pour(
    taking: &mut Taking<'_>,
    source: &Source,
    from: &DatabaseUrl,
    table: &Table,
) -> Result<(), Failure> {
    let read = |error| unread(from, error);
    let columns = taking.columns();
    let mut walk = source.walk(&table.owners(source, columns), AT_ONCE).await.map_err(read)?;
    loop {
        let owners = walk.next().await.map_err(read)?;
        if owners.is_empty() {
            break;
        }
        taking.make_room(&owners).await.map_err(unwritten)?;
    }
    let mut walk = source.walk(&table.select(columns), AT_ONCE).await.map_err(read)?;
    loop {
        let rows = walk.next().await.map_err(read)?;
        if rows.is_empty() {
            return Ok(());
        }
        let fit = taking.fit(&rows);
        taking.take(fit).await.map_err(unwritten)?;
    }
}

/// The target, with its tables as this version needs them.
async fn target(config: &DatabaseConfig) -> Result<Sink, Failure> {
    let cure = "run `creatorvault migrate up` first";
    let applied = migrate::status(config).await.map_err(|error| match error {
        DbError::Unavailable(text) | DbError::Locked(text) => {
            Failure::from(format!("DATABASE_URL: the database is unavailable: {text}"))
        }
        DbError::OutcomeUnknown(text) | DbError::Fault(text) => Failure::from(text),
    })?;
    if let Some(pending) = applied.iter().find(|migration| !migration.applied) {
        let text =
            format!("DATABASE_URL: {} lacks the migration {}: {cure}", config.migration_url(), pending.name);
        return Err(Failure::from(text));
    }
    Sink::open(config).await.map_err(unwritten)
}

fn twice(ids: i64, columns: &Columns) -> String {
    let id = columns.name(Field::Id).unwrap_or_default();
    format!(
        "{ids} values of the column {id} stand in several rows, so it does not tell rows apart: name one that does \
         with --map id=COLUMN"
    )
}

impl Missing {
    fn failure(self, from: &DatabaseUrl) -> Failure {
        match self {
            Self::Said(text) => Failure::from(text),
            Self::Db(error) => unread(from, error),
        }
    }
}

/// Why the source cannot be read.
fn unread(from: &DatabaseUrl, error: DbError) -> Failure {
    Failure::from(format!("--from: {from} cannot be read: {}", error.into_text()))
}

/// Why a batch was not taken.
fn unwritten(error: DbError) -> Failure {
    let again = "the batch was not taken; run the same command again, it goes on where it stopped";
    match error {
        DbError::Unavailable(text) | DbError::Locked(text) | DbError::Fault(text) => {
            Failure::from(format!("DATABASE_URL: {text}; {again}"))
        }
        DbError::OutcomeUnknown(text) => Failure::from(format!(
            "DATABASE_URL: {text}; whether the last batch was taken is unknown: run the same command again, nothing is \
             taken twice"
        )),
    }
}
