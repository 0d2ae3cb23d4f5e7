//! What can be done to ideas, as operations for [`write`](mod@crate::write).

use uuid::Uuid;

use super::store::{COLUMNS, TAGS};
use super::{Idea, IdeaChange, NewIdea, Notes};
use crate::auth::user_id::UserId;
use crate::change::{Assignments, At};
use crate::db::{DbError, Row, Value};
use crate::field::etag::{Expected, RowVersion};
use crate::field::tags::Tags;
use crate::field::timestamp::Timestamp;
use crate::write::{Create, Edit, Effect, Event, Kind, Operation, Resource};

static KIND: Kind = Kind {
    table: "@ideas",
    columns: COLUMNS,
    numbered: false,
    clearable: [
        ("notes", "notes is not null"),
        ("tags", "tags <> '[]'"),
        ("due_date", "due_date is not null"),
    ],
    tags: &TAGS,
};

impl Resource for Idea {
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
        [self.notes.is_some(), !self.tags.is_empty(), self.due_date.is_some()]
    }

    fn log(user: &UserId, id: Uuid, event: Event) {
        match event {
            Event::Created => tracing::info!(user_id = %user, idea_id = %id, "Idea created"),
            Event::Updated => tracing::info!(user_id = %user, idea_id = %id, "Idea updated"),
            Event::Deleted => tracing::info!(user_id = %user, idea_id = %id, "Idea deleted"),
        }
    }
}

/// The row of this id.
pub(super) fn at(id: Uuid) -> At {
    At { column: "id", value: Value::Uuid(id) }
}

/// Makes an idea, and the user's row with it when it is the user's first write.
pub fn create(id: Uuid, new: &NewIdea) -> Operation {
    Operation::Create(Create { id, set: full(new), tags: new.tags.as_slice().to_vec() })
}

/// Changes some fields; what already has its value is no change.
pub fn change(id: Uuid, change: &IdeaChange, expected: Option<Expected>) -> Operation {
    let IdeaChange { title, notes, stage, priority, tags, due_date } = change;
    let mut set = Assignments::default();
    if let Some(title) = title {
        set.text("title", Some(title.as_str()));
    }
    set.text_patch("notes", notes.as_ref().map(Notes::as_str));
    if let Some(stage) = stage {
        set.choice("stage", *stage);
    }
    if let Some(priority) = priority {
        set.choice("priority", *priority);
    }
    if let Some(tags) = tags {
        set.value("tags", Value::Tags(tags.as_slice().to_vec()));
    }
    set.time_patch("due_date", due_date.map(|due| due.0));
    let effect = if set.is_empty() { Effect::Nothing } else { Effect::Change(set) };
    edit(id, effect, expected, tags.as_ref())
}

/// Puts another idea in the place of one.
pub fn replace(id: Uuid, put: &NewIdea, expected: Option<Expected>) -> Operation {
    edit(id, Effect::Replace(full(put)), expected, Some(&put.tags))
}

/// Removes an idea for good.
pub fn remove(id: Uuid, expected: Option<Expected>) -> Operation {
    edit(id, Effect::Remove, expected, None)
}

fn edit(id: Uuid, effect: Effect, expected: Option<Expected>, tags: Option<&Tags>) -> Operation {
    Operation::Edit(Edit { at: at(id), effect, expected, tags: tags.map(|tags| tags.as_slice().to_vec()) })
}

/// Every column that a client may set.
fn full(idea: &NewIdea) -> Assignments {
    let NewIdea { title, notes, stage, priority, tags, due_date } = idea;
    let mut set = Assignments::default();
    set.text("title", Some(title.as_str()));
    set.text("notes", notes.as_ref().map(Notes::as_str));
    set.choice("stage", *stage);
    set.choice("priority", *priority);
    set.value("tags", Value::Tags(tags.as_slice().to_vec()));
    set.value("due_date", Value::Time(due_date.map(|due| due.0)));
    set
}
