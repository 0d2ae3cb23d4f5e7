//! The order of a list, and what comes after a row in it.

use super::{Listed, Table};
use crate::db::Value;
use crate::db::draft::Draft;
use crate::field::Invalid;
use crate::field::params::Params;

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
    State,
    /// The due date; rows without one come last either way.
    DueDate,
}

impl Key {
    fn parse(name: &str, state: &str) -> Option<Self> {
        match name {
            "created_at" => Some(Self::CreatedAt),
            "updated_at" => Some(Self::UpdatedAt),
            "title" => Some(Self::Title),
            "priority" => Some(Self::Priority),
            "due_date" => Some(Self::DueDate),
            other => (other == state).then_some(Self::State),
        }
    }

    fn expression(self, table: &Table) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Title => "title_fold",
            Self::Priority => "case priority when 'low' then 1 when 'medium' then 2 else 3 end",
            Self::State => table.state,
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
    fn word(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    fn beyond(self) -> &'static str {
        match self {
            Self::Ascending => ">",
            Self::Descending => "<",
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
    /// Reads `sort` (alias `sort_by`) and `order` (alias `sort_order`). `state` is the resource's own name for
    /// [`Key::State`]. Complaints are collected in `invalid`.
    pub fn read(params: &Params, state: &str, invalid: &mut Invalid) -> Self {
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
                invalid.add(
                    "sort",
                    format!("Invalid sort. Must be one of: created_at, updated_at, title, priority, {state}, due_date"),
                );
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

    /// Whether it is the order of creation, which the main index serves in both directions.
    pub fn is_by_creation(&self) -> bool {
        matches!(self.keys.as_slice(), [(Key::CreatedAt, _)])
    }

    fn tie(&self) -> Direction {
        self.keys.last().map_or(Direction::Descending, |(_, direction)| *direction)
    }

    /// Adds ` order by …`.
    pub(super) fn order_by(&self, table: &Table, draft: &mut Draft) {
        draft.push(" order by ");
        for (key, direction) in &self.keys {
            if *key == Key::DueDate {
                draft.push("(due_date is null), ");
            }
            draft.push(key.expression(table)).push(" ").push(direction.word()).push(", ");
        }
        draft.push("id ").push(self.tie().word());
    }

    /// Adds the condition that a row comes after `last`.
    pub(super) fn after<T: Listed>(&self, table: &Table, last: &T, draft: &mut Draft) {
        let id = Value::Uuid(last.id());
        if let [(key, direction)] = self.keys.as_slice()
            && *key != Key::DueDate
        {
            // One key and the id run the same way, so a row value says it, and an index can start there.
            let (expression, beyond) = (key.expression(table), direction.beyond());
            draft.push(&format!("({expression}, id) {beyond} ("));
            draft.bind(last.sort_value(*key)).push(", ").bind(id).push(")");
            return;
        }
        draft.push("(");
        let mut equal = String::new();
        for (key, direction) in &self.keys {
            let (after, same) = beyond_and_same(*key, *direction, table, last.sort_value(*key), draft);
            if let Some(after) = after {
                draft.push(&format!("({equal}{after}) or "));
            }
            equal.push_str(&same);
            equal.push_str(" and ");
        }
        let beyond = self.tie().beyond();
        draft.push(&format!("({equal}id {beyond} ")).bind(id).push("))");
    }
}

/// The conditions "comes after this value" (none, when nothing can) and "has this value" of one key.
fn beyond_and_same(
    key: Key,
    direction: Direction,
    table: &Table,
    value: Value,
    draft: &mut Draft,
) -> (Option<String>, String) {
    let (expression, beyond) = (key.expression(table), direction.beyond());
    if value == Value::Time(None) {
        // Rows without a due date are the last: nothing comes after them but more of them.
        return (None, format!("{expression} is null"));
    }
    let placeholder = draft.param(value);
    let after = if key == Key::DueDate {
        format!("({expression} {beyond} {placeholder} or {expression} is null)")
    } else {
        format!("{expression} {beyond} {placeholder}")
    };
    (Some(after), format!("{expression} = {placeholder}"))
}
