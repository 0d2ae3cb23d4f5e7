//! What the writes of tasks and ideas share: the columns they set, the tags beside the row, what a PUT cleared.

use std::fmt::Write;

use uuid::Uuid;

use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Row, Step, Value};
use crate::field::choice::Choice;
use crate::field::patch::Patch;
use crate::field::text::fold;
use crate::field::timestamp::Timestamp;

/// Which row of the owner's: by one of the columns that are unique for a user.
#[derive(Debug, Clone)]
pub struct At {
    /// `id` or `number`.
    pub column: &'static str,
    /// Its value.
    pub value: Value,
}

impl At {
    /// Adds ` where user_id = $1 and <column> = $n`.
    pub fn condition(&self, draft: &mut Draft) {
        draft.push(" where user_id = $1 and ").push(self.column).push(" = ").bind(self.value.clone());
    }
}

/// The side table that finds rows by tag; the row's own `tags` column keeps their order.
#[derive(Debug)]
pub struct TagTable {
    /// The table of the rows.
    pub rows: &'static str,
    /// The side table.
    pub tags: &'static str,
    /// Its column that names the row.
    pub owner: &'static str,
}

impl TagTable {
    /// The steps that put `tags` beside a row that was just made.
    pub fn tag(&self, at: &At, tags: &[String]) -> Option<Step> {
        if tags.is_empty() {
            return None;
        }
        let Self { rows, tags: table, owner } = self;
        let mut draft =
            Draft::new(&format!("insert into {table} (user_id, {owner}, tag) with given (tag) as (values "));
        for (i, tag) in tags.iter().enumerate() {
            draft.push(if i == 0 { "(" } else { ", (" }).bind(Value::Text(Some(tag.clone()))).push(")");
        }
        // Through the row itself: where it is not there, nothing is put beside it.
        draft.push(&format!(
            ") select r.user_id, r.id, given.tag from {rows} as r, given where r.user_id = $1 and r."
        ));
        draft.push(at.column).push(" = ").bind(at.value.clone());
        Some(Step::always(draft.finish(Plan::Steady)))
    }

    /// The steps that put `tags` in the place of those that a row had.
    pub fn retag(&self, at: &At, tags: &[String]) -> Vec<Step> {
        let Self { rows, tags: table, owner } = self;
        let mut draft = Draft::new(&format!(
            "delete from {table} where user_id = $1 and {owner} in (select id from {rows}"
        ));
        at.condition(&mut draft);
        draft.push(")");
        let mut steps = vec![Step::always(draft.finish(Plan::Steady))];
        steps.extend(self.tag(at, tags));
        steps
    }
}

/// One column and what it is set to.
#[derive(Debug)]
struct Assignment {
    column: String,
    to: To,
}

#[derive(Debug)]
enum To {
    /// A value; another value than the row's is a change.
    Value(Value),
    /// A value that follows from another column, so it makes no change by itself.
    Derived(Value),
    /// `completed_at`, which follows from `completed` and is kept while that stays true.
    CompletedAt(bool, Timestamp),
    /// `completed` turned round.
    Not,
    /// `completed_at` when `completed` is turned round.
    CompletedAtTurned(Timestamp),
}

/// The columns that a write sets.
#[derive(Debug, Default)]
pub struct Assignments {
    list: Vec<Assignment>,
}

