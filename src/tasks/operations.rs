//! What can be done to tasks, as operations for [`write`](mod@crate::write).

use uuid::Uuid;

use super::store::{COLUMNS, TAGS};
use super::{Completion, Description, NewTask, Put, Task, TaskChange, TaskKey, TaskReplacement};
use crate::auth::user_id::UserId;
use crate::change::{Assignments, At};
use crate::db::{DbError, Row, Value};
use crate::field::choice::Priority;
use crate::field::due::DueDate;
use crate::field::etag::{Expected, RowVersion};
use crate::field::patch::Patch;
use crate::field::tags::Tags;
use crate::field::timestamp::Timestamp;
use crate::write::{Create, Edit, Effect, Event, Kind, Operation, Resource};

static KIND: Kind = Kind {
    table: "@tasks",
    columns: COLUMNS,
    numbered: true,
    clearable: [
        ("description", "description is not null"),
        ("tags", "tags <> '[]'"),
        ("due_date", "due_date is not null"),
    ],
    tags: &TAGS,
};

impl Resource for Task {
    const KIND: &'static Kind = &KIND;

    fn read(row: &Row, user: &UserId) -> Result<Self, DbError> {
        Self::from_row(row, user)
    }

    fn version(&self) -> RowVersion {
        RowVersion { id: self.id, version: self.version }
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn has_values(&self) -> [bool; 3] {
        [self.description.is_some(), !self.tags.is_empty(), self.due_date.is_some()]
    }

    fn log(user: &UserId, id: Uuid, event: Event) {
        match event {
            Event::Created => tracing::info!(user_id = %user, task_id = %id, "Task created"),
            Event::Updated => tracing::info!(user_id = %user, task_id = %id, "Task updated"),
            Event::Deleted => tracing::info!(user_id = %user, task_id = %id, "Task deleted"),
        }
    }
}

impl TaskKey {
    /// The row that it names.
    pub(super) fn at(self) -> At {
        match self {
            Self::Id(id) => At { column: "id", value: Value::Uuid(id) },
            Self::Number(number) => At { column: "number", value: Value::Int(number) },
        }
    }
}

/// Makes a task, and the user's row with it when it is the user's first write.
pub fn create(id: Uuid, new: &NewTask, now: Timestamp) -> Operation {
    let NewTask { title, description, completed, priority, tags, due_date } = new;
    let mut set = Assignments::default();
    set.text("title", Some(title.as_str()));
    set.text("description", description.as_ref().map(Description::as_str));
    set.completed(*completed, now);
    set.choice("priority", *priority);
    set.value("tags", Value::Tags(tags.as_slice().to_vec()));
    set.value("due_date", Value::Time(due_date.map(|due| due.0)));
    Operation::Create(Create { id, set, tags: tags.as_slice().to_vec() })
}

/// Changes some fields; what already has its value is no change.
pub fn change(key: TaskKey, change: &TaskChange, expected: Option<Expected>, now: Timestamp) -> Operation {
    let set = named(change, now);
    let effect = if set.is_empty() { Effect::Nothing } else { Effect::Change(set) };
    edit(key, effect, expected, change.tags.as_ref())
}

/// The columns that a change names.
fn named(change: &TaskChange, now: Timestamp) -> Assignments {
    let TaskChange { title, description, completed, priority, tags, due_date } = change;
    let mut set = Assignments::default();
    if let Some(title) = title {
        set.text("title", Some(title.as_str()));
    }
    set.text_patch("description", description.as_ref().map(Description::as_str));
    if let Some(completed) = completed {
        set.completed(*completed, now);
    }
    set_kept(&mut set, *priority, tags.as_ref(), *due_date);
    set
}

/// Does what a PUT asks for, which is a change whatever the task held, and tells what was cleared.
pub fn put(key: TaskKey, put: &Put, expected: Option<Expected>, now: Timestamp) -> Operation {
    match put {
        Put::Whole(put) => replace(key, put, expected, now),
        Put::Named(change) => edit(key, Effect::Replace(named(change, now)), expected, change.tags.as_ref()),
    }
}

/// Puts another task in the place of one, keeping what such a body cannot know.
pub fn replace(key: TaskKey, put: &TaskReplacement, expected: Option<Expected>, now: Timestamp) -> Operation {
    let TaskReplacement { title, completed, description, priority, tags, due_date } = put;
    let mut set = Assignments::default();
    set.text("title", Some(title.as_str()));
    set.text("description", description.as_ref().map(Description::as_str));
    set.completed(*completed, now);
    set_kept(&mut set, *priority, tags.as_ref(), *due_date);
    edit(key, Effect::Replace(set), expected, tags.as_ref())
}

/// Completes a task, reopens it, or turns it round in one statement, so that concurrent toggles all count.
pub fn complete(
    key: TaskKey,
    completion: Completion,
    expected: Option<Expected>,
    now: Timestamp,
) -> Operation {
    let mut set = Assignments::default();
    let effect = match completion {
        Completion::Set(completed) => {
            set.completed(completed, now);
            Effect::Change(set)
        }
        Completion::Toggle => {
            set.toggle_completed(now);
            Effect::Set(set)
        }
    };
    edit(key, effect, expected, None)
}

/// Removes a task for good.
pub fn remove(key: TaskKey, expected: Option<Expected>) -> Operation {
    edit(key, Effect::Remove, expected, None)
}

fn edit(key: TaskKey, effect: Effect, expected: Option<Expected>, tags: Option<&Tags>) -> Operation {
    Operation::Edit(Edit { at: key.at(), effect, expected, tags: tags.map(|tags| tags.as_slice().to_vec()) })
}

/// Sets what both a PATCH and a PUT keep when it is left out.
fn set_kept(
    set: &mut Assignments,
    priority: Option<Priority>,
    tags: Option<&Tags>,
    due_date: Patch<DueDate>,
) {
    if let Some(priority) = priority {
        set.choice("priority", priority);
    }
    if let Some(tags) = tags {
        set.value("tags", Value::Tags(tags.as_slice().to_vec()));
    }
    set.time_patch("due_date", due_date.map(|due| due.0));
}
