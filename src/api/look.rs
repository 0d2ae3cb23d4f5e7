//! How rows look in a contract: the settings that change their JSON, and what a removal answers.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use uuid::Uuid;

use crate::config::contract::{ContractConfig, DeleteStatus};
use crate::http::error::{ApiError, Missing};
use crate::ideas::Idea;
use crate::tasks::Task;
use crate::write::Resource;

/// How a contract shows its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// What the addresses of rows begin with.
    pub base: &'static str,
    /// The form of their JSON.
    pub look: Look,
    /// What a removal answers.
    pub removal: Removal,
}

/// The form of a task's JSON; the default is that of the documented contracts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// `id` is the task's number.
    pub number_ids: bool,
    /// `completed` is called `is_completed`.
    pub is_completed: bool,
}

/// What a removal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// 204, empty.
    Empty,
    /// 200 with a message.
    Message,
    /// 200 with a message and the id.
    MessageAndId,
}

impl Style {
    /// The todo contract's.
    pub fn todo(settings: &ContractConfig) -> Self {
        let look = Look { number_ids: settings.todo.number_ids, is_completed: settings.todo.is_completed };
        Self { base: "/api", look, removal: Removal::set(settings, Removal::Empty) }
    }

    /// That of v1's tasks.
    pub fn v1_tasks(settings: &ContractConfig) -> Self {
        Self { removal: Removal::set(settings, Removal::Message), ..Self::ideas(settings) }
    }

    /// That of ideas.
    pub fn ideas(settings: &ContractConfig) -> Self {
        Self { base: "/api/v1", look: Look::default(), removal: Removal::set(settings, Removal::Empty) }
    }
}

impl Removal {
    fn set(settings: &ContractConfig, usual: Self) -> Self {
        match settings.delete_status {
            None => usual,
            Some(DeleteStatus::NoContent) => Self::Empty,
            Some(DeleteStatus::Ok) => Self::MessageAndId,
        }
    }
}

impl Look {
    /// What an entity tag says of the form, since another form is another representation.
    pub fn form(self) -> &'static str {
        match (self.number_ids, self.is_completed) {
            (false, false) => "",
            (true, false) => "n",
            (false, true) => "c",
            (true, true) => "nc",
        }
    }
}

/// A row that a contract can show.
pub trait Shown: Resource {
    /// `tasks` or `ideas`.
    const COLLECTION: &'static str;
    /// `Task` or `Idea`.
    const NAME: &'static str;

    /// The row as JSON.
    ///
    /// # Errors
    /// 500, should it not serialise.
    fn json(&self, look: Look) -> Result<String, ApiError>;

    /// Its `id`, as a path names it.
    fn name(&self, look: Look) -> String;

    /// Its `id` as JSON.
    fn name_json(&self, look: Look) -> String;

    /// What is not there, when a row of this id is not.
    fn missing(id: String) -> Missing;

    /// Its entity tag.
    fn tag(&self, look: Look) -> String {
        self.version().tag(look.form())
    }
}

impl Shown for Idea {
    const COLLECTION: &'static str = "ideas";
    const NAME: &'static str = "Idea";

    fn json(&self, _: Look) -> Result<String, ApiError> {
        serde_json::to_string(self).map_err(|_| ApiError::Internal)
    }

    fn name(&self, _: Look) -> String {
        self.id.to_string()
    }

    fn name_json(&self, _: Look) -> String {
        quoted(self.id)
    }

    fn missing(id: String) -> Missing {
        Missing::Idea(id)
    }
}

impl Shown for Task {
    const COLLECTION: &'static str = "tasks";
    const NAME: &'static str = "Task";

    fn json(&self, look: Look) -> Result<String, ApiError> {
        serde_json::to_string(&TaskShown(self, look)).map_err(|_| ApiError::Internal)
    }

    fn name(&self, look: Look) -> String {
        if look.number_ids { self.number.to_string() } else { self.id.to_string() }
    }

    fn name_json(&self, look: Look) -> String {
        if look.number_ids { self.number.to_string() } else { quoted(self.id) }
    }

    fn missing(id: String) -> Missing {
        Missing::Task(id)
    }
}

fn quoted(id: Uuid) -> String {
    format!("\"{id}\"")
}

/// A task in one of its forms.
#[derive(Debug)]
pub struct TaskShown<'a>(pub &'a Task, pub Look);

impl Serialize for TaskShown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(task, look) = self;
        let Task {
            id,
            number,
            user_id,
            title,
            description,
            completed,
            completed_at,
            priority,
            tags,
            due_date,
            created_at,
            updated_at,
            version,
        } = task;
        let mut row = serializer.serialize_struct("Task", 13)?;
        if look.number_ids {
            row.serialize_field("id", number)?;
        } else {
            row.serialize_field("id", id)?;
        }
        row.serialize_field("number", number)?;
        row.serialize_field("user_id", user_id)?;
        row.serialize_field("title", title)?;
        row.serialize_field("description", description)?;
        row.serialize_field(if look.is_completed { "is_completed" } else { "completed" }, completed)?;
        row.serialize_field("completed_at", completed_at)?;
        row.serialize_field("priority", priority)?;
        row.serialize_field("tags", tags)?;
        row.serialize_field("due_date", due_date)?;
        row.serialize_field("created_at", created_at)?;
        row.serialize_field("updated_at", updated_at)?;
        row.serialize_field("version", version)?;
        row.end()
    }
}
