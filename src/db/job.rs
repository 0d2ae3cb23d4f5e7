//! Statements on their way to a connection, with their owner and deadline: owned, because they outlive the caller.

use std::time::Instant;

use crate::auth::user_id::UserId;

use super::{DbError, Judge, Row, Statement, Step, When};

/// Statements of one owner, to be run in their order.
#[derive(Debug)]
pub(super) struct Job {
    /// `$1` of every statement.
    pub(super) owner: Owner,
    pub(super) steps: Vec<Step>,
    /// Decides after the steps; without one the write is committed.
    pub(super) judge: Option<Judge>,
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
        Self { owner: Owner::User(user.clone()), steps, judge, deadline }
    }

    pub(super) fn reads(user: &UserId, statements: Vec<Statement>, deadline: Instant) -> Self {
        let steps = statements.into_iter().map(|statement| Step { statement, when: When::Always }).collect();
        Self { owner: Owner::User(user.clone()), steps, judge: None, deadline }
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
