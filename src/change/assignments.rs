//! The columns that a write sets.

use std::fmt::Write;

use uuid::Uuid;

use crate::db::Value;
use crate::db::draft::Draft;
use crate::field::choice::Choice;
use crate::field::patch::Patch;
use crate::field::text::fold;
use crate::field::timestamp::Timestamp;

/// One column and what it is set to.
#[derive(Debug, Clone)]
struct Assignment {
    column: String,
    to: To,
}

#[derive(Debug, Clone)]
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
#[derive(Debug, Clone, Default)]
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
    pub fn set(&self, now: Timestamp, draft: &mut Draft) {
        self.assign(draft);
        let separator = if self.is_empty() { " set " } else { ", " };
        draft
            .push(separator)
            .push("updated_at = ")
            .bind(Value::Time(Some(now)))
            .push(", version = version + 1");
    }

    /// Adds ` set …`; a row that holds these values already keeps `updated_at` and `version`.
    pub fn set_if_different(&self, now: Timestamp, draft: &mut Draft) {
        let differs = self.assign(draft);
        let now = draft.param(Value::Time(Some(now)));
        draft.push(&format!(
            ", updated_at = case when {differs} then {now} else updated_at end, \
             version = version + case when {differs} then 1 else 0 end"
        ));
    }

    /// Adds the assignments and returns the condition under which they change the row.
    fn assign(&self, draft: &mut Draft) -> String {
        let mut differs = String::from("(1 = 0");
        let mut separator = " set ";
        for Assignment { column, to } in &self.list {
            draft.push(separator).push(column).push(" = ");
            separator = ", ";
            match to {
                To::Value(value) => {
                    let placeholder = draft.param(value.clone());
                    draft.push(&placeholder);
                    // Writing to a String cannot fail.
                    let _ = write!(differs, " or {column} is distinct from {placeholder}");
                }
                To::Derived(value) => {
                    draft.bind(value.clone());
                }
                To::CompletedAt(true, now) => {
                    draft.push("coalesce(completed_at, ").bind(Value::Time(Some(*now))).push(")");
                }
                To::CompletedAt(false, _) => {
                    draft.push("null");
                }
                To::Not => {
                    draft.push("not completed");
                }
                To::CompletedAtTurned(now) => {
                    draft
                        .push("case when completed then null else ")
                        .bind(Value::Time(Some(*now)))
                        .push(" end");
                }
            }
        }
        differs.push(')');
        differs
    }

    /// Adds `insert into <table> (…) select … <from>` for a new row of the owner's. `number` is the expression of
    /// the row's number, where it has one.
    pub fn insert(&self, new: &NewRow<'_>, draft: &mut Draft) {
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
        for Assignment { column, to } in &self.list {
            let value = match to {
                To::Value(value) | To::Derived(value) => value.clone(),
                To::CompletedAt(completed, now) => Value::Time(completed.then_some(*now)),
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
