//! The bodies that both contracts read. Each collects every complaint before it answers with one. `completed` may be
//! called `is_completed` in all of them: rows of front-ends that know it by that name can be sent to either contract.

mod complaints;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::field::Invalid;
use crate::field::form::Form;
use crate::field::patch::Sent;
use crate::ideas::{IdeaChange, NewIdea};
use crate::tasks::{Completion, NewTask, TaskChange, TaskReplacement};

/// What is said of a PUT to a task that lacks `title` or `completed`.
pub const WANTS_BOTH: &str = "PUT replaces the task: send both title and completed, or use PATCH";

/// A task to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TaskCreate {
    /// 1–500 characters after trimming.
    #[schema(value_type = String, min_length = 1, max_length = 500, required, example = "Record the intro")]
    #[serde(default)]
    title: Sent,
    /// At most 5000 characters, kept as sent.
    #[schema(value_type = Option<String>, max_length = 5000)]
    #[serde(default)]
    description: Sent,
    /// Whether it is done already; false when left out.
    #[schema(value_type = bool)]
    #[serde(default, alias = "is_completed")]
    completed: Sent,
    /// `high`, `medium` or `low`.
    #[schema(value_type = crate::field::choice::Priority)]
    #[serde(default)]
    priority: Sent,
    /// At most 20, each of 1–50 characters without a comma; duplicates are removed.
    #[schema(value_type = Vec<String>, max_items = 20)]
    #[serde(default)]
    tags: Sent,
    /// RFC 3339 with any offset, a time without one (taken as UTC), or a date (00:00 UTC).
    #[schema(value_type = Option<String>, example = "2027-01-31T09:00:00Z")]
    #[serde(default)]
    due_date: Sent,
}

impl TaskCreate {
    /// The checked task.
    ///
    /// # Errors
    /// Every complaint at once, here and below.
    pub fn into_new(self) -> Result<NewTask, Invalid> {
        let mut form = Form::new();
        let title = form.required("title", &self.title);
        let description = form.nullable("description", &self.description);
        let completed = form.or_default("completed", &self.completed);
        let priority = form.or_default("priority", &self.priority);
        let tags = form.or_default("tags", &self.tags);
        let due_date = form.nullable("due_date", &self.due_date);
        let Some(title) = title else { return Err(form.invalid()) };
        form.finish()?;
        Ok(NewTask { title, description, completed, priority, tags, due_date })
    }
}

/// A task in the place of another. `title` and `completed` are required; an absent `description` becomes null;
/// absent `priority`, `tags` and `due_date` keep their value.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TaskReplace {
    /// 1–500 characters after trimming.
    #[schema(value_type = String, min_length = 1, max_length = 500, required)]
    #[serde(default)]
    title: Sent,
    /// Whether it is done.
    #[schema(value_type = bool, required)]
    #[serde(default, alias = "is_completed")]
    completed: Sent,
    /// At most 5000 characters; null when left out.
    #[schema(value_type = Option<String>, max_length = 5000)]
    #[serde(default)]
    description: Sent,
    /// Kept when left out.
    #[schema(value_type = crate::field::choice::Priority)]
    #[serde(default)]
    priority: Sent,
    /// Kept when left out.
    #[schema(value_type = Vec<String>, max_items = 20)]
    #[serde(default)]
    tags: Sent,
    /// Kept when left out; null clears it.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    due_date: Sent,
}

impl TaskReplace {
    /// The checked replacement.
    ///
    /// # Errors
    /// Every complaint at once.
    pub fn into_replacement(self) -> Result<TaskReplacement, Invalid> {
        let mut form = Form::new();
        let title = form.required("title", &self.title);
        let completed = form.required("completed", &self.completed);
        let description = form.nullable("description", &self.description);
        let priority = form.kept("priority", &self.priority);
        let tags = form.kept("tags", &self.tags);
        let due_date = form.patch("due_date", &self.due_date);
        if self.title.is_absent() || self.completed.is_absent() {
            form.complain("body", WANTS_BOTH);
        }
        let (Some(title), Some(completed)) = (title, completed) else { return Err(form.invalid()) };
        form.finish()?;
        Ok(TaskReplacement { title, completed, description, priority, tags, due_date })
    }

    /// The same members as a change of some fields, none of them required.
    ///
    /// # Errors
    /// Every complaint at once.
    pub fn into_change(self) -> Result<TaskChange, Invalid> {
        let Self { title, completed, description, priority, tags, due_date } = self;
        TaskPatch { title, description, completed, priority, tags, due_date }.into_change()
    }
}

