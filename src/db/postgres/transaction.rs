//! A write on a connection of its own: sent in as few round trips as its steps allow, and judged by what is known
//! of its commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Statement;
use tokio_postgres::types::Type;

use crate::db::job::{Job, runs};
use crate::db::text::Texts;
use crate::db::{DbError, Plan, Row};

use super::batch::{Boxed, Failed, Query, in_order};
use super::trouble::{Kind, Trouble};

/// How long a rollback may take before the connection is dropped instead.
const ROLLBACK: Duration = Duration::from_secs(1);

/// Named statements on one connection.
const NAMED: usize = 128;

/// A write, or reads behind a pooler, on their way over one connection.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    pub(super) client: &'a ClientWrapper,
    pub(super) begin: Begin<'a>,
    /// Says whose transaction it is, where row level security asks; it goes along with the first statements. Never
    /// without a `begin`.
    pub(super) fence: Option<Query<'a>>,
    /// Whether statements may have names here.
    pub(super) named: bool,
    pub(super) queries: Vec<Query<'a>>,
    pub(super) job: &'a Job,
    /// For what a judge adds.
    pub(super) texts: &'a Texts,
    pub(super) progress: &'a Progress,
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin<'a> {
    /// Not at all: its only statement commits itself.
    Never,
    /// Together with its first statements.
    Along(&'a str),
    /// Before them, by [`Transaction::begin`]; this goes along with them instead.
    Before(&'a str),
}

/// How far a transaction has got, for the one who has to cancel it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// It has begun: a cancel request now ends one of its statements, not its `begin`, after which the statements
    /// that were sent along would each run for themselves.
    begun: AtomicBool,
    /// Its commit was sent.
    committing: AtomicBool,
}

impl Progress {
    pub(super) fn begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    pub(super) fn commit_is_sent(&self) {
        self.committing.store(true, Ordering::Relaxed);
    }

    pub(super) fn committing(&self) -> bool {
        self.committing.load(Ordering::Relaxed)
    }
}

/// Why a transaction failed, and what may be done about it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: DbError,
    /// The connection has to go.
    pub(super) evict: bool,
    pub(super) again: Again,
}

/// Whether it may run again; only what is known to have changed nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    No,
    /// After a known conflict, on the same connection.
    Here,
    /// On the same connection, saying whose it is: the tables have row level security, which nobody expected.
    Fenced,
    /// On another connection.
    Elsewhere,
    /// On another connection, to a server that takes writes.
    AtThePrimary,
}

impl Failure {
    pub(super) fn nothing_done(trouble: Trouble) -> Self {
        let evict = trouble.evicts();
        let again = match trouble.kind {
            Kind::Guarded => Again::Fenced,
            _ if evict => Again::Elsewhere,
            _ => Again::No,
        };
        Self { error: trouble.unchanged(), evict, again }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self { error, evict: false, again: Again::No }
    }
}

