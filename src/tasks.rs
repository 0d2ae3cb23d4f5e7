//! Tasks: what one is, what can be asked of it, and its store.

pub mod operations;
pub mod store;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::user_id::UserId;
use crate::db::{DbError, Row, Value};
use crate::field::Invalid;
use crate::field::choice::Priority;
use crate::field::due::DueDate;
use crate::field::id::parse_uuid;
use crate::field::params::Params;
use crate::field::patch::Patch;
use crate::field::tags::Tags;
use crate::field::text::{LongText, Title, fold};
use crate::field::timestamp::Timestamp;
use crate::list::binding::{Binding, Terms};
use crate::list::{Filter, Key, Listed, Order, read_choice};

/// A task's title: 1–500 characters, trimmed.
pub type TaskTitle = Title<500>;
/// A task's description: at most 5000 characters, kept as sent.
pub type Description = LongText<5000>;

/// A task, as both contracts answer it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Task {
    /// UUIDv7 (RFC 9562).
    pub id: Uuid,
    /// 1, 2, 3 … for each user, never given twice.
    #[schema(minimum = 1)]
    pub number: i64,
    /// The owner.
    pub user_id: String,
    /// 1–500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub title: String,
    /// At most 5000 characters.
    #[schema(max_length = 5000)]
    pub description: Option<String>,
    /// Whether it is done.
    pub completed: bool,
    /// When it became done; null while it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// `high`, `medium` or `low`.
    pub priority: Priority,
    /// At most 20, each of 1–50 characters, in the order they were sent.
    pub tags: Vec<String>,
    /// When it is due, in UTC.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_date: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// 1 when made, one more with each change.
    #[schema(minimum = 1)]
    pub version: i64,
}

impl Task {
    /// Reads the columns of [`store::COLUMNS`], in their order.
    fn from_row(row: &Row, user: &UserId) -> Result<Self, DbError> {
        Ok(Self {
            user_id: user.as_str().to_owned(),
            id: row.uuid(0)?,
            number: row.int(1)?,
            title: row.text(2)?,
            description: row.opt_text(3)?,
            completed: row.bool(4)?,
            completed_at: row.opt_time(5)?,
            priority: read_choice(row, 6)?,
            tags: row.tags(7)?,
            due_date: row.opt_time(8)?,
            created_at: row.time(9)?,
            updated_at: row.time(10)?,
            version: row.int(11)?,
        })
    }
}

impl Listed for Task {
    fn id(&self) -> Uuid {
        self.id
    }

    fn sort_value(&self, key: Key) -> Value {
        match key {
            Key::CreatedAt => Value::Time(Some(self.created_at)),
            Key::UpdatedAt => Value::Time(Some(self.updated_at)),
            Key::Title => Value::Text(Some(fold(&self.title))),
            Key::Priority => Value::Int(self.priority.rank()),
            Key::State(_) => Value::Bool(self.completed),
            Key::DueDate => Value::Time(self.due_date),
        }
    }
}

/// How a task is named in a path: by its UUID or its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKey {
    /// Its `id`.
    Id(Uuid),
    /// Its `number`.
    Number(i64),
}

impl TaskKey {
    /// A UUID in canonical form (either case) or a number of 1 or more in plain digits.
    ///
    /// # Errors
    /// The complaint, when the text is neither.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if let Some(id) = parse_uuid(text) {
            return Ok(Self::Id(id));
        }
        let plain = !text.starts_with('0') && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(number) if plain => Ok(Self::Number(number)),
            _ => Err(Invalid::one("id", "Invalid task id. Must be a UUID or a task number")),
        }
    }
}

/// A task to be made; every field is already checked.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Required.
    pub title: TaskTitle,
    /// Null when left out.
    pub description: Option<Description>,
    /// False when left out.
    pub completed: bool,
    /// Medium when left out.
    pub priority: Priority,
    /// None when left out.
    pub tags: Tags,
    /// Null when left out.
    pub due_date: Option<DueDate>,
}

/// A change of some fields (PATCH).
#[derive(Debug, Clone, PartialEq)]
pub struct TaskChange {
    /// The new title.
    pub title: Option<TaskTitle>,
    /// The new description.
    pub description: Patch<Description>,
    /// Done or not.
    pub completed: Option<bool>,
    /// The new priority.
    pub priority: Option<Priority>,
    /// The new tags.
    pub tags: Option<Tags>,
    /// The new due date.
    pub due_date: Patch<DueDate>,
}

/// A replacement (PUT). Front-ends of this family know title, description and completed only, so what they
/// cannot know is kept when it is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskReplacement {
    /// Required.
    pub title: TaskTitle,
    /// Required.
    pub completed: bool,
    /// Null when left out.
    pub description: Option<Description>,
    /// Kept when left out.
    pub priority: Option<Priority>,
    /// Kept when left out.
    pub tags: Option<Tags>,
    /// Kept when left out.
    pub due_date: Patch<DueDate>,
}

/// What a PUT does.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// It puts another task in the place of this one.
    Whole(TaskReplacement),
    /// It changes what it names and keeps the rest.
    Named(TaskChange),
}

/// What `complete` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Turns it round.
    Toggle,
    /// Sets it.
    Set(bool),
}

/// Which tasks a list shows.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Done, not done, or both.
    pub completed: Option<bool>,
    /// What tasks and ideas share.
    pub common: Filter,
}

/// What `status` may say, and which tasks it means.
const STATUSES: &[(&str, Option<bool>)] = &[
    ("all", None),
    ("pending", Some(false)),
    ("completed", Some(true)),
    ("active", Some(false)),
    ("incomplete", Some(false)),
    ("done", Some(true)),
];

impl TaskFilter {
    /// Reads the filters of a query; complaints are collected in `invalid`.
    pub fn read(params: &Params, now: Timestamp, invalid: &mut Invalid) -> Self {
        let completed = params.switch(&["completed", "is_completed"], invalid);
        let status = params.one(&["status"], invalid).and_then(|text| {
            let known = STATUSES.iter().find(|(name, _)| *name == text);
            if known.is_none() {
                let names: Vec<&str> = STATUSES.iter().map(|(name, _)| *name).collect();
                invalid.add("status", format!("Invalid status. Must be one of: {}", names.join(", ")));
            }
            known.and_then(|(_, completed)| *completed)
        });
        let common = Filter::read(params, now, invalid);
        // Different filters combine with AND: `status=pending&completed=true` asks for what cannot be.
        let nothing = matches!((status, completed), (Some(a), Some(b)) if a != b);
        Self { completed: completed.or(status), common: Filter { nothing, ..common } }
    }

    /// What a cursor of the list in this order is bound to.
    pub fn binding(&self, order: &Order) -> Binding {
        let Self { completed, common } = self;
        let mut terms = Terms::new("tasks", order);
        terms.switch("completed", *completed);
        terms.filter(common);
        terms.binding()
    }
}
