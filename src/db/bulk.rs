//! The door of the admin commands that move whole tables: a database of either engine that is only read, and one that
//! takes rows batch by batch, for users whom no token names.
//!
//! It is for one task at a time, which waits for it: what SQLite does blocks the thread. A server has no business here;
//! `tests/house.rs` keeps the list of those who may.

use crate::config::database::{DatabaseConfig, DatabaseUrl};

use super::job::Owner;
use super::text::translate;
use super::{DbError, Engine, Row, Statement};

mod datum;
mod postgres;
mod sqlite;
mod target;

pub use datum::{ColumnKind, Datum};
pub use target::{Lifted, Load, Target};

/// A database that is only read; everything that it says is from one moment on PostgreSQL, and each question by itself
/// on SQLite.
#[derive(Debug)]
pub struct Source {
    schema: String,
    kind: SourceKind,
}

#[derive(Debug)]
enum SourceKind {
    Postgres(postgres::Snapshot),
    Sqlite(sqlite::File),
    Moment(sqlite::Moment),
}

impl Source {
    /// Opens the database of a URL. Of the settings the schema, which `@table` stands in, and the acquire timeout count.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it cannot be reached or refuses the login; [`DbError::Fault`] for a file that is
    /// not there or is no database.
    pub async fn open(url: &DatabaseUrl, settings: &DatabaseConfig) -> Result<Self, DbError> {
        let kind = match url {
            DatabaseUrl::Postgres(url) => {
                SourceKind::Postgres(postgres::Snapshot::open(url, settings).await?)
            }
            DatabaseUrl::Sqlite(path) => SourceKind::Sqlite(sqlite::File::open(path)?),
        };
        Ok(Self { schema: settings.schema.clone(), kind })
    }

    /// As [`Source::open`], and everything is from one moment on SQLite too: one walk after the other, and no other
    /// question meanwhile.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub async fn open_moment(url: &DatabaseUrl, settings: &DatabaseConfig) -> Result<Self, DbError> {
        match url {
            DatabaseUrl::Postgres(_) => {
                let source = Self::open(url, settings).await?;
                // The first question settles which moment it is.
                source.rows("select 1").await?;
                Ok(source)
            }
            DatabaseUrl::Sqlite(path) => {
                let kind = SourceKind::Moment(sqlite::Moment::open(path)?);
                Ok(Self { schema: settings.schema.clone(), kind })
            }
        }
    }

    /// Whether somebody has written the file since the moment of [`Source::open_moment`], which only SQLite tells. It
    /// lets go of that moment: what is asked afterwards may be answered from a later one. It may be asked again.
    ///
    /// # Errors
    /// What the database says.
    pub fn changed(&self) -> Result<bool, DbError> {
        match &self.kind {
            SourceKind::Postgres(_) | SourceKind::Sqlite(_) => Ok(false),
            SourceKind::Moment(moment) => moment.changed(),
        }
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        match self.kind {
            SourceKind::Postgres(_) => Engine::Postgres,
            SourceKind::Sqlite(_) | SourceKind::Moment(_) => Engine::Sqlite,
        }
    }

    /// All rows of a short answer. The text has no parameters.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Row>, DbError> {
        let text = translate(sql, self.engine(), &self.schema);
        match &self.kind {
            SourceKind::Postgres(snapshot) => snapshot.rows(&text).await,
            SourceKind::Sqlite(file) => file.rows(&text),
            SourceKind::Moment(moment) => moment.rows(&text),
        }
    }

    /// Walks through an answer of any length, `at_once` rows at a time: memory does not grow with it. Other
    /// questions may be asked meanwhile.
    ///
    /// # Errors
    /// What the database says.
    pub async fn walk(&self, sql: &str, at_once: usize) -> Result<Walk<'_>, DbError> {
        let text = translate(sql, self.engine(), &self.schema);
        Ok(Walk(match &self.kind {
            SourceKind::Postgres(snapshot) => WalkKind::Postgres(snapshot.walk(&text, at_once).await?),
            SourceKind::Sqlite(file) => WalkKind::Sqlite(file.walk(text, at_once)?),
            SourceKind::Moment(moment) => WalkKind::Sqlite(moment.walk(text, at_once)?),
        }))
    }
}