impl Assignments {
    fn add(&mut self, column: impl Into<String>, to: To) {
        self.list.push(Assignment { column: column.into(), to });
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Sets a column.
    pub fn value(&mut self, column: &str, value: Value) {
        self.add(column, To::Value(value));
    }

    /// Sets a searched text and its folded copy.
    pub fn text(&mut self, column: &str, text: Option<&str>) {
        self.add(column, To::Value(Value::Text(text.map(str::to_owned))));
        self.add(format!("{column}_fold"), To::Derived(Value::Text(text.map(fold))));
    }

    /// Sets a word of a fixed set.
    pub fn choice<C: Choice>(&mut self, column: &str, choice: C) {
        self.value(column, Value::Text(Some(choice.as_str().to_owned())));
    }

    /// Sets or clears a searched text, or keeps it.
    pub fn text_patch(&mut self, column: &str, patch: Patch<&str>) {
        match patch {
            Patch::Keep => {}
            Patch::Clear => self.text(column, None),
            Patch::Set(text) => self.text(column, Some(text)),
        }
    }

    /// Sets or clears a time, or keeps it.
    pub fn time_patch(&mut self, column: &str, patch: Patch<Timestamp>) {
        match patch {
            Patch::Keep => {}
            Patch::Clear => self.value(column, Value::Time(None)),
            Patch::Set(time) => self.value(column, Value::Time(Some(time))),
        }
    }

    /// Sets `completed`; `completed_at` is set when it becomes true and null while it is false.
    pub fn completed(&mut self, completed: bool, now: Timestamp) {
        self.value("completed", Value::Bool(completed));
        self.add("completed_at", To::CompletedAt(completed, now));
    }

    /// Turns `completed` round.
    pub fn toggle_completed(&mut self, now: Timestamp) {
        self.add("completed", To::Not);
        self.add("completed_at", To::CompletedAtTurned(now));
    }

    /// Adds ` set …`; the row counts as changed whatever it held.
    pub fn set(self, now: Timestamp, draft: &mut Draft) {
        self.assign(draft);
        draft.push(", updated_at = ").bind(Value::Time(Some(now))).push(", version = version + 1");
    }

    /// Adds ` set …`; a row that holds these values already keeps `updated_at` and `version`.
    pub fn set_if_different(self, now: Timestamp, draft: &mut Draft) {
        let differs = self.assign(draft);
        let now = draft.param(Value::Time(Some(now)));
        draft.push(&format!(
            ", updated_at = case when {differs} then {now} else updated_at end, \
             version = version + case when {differs} then 1 else 0 end"
        ));
    }

    /// Adds the assignments and returns the condition under which they change the row.
    fn assign(self, draft: &mut Draft) -> String {
        let mut differs = String::from("(1 = 0");
        let mut separator = " set ";
        for Assignment { column, to } in self.list {
            draft.push(separator).push(&column).push(" = ");
            separator = ", ";
            match to {
                To::Value(value) => {
                    let placeholder = draft.param(value);
                    draft.push(&placeholder);
                    // Writing to a String cannot fail.
                    let _ = write!(differs, " or {column} is distinct from {placeholder}");
                }
                To::Derived(value) => {
                    draft.bind(value);
                }
                To::CompletedAt(completed, now) if completed => {
                    draft.push("coalesce(completed_at, ").bind(Value::Time(Some(now))).push(")");
                }
                To::CompletedAt(..) => {
                    draft.push("null");
                }
                To::Not => {
                    draft.push("not completed");
                }
                To::CompletedAtTurned(now) => {
                    draft
                        .push("case when completed then null else ")
                        .bind(Value::Time(Some(now)))
                        .push(" end");
                }
            }
        }
        differs.push(')');
        differs
    }

    /// Adds `insert into <table> (…) select … <from>` for a new row of the owner's. `number` is the expression of
    /// the row's number, where it has one.
    pub fn insert(self, new: &NewRow<'_>, draft: &mut Draft) {
        let NewRow { table, id, now, number, from } = new;
        let mut columns = String::from("user_id, id, created_at, updated_at");
        let mut values = String::from("$1, ");
        let id = draft.param(Value::Uuid(*id));
        let now = draft.param(Value::Time(Some(*now)));
        let _ = write!(values, "{id}, {now}, {now}");
        if let Some(number) = number {
            columns.push_str(", number");
            let _ = write!(values, ", {number}");
        }
        for Assignment { column, to } in self.list {
            let value = match to {
                To::Value(value) | To::Derived(value) => value,
                To::CompletedAt(completed, now) => Value::Time(completed.then_some(now)),
                // A new row has nothing to turn round.
                To::Not | To::CompletedAtTurned(_) => continue,
            };
            let _ = write!(columns, ", {column}");
            let _ = write!(values, ", {}", draft.param(value));
        }
        draft.push(&format!("insert into {table} ({columns}) select {values} {from}"));
    }
}

/// A row to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewRow<'a> {
    /// The table.
    pub table: &'static str,
    /// The row's id.
    pub id: Uuid,
    /// When it is made.
    pub now: Timestamp,
    /// The expression of its number.
    pub number: Option<&'a str>,
    /// Where that expression reads from.
    pub from: &'a str,
}

/// What a PUT answers: the row as it is now, and which fields had a value and have none now.
#[derive(Debug)]
pub struct Replaced<T> {
    /// The row.
    pub row: T,
    /// Names of the cleared fields.
    pub cleared: Vec<&'static str>,
}

impl<T> Replaced<T> {
    /// Compares the row before (one boolean column for each field: it had a value) with the row now (it has one).
    ///
    /// # Errors
    /// A fault, when the row before does not read.
    pub fn compare(row: T, before: Option<&Row>, fields: &[(&'static str, bool)]) -> Result<Self, DbError> {
        let mut cleared = Vec::new();
        for (i, (field, has_value)) in fields.iter().enumerate() {
            let had_value = before.map_or(Ok(false), |before| before.bool(i))?;
            if had_value && !has_value {
                cleared.push(*field);
            }
        }
        Ok(Self { row, cleared })
    }
}
