//! Statements on their way to a connection, with their owner and deadline: owned, because they outlive the caller.

use std::time::{Duration, Instant};

use crate::auth::user_id::UserId;

use super::{DbError, Judge, Row, Statement, Step, When};

/// The part of the time for waiting that a request's later statements have in any case.
const PART: u32 = 5;

/// Statements of one owner, to be run in their order.
#[derive(Debug)]
pub(super) struct Job {
    /// `$1` of every statement.
    pub(super) owner: Owner,
    pub(super) steps: Vec<Step>,
    /// Decides after the steps; without one the write is committed.
    pub(super) judge: Option<Judge>,
    /// When its request came to the database, perhaps with others before it.
    pub(super) begun: Instant,
    pub(super) deadline: Instant,
}

/// Who stands at `$1`: the user of a verified token; one whom an admin command tells of ([`super::bulk`]); nobody, in the
/// few statements of this module itself.
#[derive(Debug, Clone)]
pub(super) enum Owner {
    User(UserId),
    Told(String),
    Nobody,
}

impl Owner {
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(user.as_str()),
            Self::Told(user) => Some(user),
            Self::Nobody => None,
        }
    }
}

impl Job {
    pub(super) fn writes(user: &UserId, steps: Vec<Step>, judge: Option<Judge>, deadline: Instant) -> Self {
        Self { owner: Owner::User(user.clone()), steps, judge, begun: Instant::now(), deadline }
    }

    pub(super) fn reads(user: &UserId, statements: Vec<Statement>, deadline: Instant) -> Self {
        let steps = statements.into_iter().map(|statement| Step { statement, when: When::Always }).collect();
        Self { owner: Owner::User(user.clone()), steps, judge: None, begun: Instant::now(), deadline }
    }

    /// One of our own, which belongs to nobody.
    pub(super) fn nobodys(statement: Statement, deadline: Instant) -> Self {
        let steps = vec![Step { statement, when: When::Always }];
        Self { owner: Owner::Nobody, steps, judge: None, begun: Instant::now(), deadline }
    }

    /// The same, of a request that began then.
    pub(super) fn since(self, begun: Instant) -> Self {
        Self { begun, ..self }
    }

    /// Until when it may wait for its turn: all jobs of a request together for `timeout`, but each of them for a part of
    /// it, since a long list goes on to be read after that.
    pub(super) fn acquire_by(&self, timeout: Duration) -> Instant {
        (self.begun + timeout).max(Instant::now() + timeout / PART).min(self.deadline)
    }

    /// Refuses a step that waits for itself or for a later one.
    pub(super) fn check(&self) -> Result<(), DbError> {
        let backwards = |(i, step): (usize, &Step)| match step.when {
            When::Always => true,
            When::Rows(of) | When::NoRows(of) => of < i,
        };
        if self.steps.iter().enumerate().all(backwards) {
            Ok(())
        } else {
            Err(DbError::Fault("a step waits for a later one".to_owned()))
        }
    }
}

/// Whether a step runs, given the results of the steps before it; none when that is not known yet.
pub(super) fn runs(when: When, results: &[Vec<Row>]) -> Option<bool> {
    match when {
        When::Always => Some(true),
        When::Rows(of) => results.get(of).map(|rows| !rows.is_empty()),
        When::NoRows(of) => results.get(of).map(Vec::is_empty),
    }
}
