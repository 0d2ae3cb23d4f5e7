//! Content ideas: what one is, what can be asked of it, and its store.

pub mod operations;
pub mod store;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::user_id::UserId;
use crate::db::{DbError, Row, Value};
use crate::field::Invalid;
use crate::field::choice::{Choice, Priority};
use crate::field::due::DueDate;
use crate::field::id::parse_uuid;
use crate::field::params::Params;
use crate::field::patch::Patch;
use crate::field::tags::Tags;
use crate::field::text::{LongText, Title, fold};
use crate::field::timestamp::Timestamp;
use crate::list::binding::{Binding, Terms};
use crate::list::filter::distinct;
use crate::list::{Filter, Key, Listed, Order, read_choice};

/// An idea's title: 1–200 characters, trimmed.
pub type IdeaTitle = Title<200>;
/// An idea's notes: at most 5000 characters, kept as sent.
pub type Notes = LongText<5000>;

/// How far an idea has come; any stage may follow any other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Just an idea.
    #[default]
    Idea,
    /// Its shape is there.
    Outline,
    /// It is being written.
    Draft,
    /// It is out.
    Published,
}

impl Choice for Stage {
    const LABEL: &'static str = "stage";
    const ALL: &'static [Self] = &[Self::Idea, Self::Outline, Self::Draft, Self::Published];

    fn as_str(self) -> &'static str {
        match self {
            Self::Idea => "idea",
            Self::Outline => "outline",
            Self::Draft => "draft",
            Self::Published => "published",
        }
    }
}

impl Stage {
    /// Its place in the order: idea 1 … published 4.
    pub fn rank(self) -> i64 {
        match self {
            Self::Idea => 1,
            Self::Outline => 2,
            Self::Draft => 3,
            Self::Published => 4,
        }
    }
}

/// A content idea.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Idea {
    /// UUIDv7 (RFC 9562).
    pub id: Uuid,
    /// The owner.
    pub user_id: String,
    /// 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// At most 5000 characters.
    #[schema(max_length = 5000)]
    pub notes: Option<String>,
    /// `idea`, `outline`, `draft` or `published`.
    pub stage: Stage,
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

impl Idea {
    /// Reads the columns of [`store::COLUMNS`], in their order.
    fn from_row(row: &Row, user: &UserId) -> Result<Self, DbError> {
        Ok(Self {
            user_id: user.as_str().to_owned(),
            id: row.uuid(0)?,
            title: row.text(1)?,
            notes: row.opt_text(2)?,
            stage: read_choice(row, 3)?,
            priority: read_choice(row, 4)?,
            tags: row.tags(5)?,
            due_date: row.opt_time(6)?,
            created_at: row.time(7)?,
            updated_at: row.time(8)?,
            version: row.int(9)?,
        })
    }
}

impl Listed for Idea {
    fn id(&self) -> Uuid {
        self.id
    }

    fn sort_value(&self, key: Key) -> Value {
        match key {
            Key::CreatedAt => Value::Time(Some(self.created_at)),
            Key::UpdatedAt => Value::Time(Some(self.updated_at)),
            Key::Title => Value::Text(Some(fold(&self.title))),
            Key::Priority => Value::Int(self.priority.rank()),
            Key::State(_) => Value::Int(self.stage.rank()),
            Key::DueDate => Value::Time(self.due_date),
        }
    }
}

/// Reads an idea's id from a path.
///
/// # Errors
/// The complaint, when the text is no UUID in canonical form.
pub fn parse_id(text: &str) -> Result<Uuid, Invalid> {
    parse_uuid(text).ok_or_else(|| Invalid::one("id", "Invalid idea id. Must be a UUID"))
}

/// An idea in full: what a POST makes and what a PUT puts in the place of another.
#[derive(Debug, Clone, PartialEq)]
pub struct NewIdea {
    /// Required.
    pub title: IdeaTitle,
    /// Null when left out.
    pub notes: Option<Notes>,
    /// `idea` when left out.
    pub stage: Stage,
    /// Medium when left out.
    pub priority: Priority,
    /// None when left out.
    pub tags: Tags,
    /// Null when left out.
    pub due_date: Option<DueDate>,
}

/// A change of some fields (PATCH).
#[derive(Debug, Clone, PartialEq)]
pub struct IdeaChange {
    /// The new title.
    pub title: Option<IdeaTitle>,
    /// The new notes.
    pub notes: Patch<Notes>,
    /// The new stage.
    pub stage: Option<Stage>,
    /// The new priority.
    pub priority: Option<Priority>,
    /// The new tags.
    pub tags: Option<Tags>,
    /// The new due date.
    pub due_date: Patch<DueDate>,
}

/// Which ideas a list shows.
#[derive(Debug, Clone, Default)]
pub struct IdeaFilter {
    /// Any of these stages; empty: every stage.
    pub stages: Vec<Stage>,
    /// What tasks and ideas share.
    pub common: Filter,
}

impl IdeaFilter {
    /// Reads the filters of a query; complaints are collected in `invalid`.
    pub fn read(params: &Params, now: Timestamp, invalid: &mut Invalid) -> Self {
        Self {
            stages: distinct(params.choices(&["stage"], invalid)),
            common: Filter::read(params, now, invalid),
        }
    }

    /// What a cursor of the list in this order is bound to.
    pub fn binding(&self, order: &Order) -> Binding {
        let Self { stages, common } = self;
        let mut terms = Terms::new("ideas", order);
        terms.add("stage", stages.iter().map(|stage| stage.as_str()));
        terms.filter(common);
        terms.binding()
    }
}