/// A walk through a long answer.
#[derive(Debug)]
pub struct Walk<'a>(WalkKind<'a>);

#[derive(Debug)]
enum WalkKind<'a> {
    Postgres(postgres::Cursor<'a>),
    Sqlite(sqlite::Steps),
}

impl Walk<'_> {
    /// The next rows; none at the end.
    ///
    /// # Errors
    /// What the database says; the walk is over then.
    pub async fn next(&mut self) -> Result<Vec<Row>, DbError> {
        match &mut self.0 {
            WalkKind::Postgres(cursor) => cursor.next().await,
            WalkKind::Sqlite(steps) => steps.next().await,
        }
    }
}

/// A statement and the user whom it is about.
#[derive(Debug, Clone)]
pub struct Errand {
    /// `$1` of the statement.
    pub user: String,
    /// The statement; it names `$1`, as every statement on our tables does.
    pub statement: Statement,
}

/// What a batch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading alone: the database refuses everything else.
    Look,
    /// Writing.
    Change,
}

/// The database of `DATABASE_URL` (or `DATABASE_DIRECT_URL`), taking rows in batches.
#[derive(Debug)]
pub struct Sink {
    schema: String,
    kind: SinkKind,
}

#[derive(Debug)]
enum SinkKind {
    Postgres(postgres::Link),
    Sqlite(Box<sqlite::Pen>),
}

impl Sink {
    /// Opens the database that the settings name; it must have been migrated.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it cannot be reached or refuses the login; [`DbError::Fault`] for a file that does
    /// not open.
    pub async fn open(settings: &DatabaseConfig) -> Result<Self, DbError> {
        let kind = match settings.migration_url() {
            DatabaseUrl::Postgres(url) => SinkKind::Postgres(postgres::Link::open(url, settings).await?),
            DatabaseUrl::Sqlite(path) => SinkKind::Sqlite(Box::new(sqlite::Pen::open(path)?)),
        };
        Ok(Self { schema: settings.schema.clone(), kind })
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        match self.kind {
            SinkKind::Postgres(_) => Engine::Postgres,
            SinkKind::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Begins a transaction. One that was not committed before is rolled back.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin(&mut self, access: Access) -> Result<Batch<'_>, DbError> {
        match &mut self.kind {
            SinkKind::Postgres(link) => link.begin(access).await?,
            SinkKind::Sqlite(pen) => pen.begin(access)?,
        }
        Ok(Batch { sink: self, failed: false })
    }
}

/// One transaction; without [`Batch::commit`] nothing of it stays.
#[derive(Debug)]
pub struct Batch<'a> {
    sink: &'a mut Sink,
    failed: bool,
}

impl Batch<'_> {
    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.sink.engine()
    }

    /// Runs statements in their order, in one round trip on PostgreSQL: the rows of each.
    ///
    /// # Errors
    /// What the database says; nothing of the transaction stays then.
    pub async fn run(&mut self, errands: &[Errand]) -> Result<Vec<Vec<Row>>, DbError> {
        let engine = self.engine();
        let told: Vec<Told<'_>> = errands
            .iter()
            .map(|Errand { user, statement }| Told {
                owner: Owner::Told(user.clone()),
                text: translate(&statement.sql, engine, &self.sink.schema),
                statement,
            })
            .collect();
        let answers = match &mut self.sink.kind {
            SinkKind::Postgres(link) => link.run(&told).await,
            SinkKind::Sqlite(pen) => pen.run(&told),
        };
        self.failed |= answers.is_err();
        answers
    }

    /// Makes it stay.
    ///
    /// # Errors
    /// What the database says: nothing of it stays; [`DbError::OutcomeUnknown`] when the link broke meanwhile.
    pub async fn commit(self) -> Result<(), DbError> {
        if self.failed {
            return Err(DbError::Fault("a batch of which a part failed cannot stay".to_owned()));
        }
        match &mut self.sink.kind {
            SinkKind::Postgres(link) => link.commit().await,
            SinkKind::Sqlite(pen) => pen.commit(),
        }
    }
}

/// An errand as its engine understands it.
#[derive(Debug)]
struct Told<'a> {
    owner: Owner,
    text: String,
    statement: &'a Statement,
}
