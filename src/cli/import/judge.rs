//! What becomes of a row that fits, beside those that are there and those that came before it.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Kind;
use super::met::Met;
use super::read::Incoming;
use super::report::Refusal;
use super::rows::Taken;
use crate::db::bulk::Access;
use crate::field::timestamp::Timestamp;

/// A row that is there.
#[derive(Debug)]
pub(super) struct There {
    pub(super) created_at: Timestamp,
    pub(super) title: String,
    /// Whether somebody has changed it since it was made.
    pub(super) changed: bool,
}

/// What the tables hold already of one user.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) next: i64,
    pub(super) rows: HashMap<Uuid, There>,
    pub(super) numbers: HashSet<i64>,
}

impl Known {
    /// The row with its number, if it is to be made; what becomes of it otherwise is written down.
    pub(super) fn judge(
        &mut self,
        met: &mut Met,
        row: Incoming,
        (kind, access): (Kind, Access),
        taken: &mut Taken,
    ) -> Option<Incoming> {
        let label = row.label.clone();
        let mut refuse = |rule: &str| taken.refused.push(Refusal::of(&label, "id", rule));
        if !met.ids.insert(row.id) {
            refuse("an earlier row of this table has this id");
            return None;
        }
        if let Some(there) = self.rows.get(&row.id) {
            match there.differs(&row) {
                Some(rule) => refuse(rule),
                None => taken.there += 1,
            }
            return None;
        }
        let mut row = match kind {
            Kind::Tasks => self.number(met, row, access).map_err(refuse).ok()?,
            Kind::Ideas => row,
        };
        taken.taken += 1;
        taken.notes.append(&mut row.notes);
        Some(row)
    }

    /// The task with its number, or the rule that is broken.
    fn number(&mut self, met: &mut Met, mut row: Incoming, access: Access) -> Result<Incoming, &'static str> {
        let number = row.number.unwrap_or(self.next);
        // A dry run writes nothing that the tables would tell the next batch.
        let is_met = match access {
            Access::Look => !met.numbers.insert(number),
            Access::Change => false,
        };
        if !self.numbers.insert(number) || is_met {
            return Err("another task of this user has this number");
        }
        self.next = self.next.max(number + 1);
        row.number = Some(number);
        Ok(row)
    }
}

impl There {
    /// Why the row of the source is another one. The API never changes when a row was made; a title it does change.
    fn differs(&self, row: &Incoming) -> Option<&'static str> {
        if row.dated && self.created_at != row.created_at {
            return Some("another row of this user has this id, made at another time");
        }
        let is_same = self.title == row.title || row.dated && self.changed;
        (!is_same).then_some(
            "a row of this user with this id is there under another title: it is another row, or was renamed; nothing \
             was changed",
        )
    }
}
