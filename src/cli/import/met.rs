//! What a run knows of each user beside what the tables hold.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::people::Person;
use crate::field::timestamp::Timestamp;

/// A user of the source, before the first of the rows is read.
#[derive(Debug)]
pub(super) struct Coming {
    /// The first number that no row to come has, the refused ones included.
    pub(super) next: i64,
    /// When the oldest of the rows was made.
    pub(super) oldest: Timestamp,
    /// How many rows there are.
    pub(super) rows: u64,
    pub(super) person: Person,
}

/// A user of whom rows are still to come.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// The number of the next task, as far as this run knows.
    pub(super) next: i64,
    /// The ids that have come in this run: what the tables hold does not say since when.
    pub(super) ids: HashSet<Uuid>,
    /// The numbers that a dry run would have given.
    pub(super) numbers: HashSet<i64>,
    /// Rows that are still to come.
    left: u64,
}

/// Everybody of whom rows are still to come, by the id here.
#[derive(Debug, Default)]
pub(super) struct Crowd(HashMap<String, Met>);

impl Crowd {
    /// Awaits a user's rows; whether it is the first time. Several users of the source may be one here.
    pub(super) fn await_rows(&mut self, user: String, coming: &Coming) -> bool {
        let is_new = !self.0.contains_key(&user);
        let met = self.0.entry(user).or_default();
        met.next = met.next.max(coming.next);
        met.left += coming.rows;
        is_new
    }

    /// Who that is. Somebody whose first row was written after the count of them begins anew.
    pub(super) fn user(&mut self, user: &str) -> &mut Met {
        self.0.entry(user.to_owned()).or_default()
    }

    /// So many rows of the user have come. After the last one nothing is kept.
    pub(super) fn came(&mut self, user: &str, rows: usize) {
        let left = |met: &Met| met.left.saturating_sub(u64::try_from(rows).unwrap_or(u64::MAX));
        match self.0.get_mut(user).map(|met| (left(met), met)) {
            Some((left @ 1.., met)) => met.left = left,
            Some((0, _)) | None => drop(self.0.remove(user)),
        }
    }
}
