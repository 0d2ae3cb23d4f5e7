//! The order of a list, as it is asked for.

use super::Table;
use crate::db::Value;
use crate::field::Invalid;
use crate::field::params::Params;

/// What `sort` calls the state of a row, which is another thing for each resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Tasks: done or not.
    Completed,
    /// Ideas: the stage.
    Stage,
}

impl State {
    /// The name in `sort`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Stage => "stage",
        }
    }
}

/// What a list can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// When the row was made.
    CreatedAt,
    /// When it last changed.
    UpdatedAt,
    /// The title, ignoring case.
    Title,
    /// low < medium < high.
    Priority,
    /// idea < outline < draft < published; for tasks false < true.
    State(State),
    /// The due date; rows without one come last either way.
    DueDate,
}

impl Key {
    fn parse(name: &str, state: State) -> Option<Self> {
        match name {
            "created_at" => Some(Self::CreatedAt),
            "updated_at" => Some(Self::UpdatedAt),
            "title" => Some(Self::Title),
            "priority" => Some(Self::Priority),
            "due_date" => Some(Self::DueDate),
            "is_completed" if state == State::Completed => Some(Self::State(state)),
            other => (other == state.name()).then_some(Self::State(state)),
        }
    }

    /// The name in `sort`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Title => "title",
            Self::Priority => "priority",
            Self::State(state) => state.name(),
            Self::DueDate => "due_date",
        }
    }

    /// Whether a row can have this value under the key.
    pub fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Self::CreatedAt | Self::UpdatedAt, Value::Time(time)) => time.is_some(),
            (Self::DueDate, Value::Time(_)) => true,
            // PostgreSQL cannot hold U+0000 in a text.
            (Self::Title, Value::Text(Some(title))) => !title.contains('\0'),
            (Self::Priority, Value::Int(rank)) => (1..=3).contains(rank),
            (Self::State(State::Stage), Value::Int(rank)) => (1..=4).contains(rank),
            (Self::State(State::Completed), Value::Bool(_)) => true,
            (
                Self::CreatedAt
                | Self::UpdatedAt
                | Self::Title
                | Self::Priority
                | Self::State(State::Completed | State::Stage)
                | Self::DueDate,
                Value::Text(_)
                | Value::Uuid(_)
                | Value::Int(_)
                | Value::Bool(_)
                | Value::Time(_)
                | Value::Tags(_),
            ) => false,
        }
    }

    /// Whether many rows share each value.
    pub(super) fn has_few_values(self) -> bool {
        match self {
            Self::CreatedAt | Self::UpdatedAt | Self::Title | Self::DueDate => false,
            Self::Priority | Self::State(State::Stage | State::Completed) => true,
        }
    }

    /// What it is in SQL; indexes have the very same text.
    pub(super) fn expression(self, table: &Table) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Title => "title_fold",
            Self::Priority => "case priority when 'low' then 1 when 'medium' then 2 else 3 end",
            Self::State(_) => table.state,
            Self::DueDate => "due_date",
        }
    }
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub fn turned(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }

    /// `asc` or `desc`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    /// How what lies further on compares: `>` or `<`, or with an equals sign behind it.
    pub(super) fn beyond(self, with_it: bool) -> &'static str {
        match (self, with_it) {
            (Self::Ascending, false) => ">",
            (Self::Ascending, true) => ">=",
            (Self::Descending, false) => "<",
            (Self::Descending, true) => "<=",
        }
    }
}

/// The keys of an order, the first the strongest; ties break by id in the direction of the last key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    keys: Vec<(Key, Direction)>,
}

impl Default for Order {
    /// Newest first.
    fn default() -> Self {
        Self { keys: vec![(Key::CreatedAt, Direction::Descending)] }
    }
}

impl Order {
    /// Reads `sort` (alias `sort_by`) and `order` (alias `sort_order`). `state` is the one that the
    /// resource has. Complaints are collected in `invalid`.
    pub fn read(params: &Params, state: State, invalid: &mut Invalid) -> Self {
        let given = match params.one(&["order", "sort_order"], invalid) {
            None | Some("desc") => Direction::Descending,
            Some("asc") => Direction::Ascending,
            Some(_) => {
                invalid.add("order", "Invalid order. Must be one of: asc, desc");
                Direction::Descending
            }
        };
        let Some(sort) = params.one(&["sort", "sort_by"], invalid) else {
            return Self { keys: vec![(Key::CreatedAt, given)] };
        };
        let parts: Vec<&str> = sort.split(',').collect();
        let mut keys: Vec<(Key, Direction)> = Vec::with_capacity(parts.len());
        for part in &parts {
            // `+` in a query is a blank once decoded.
            let (name, sign) = match part.as_bytes().first() {
                Some(b'-') => (&part[1..], Some(Direction::Descending)),
                Some(b'+' | b' ') => (&part[1..], Some(Direction::Ascending)),
                _ => (*part, None),
            };
            let Some(key) = Key::parse(name, state) else {
                let names = format!("created_at, updated_at, title, priority, {}, due_date", state.name());
                invalid.add("sort", format!("Invalid sort. Must be one of: {names}"));
                return Self::default();
            };
            let alone = if parts.len() == 1 { given } else { Direction::Ascending };
            // A key that stands twice orders nothing the second time.
            if !keys.iter().any(|(known, _)| *known == key) {
                keys.push((key, sign.unwrap_or(alone)));
            }
        }
        Self { keys }
    }

    /// The keys with their directions, the strongest first; never none.
    pub fn keys(&self) -> &[(Key, Direction)] {
        &self.keys
    }

    /// The direction in which ids break ties.
    pub(super) fn tie(&self) -> Direction {
        self.keys.last().map_or(Direction::Descending, |(_, direction)| *direction)
    }
}
