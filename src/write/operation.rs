//! One operation on one row, and its statements.

use uuid::Uuid;

use super::Kind;
use crate::change::{Assignments, At, NewRow};
use crate::db::draft::Draft;
use crate::db::{Engine, Plan, Statement, Value};
use crate::field::etag::Expected;
use crate::field::timestamp::Timestamp;

/// One operation on one row.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Makes a row.
    Create(Create),
    /// Does something to a row that may be there.
    Edit(Edit),
}

/// A row to be made.
#[derive(Debug, Clone)]
pub struct Create {
    /// Its id.
    pub id: Uuid,
    /// Its columns.
    pub set: Assignments,
    /// Its tags.
    pub tags: Vec<String>,
}

/// Something done to a row that may be there.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Which row.
    pub at: At,
    /// What is done to it.
    pub effect: Effect,
    /// What it must be; none: whatever it is.
    pub expected: Option<Expected>,
    /// The tags it has afterwards; none: those that it has.
    pub tags: Option<Vec<String>>,
}

/// What is done to a row.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Nothing: a change of no field.
    Nothing,
    /// These columns are set; a row that holds the values already keeps its version.
    Change(Assignments),
    /// These columns are set, and that is a change whatever the row held.
    Set(Assignments),
    /// As `Set`, and what was cleared by it is told.
    Replace(Assignments),
    /// It is removed for good.
    Remove,
}

/// The statements of an edit, by when they run.
pub(super) struct Edited {
    /// What is read of the row before.
    pub(super) before: Option<Statement>,
    /// The edit itself; it returns the row.
    pub(super) main: Statement,
    /// What goes along with it, where it did its work.
    pub(super) beside: Vec<Statement>,
    /// The row as it is, where the edit did not find what was expected.
    pub(super) current: Option<Statement>,
}

impl Create {
    /// The insert. `number` is the expression of the row's number, read `from` somewhere.
    pub(super) fn insert(
        &self,
        kind: &Kind,
        number: Option<&str>,
        from: &str,
        now: Timestamp,
        draft: &mut Draft,
    ) {
        let row = NewRow { table: kind.table, id: self.id, now, number, from };
        self.set.insert(&row, draft);
        draft.push(" returning ").push(kind.columns);
    }

    /// The tags beside the new row.
    pub(super) fn beside(&self, kind: &Kind) -> Option<Statement> {
        kind.tags.tag(&At { column: "id", value: Value::Uuid(self.id) }, &self.tags)
    }
}

impl Edit {
    /// Whether it may find the row and leave it alone.
    fn is_conditional(&self) -> bool {
        matches!(self.expected, Some(Expected::OneOf(_)))
    }

    pub(super) fn statements(&self, kind: &Kind, now: Timestamp, engine: Engine) -> Edited {
        let current = self.is_conditional().then(|| self.select(kind));
        let before = matches!(self.effect, Effect::Replace(_)).then(|| {
            let mut draft = Draft::new("select ");
            let values = kind.clearable.map(|(_, has_value)| has_value);
            draft.push(&values.join(", ")).push(" from ").push(kind.table);
            self.at.condition(&mut draft);
            draft.push(engine.for_update());
            draft.finish(Plan::Steady)
        });
        let beside = match &self.tags {
            Some(tags) => kind.tags.retag(&self.at, tags),
            None => Vec::new(),
        };
        Edited { before, main: self.main(kind, now), beside, current }
    }

    /// Reads the row.
    pub(super) fn select(&self, kind: &Kind) -> Statement {
        let mut draft = Draft::new("select ");
        draft.push(kind.columns).push(" from ").push(kind.table);
        self.at.condition(&mut draft);
        draft.finish(Plan::Steady)
    }

    fn main(&self, kind: &Kind, now: Timestamp) -> Statement {
        let mut draft = Draft::new("");
        let returns = match &self.effect {
            Effect::Nothing => {
                draft.push("select ").push(kind.columns).push(" from ").push(kind.table);
                false
            }
            Effect::Remove => {
                draft.push("delete from ").push(kind.table);
                true
            }
            Effect::Change(columns) => {
                draft.push("update ").push(kind.table);
                columns.set_if_different(now, &mut draft);
                true
            }
            Effect::Set(columns) | Effect::Replace(columns) => {
                draft.push("update ").push(kind.table);
                columns.set(now, &mut draft);
                true
            }
        };
        self.at.condition(&mut draft);
        self.expectation(&mut draft);
        if returns {
            draft.push(" returning ").push(kind.columns);
        }
        draft.finish(Plan::Steady)
    }

    /// Adds the condition that the row is a version that was expected.
    fn expectation(&self, draft: &mut Draft) {
        let Some(Expected::OneOf(versions)) = &self.expected else { return };
        let mut separator = " and (";
        for version in versions {
            draft.push(separator).push("(id = ").bind(Value::Uuid(version.id));
            draft.push(" and version = ").bind(Value::Int(version.version)).push(")");
            separator = " or ";
        }
        draft.push(if versions.is_empty() { " and 1 = 0" } else { ")" });
    }
}
