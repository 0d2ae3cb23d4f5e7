//! Row level security: says to PostgreSQL, in each transaction, whose it is.
//!
//! The policies let through the rows of the user in `app.user_id`, which holds for one transaction only: a shared
//! connection could not keep one request's apart from the next one's, so there is no lane then. A server that was not
//! told of row level security asks for its statements to fail rather than to see no rows (`row_security = off`); the first
//! one that does raises the fence, so that it may be put up while servers run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::db::job::Job;

use super::batch::Query;

/// What a transaction begins with; `$1` is the owner.
pub(in crate::db) const WHOSE: &str =
    "select set_config('app.user_id', $1, true), set_config('row_security', 'on', true)";

/// Makes statements fail that a policy would hide rows from.
pub(super) const ALL_OR_ERROR: &str = "row_security=off";

/// The same for one transaction, behind what it begins with.
pub(super) const ALL_OR_ERROR_HERE: &str = "; set local row_security = off";

/// Whether transactions say whose they are.
#[derive(Debug)]
pub(super) struct Fence {
    text: Arc<str>,
    /// `DATABASE_RLS`.
    asked: bool,
    /// It was not asked for, but is there.
    late: AtomicBool,
}

impl Fence {
    pub(super) fn new(asked: bool) -> Self {
        Self { text: WHOSE.into(), asked, late: AtomicBool::new(false) }
    }

    /// Whether transactions say whose they are.
    pub(super) fn is_up(&self) -> bool {
        self.asked || self.is_late()
    }

    /// Whether that was found out while running: sessions are not prepared for it then.
    pub(super) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    /// Found out that the tables have row level security; whether that explains a failure.
    pub(super) fn raise(&self) -> bool {
        if self.asked {
            return false;
        }
        if !self.late.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: "creatorvault::db",
                "the tables have row level security: from now on every statement says whose it is; set DATABASE_RLS=on"
            );
        }
        true
    }

    /// What says whose a job is, where that is asked.
    pub(super) fn of<'a>(&self, job: &'a Job) -> Option<Query<'a>> {
        let asked = self.is_up() && job.owner.id().is_some();
        asked.then(|| Query::new(self.text.clone(), &job.owner, &[]))
    }
}