impl Transaction<'_> {
    /// Runs it; the rows of each step.
    pub(super) async fn run(&self) -> Result<Vec<Vec<Row>>, Failure> {
        let prepared = self.prepare().await?;
        for (query, statement) in self.queries.iter().zip(&prepared) {
            query.check(statement.as_ref())?;
        }
        if matches!(self.begin, Begin::Never) {
            return self.alone(&prepared).await;
        }
        let mut results: Vec<Vec<Row>> = Vec::with_capacity(self.queries.len());
        loop {
            let first = results.len();
            let wave = self.wave(first, &results);
            let last = first + wave.len() == self.queries.len();
            let commit = last && self.job.judge.is_none();
            match self.send(first, &wave, commit, &prepared).await {
                Ok(rows) => results.extend(rows),
                Err(failure) => return Err(self.undo(failure, commit).await),
            }
            if last {
                return self.judged(results).await;
            }
        }
    }

    /// Begins it and waits for that. Behind a pooler a whole transaction sent at once may wait for a server connection,
    /// and whether it still runs when its caller gives up is anybody's guess; a `begin` alone changes nothing.
    pub(super) async fn begin(&self) -> Result<(), Failure> {
        let begun = self.command("begin", Some(&self.progress.begun)).await;
        begun.map(drop).map_err(|failed| self.judge(&failed, false, false))
    }

    /// Names for the steady statements, before anything is begun: the unknown ones cost one round trip together. A text
    /// that comes several times gets one name.
    async fn prepare(&self) -> Result<Vec<Option<Statement>>, Failure> {
        let cache = &self.client.statement_cache;
        if self.named && cache.size() > NAMED {
            // The texts of a write differ by what they set; a server's memory shall not grow with all of them.
            cache.clear();
        }
        let mut distinct: Vec<(&Query<'_>, Vec<Type>)> = Vec::new();
        let mut names: Vec<Option<usize>> = Vec::with_capacity(self.queries.len());
        for (query, step) in self.queries.iter().zip(&self.job.steps) {
            if !self.named || step.statement.plan == Plan::Fresh {
                names.push(None);
                continue;
            }
            let kinds = query.kinds();
            let known = distinct.iter().position(|(other, of)| other.text == query.text && *of == kinds);
            names.push(Some(known.unwrap_or(distinct.len())));
            if known.is_none() {
                distinct.push((query, kinds));
            }
        }
        let prepared = distinct.iter().map(|(query, kinds)| {
            Box::pin(async {
                let statement = self.client.prepare_typed_cached(&query.text, kinds).await;
                statement.map_err(|error| Failure::nothing_done(Trouble::of(&error)))
            })
        });
        let prepared: Vec<Statement> =
            in_order(prepared.collect()).await.into_iter().collect::<Result<_, _>>()?;
        Ok(names.into_iter().map(|name| name.and_then(|name| prepared.get(name).cloned())).collect())
    }

    /// Has the statements prepared again when they are next asked for.
    fn forget(&self) {
        for query in &self.queries {
            self.client.statement_cache.remove(&query.text, &query.kinds());
        }
    }

    /// Which of the next steps run, as far as the results so far decide.
    fn wave(&self, first: usize, results: &[Vec<Row>]) -> Vec<bool> {
        let rest = self.job.steps.iter().skip(first);
        rest.map_while(|step| runs(step.when, results)).collect()
    }

    /// The only statement, which commits itself.
    async fn alone(&self, prepared: &[Option<Statement>]) -> Result<Vec<Vec<Row>>, Failure> {
        let Some((query, statement)) = self.queries.iter().zip(prepared).next() else {
            return Ok(Vec::new());
        };
        self.progress.begun.store(true, Ordering::Relaxed);
        self.progress.commit_is_sent();
        match query.run(self.client, statement.as_ref()).await {
            Ok(rows) => Ok(vec![rows]),
            Err(failed) => Err(self.judge(&failed, failed.complete, true)),
        }
    }

    /// Sends the steps of one wave, with the `begin` before the first and, where it is to end, the `commit` behind.
    async fn send(
        &self,
        first: usize,
        wave: &[bool],
        ends: bool,
        prepared: &[Option<Statement>],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let mut sent: Vec<Boxed<'_, Result<Vec<Row>, Failed>>> = Vec::with_capacity(wave.len() + 3);
        let (along, begins) = match self.begin {
            Begin::Along(text) if first == 0 => (Some(text), true),
            Begin::Before(text) if first == 0 => (Some(text), false),
            Begin::Never | Begin::Along(_) | Begin::Before(_) => (None, false),
        };
        if let Some(text) = along {
            sent.push(Box::pin(self.command(text, Some(&self.progress.begun))));
        }
        if let Some(fence) = self.fence.as_ref().filter(|_| first == 0) {
            sent.push(Box::pin(fence.run(self.client, None)));
        }
        let before = sent.len();
        for ((query, statement), _) in
            self.queries.iter().zip(prepared).skip(first).zip(wave).filter(|(_, runs)| **runs)
        {
            sent.push(Box::pin(query.run(self.client, statement.as_ref())));
        }
        if ends {
            self.progress.commit_is_sent();
            sent.push(Box::pin(self.command("commit", None)));
        }
        let commit = if ends { sent.len() - 1 } else { usize::MAX };
        let mut answers = in_order(sent).await;
        if let Some(at) = answers.iter().position(Result::is_err) {
            let some_ran = answers.iter().any(Result::is_ok);
            let Err(failed) = answers.swap_remove(at) else { return Err(Failure::from(DbError::closed())) };
            // Without its `begin` a statement that was sent along has committed itself.
            let stray = begins && at == 0 && some_ran;
            return Err(if stray { self.unknown(&failed) } else { self.judge(&failed, at == commit, ends) });
        }
        let mut rows = answers.into_iter().filter_map(Result::ok).skip(before);
        Ok(wave.iter().map(|runs| if *runs { rows.next().unwrap_or_default() } else { Vec::new() }).collect())
    }

    pub(super) async fn command(&self, text: &str, done: Option<&AtomicBool>) -> Result<Vec<Row>, Failed> {
        let answer = self.client.batch_execute(text).await;
        if let (Ok(()), Some(done)) = (&answer, done) {
            done.store(true, Ordering::Relaxed);
        }
        answer.map(|()| Vec::new()).map_err(|error| Failed { error, complete: false })
    }

    /// What a failure means: `at_commit` where the commit itself failed, `sent` where the commit was on its way.
    pub(super) fn judge(&self, failed: &Failed, at_commit: bool, sent: bool) -> Failure {
        let trouble = Trouble::of(&failed.error);
        let pooled = !self.named;
        let undone = match trouble.kind {
            Kind::Conflict
            | Kind::Replanned
            | Kind::Unready
            | Kind::Unavailable
            | Kind::Fault
            | Kind::Stale
            | Kind::ReadOnly
            | Kind::Guarded
            | Kind::Locked
            | Kind::Unserved => true,
            // The server aborts what it had not committed; a pooler may say this of itself, with the commit passed on.
            Kind::Ended | Kind::Broken => !(at_commit || pooled && sent),
            Kind::Lost | Kind::Unsent => !sent,
        };
        if !undone {
            return self.unknown(failed);
        }
        let again = match trouble.kind {
            Kind::Conflict => Again::Here,
            Kind::Replanned => {
                self.forget();
                Again::Here
            }
            Kind::Guarded => Again::Fenced,
            Kind::Ended | Kind::Lost | Kind::Stale => Again::Elsewhere,
            Kind::ReadOnly => Again::AtThePrimary,
            Kind::Unready
            | Kind::Broken
            | Kind::Unavailable
            | Kind::Locked
            | Kind::Fault
            | Kind::Unserved
            | Kind::Unsent => Again::No,
        };
        Failure { evict: trouble.evicts(), error: trouble.unchanged(), again }
    }

    fn unknown(&self, failed: &Failed) -> Failure {
        let text = Trouble::of(&failed.error).text;
        Failure { error: DbError::OutcomeUnknown(text), evict: true, again: Again::No }
    }

    /// Ends a transaction that failed before its commit was sent.
    pub(super) async fn undo(&self, mut failure: Failure, ended: bool) -> Failure {
        if !ended && !failure.evict {
            let rollback = tokio::time::timeout(ROLLBACK, self.client.batch_execute("rollback")).await;
            failure.evict = !matches!(rollback, Ok(Ok(())));
        }
        failure
    }
}

/// The queries of a job, borrowing its parameters.
pub(super) fn queries<'a>(job: &'a Job, texts: &[Arc<str>]) -> Vec<Query<'a>> {
    let steps = job.steps.iter().zip(texts);
    steps.map(|(step, text)| Query::new(text.clone(), &job.owner, &step.statement.params)).collect()
}