/// A change of some fields of a task (RFC 7396): absent is unchanged, null clears `description` and `due_date`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TaskPatch {
    /// 1–500 characters after trimming.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    #[serde(default)]
    title: Sent,
    /// At most 5000 characters; null clears it.
    #[schema(value_type = Option<String>, max_length = 5000)]
    #[serde(default)]
    description: Sent,
    /// Whether it is done.
    #[schema(value_type = bool)]
    #[serde(default, alias = "is_completed")]
    completed: Sent,
    /// `high`, `medium` or `low`.
    #[schema(value_type = crate::field::choice::Priority)]
    #[serde(default)]
    priority: Sent,
    /// In the place of the tags that are there.
    #[schema(value_type = Vec<String>, max_items = 20)]
    #[serde(default)]
    tags: Sent,
    /// Null clears it.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    due_date: Sent,
}

impl TaskPatch {
    /// The checked change.
    ///
    /// # Errors
    /// Every complaint at once.
    pub fn into_change(self) -> Result<TaskChange, Invalid> {
        let mut form = Form::new();
        let change = TaskChange {
            title: form.kept("title", &self.title),
            description: form.patch("description", &self.description),
            completed: form.kept("completed", &self.completed),
            priority: form.kept("priority", &self.priority),
            tags: form.kept("tags", &self.tags),
            due_date: form.patch("due_date", &self.due_date),
        };
        form.finish()?;
        Ok(change)
    }
}

/// What `complete` sets; without a body, or with an empty object, it turns `completed` round.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TaskCompletion {
    /// Whether the task is done.
    #[schema(value_type = bool)]
    #[serde(default, alias = "is_completed")]
    completed: Sent,
}

impl TaskCompletion {
    /// Toggle or set.
    ///
    /// # Errors
    /// When `completed` is no boolean.
    pub fn into_completion(self) -> Result<Completion, Invalid> {
        let mut form = Form::new();
        let completed = form.kept("completed", &self.completed);
        form.finish()?;
        Ok(completed.map_or(Completion::Toggle, Completion::Set))
    }
}

/// An idea in full: made by POST, put in the place of another by PUT. What is left out goes to its default.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct IdeaWrite {
    /// 1–200 characters after trimming.
    #[schema(value_type = String, min_length = 1, max_length = 200, required, example = "Ten lenses under 200")]
    #[serde(default)]
    title: Sent,
    /// At most 5000 characters, kept as sent.
    #[schema(value_type = Option<String>, max_length = 5000)]
    #[serde(default)]
    notes: Sent,
    /// `idea`, `outline`, `draft` or `published`.
    #[schema(value_type = crate::ideas::Stage)]
    #[serde(default)]
    stage: Sent,
    /// `high`, `medium` or `low`.
    #[schema(value_type = crate::field::choice::Priority)]
    #[serde(default)]
    priority: Sent,
    /// At most 20, each of 1–50 characters without a comma; duplicates are removed.
    #[schema(value_type = Vec<String>, max_items = 20)]
    #[serde(default)]
    tags: Sent,
    /// RFC 3339 with any offset, a time without one (taken as UTC), or a date (00:00 UTC).
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    due_date: Sent,
}

impl IdeaWrite {
    /// The checked idea.
    ///
    /// # Errors
    /// Every complaint at once.
    pub fn into_new(self) -> Result<NewIdea, Invalid> {
        let mut form = Form::new();
        let title = form.required("title", &self.title);
        let notes = form.nullable("notes", &self.notes);
        let stage = form.or_default("stage", &self.stage);
        let priority = form.or_default("priority", &self.priority);
        let tags = form.or_default("tags", &self.tags);
        let due_date = form.nullable("due_date", &self.due_date);
        let Some(title) = title else { return Err(form.invalid()) };
        form.finish()?;
        Ok(NewIdea { title, notes, stage, priority, tags, due_date })
    }
}

/// A change of some fields of an idea (RFC 7396): absent is unchanged, null clears `notes` and `due_date`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct IdeaPatch {
    /// 1–200 characters after trimming.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    #[serde(default)]
    title: Sent,
    /// At most 5000 characters; null clears them.
    #[schema(value_type = Option<String>, max_length = 5000)]
    #[serde(default)]
    notes: Sent,
    /// `idea`, `outline`, `draft` or `published`.
    #[schema(value_type = crate::ideas::Stage)]
    #[serde(default)]
    stage: Sent,
    /// `high`, `medium` or `low`.
    #[schema(value_type = crate::field::choice::Priority)]
    #[serde(default)]
    priority: Sent,
    /// In the place of the tags that are there.
    #[schema(value_type = Vec<String>, max_items = 20)]
    #[serde(default)]
    tags: Sent,
    /// Null clears it.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    due_date: Sent,
}

impl IdeaPatch {
    /// The checked change.
    ///
    /// # Errors
    /// Every complaint at once.
    pub fn into_change(self) -> Result<IdeaChange, Invalid> {
        let mut form = Form::new();
        let change = IdeaChange {
            title: form.kept("title", &self.title),
            notes: form.patch("notes", &self.notes),
            stage: form.kept("stage", &self.stage),
            priority: form.kept("priority", &self.priority),
            tags: form.kept("tags", &self.tags),
            due_date: form.patch("due_date", &self.due_date),
        };
        form.finish()?;
        Ok(change)
    }
}
