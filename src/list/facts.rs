//! Numbers about all of a user's rows: how many there are of each kind, and of each tag.

use serde::Serialize;
use utoipa::ToSchema;

use crate::change::TagTable;
use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Row, Scope, Statement, Value};
use crate::field::choice::Priority;
use crate::field::timestamp::Timestamp;
use crate::field::zone::Day;

use super::read_choice;

/// As many tags are answered: nobody picks from a longer list, and an answer must not grow with the rows.
const TAGS: i64 = 10_000;

/// When it is, and which day that is where the user lives.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// What is due before is overdue.
    pub time: Timestamp,
    /// What is due in it is due today.
    pub today: Day,
}

/// The rows of one state and one priority, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<S> {
    /// `completed` or `stage`.
    pub state: S,
    /// The priority.
    pub priority: Priority,
    /// How many rows.
    pub rows: u64,
    /// How many of them are due before now.
    pub past: u64,
    /// How many of them are due today.
    pub today: u64,
}

/// How many rows of each priority; every one is named, also where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ByPriority {
    /// High.
    #[schema(minimum = 0)]
    pub high: u64,
    /// Medium.
    #[schema(minimum = 0)]
    pub medium: u64,
    /// Low.
    #[schema(minimum = 0)]
    pub low: u64,
}

impl ByPriority {
    /// Counts a group in.
    pub fn add<S>(&mut self, group: &Group<S>) {
        *match group.priority {
            Priority::High => &mut self.high,
            Priority::Medium => &mut self.medium,
            Priority::Low => &mut self.low,
        } += group.rows;
    }
}

/// A tag, and how many rows have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TagCount {
    /// The tag.
    pub tag: String,
    /// How many rows have it.
    #[schema(minimum = 1)]
    pub count: u64,
}

/// Counts the rows of `table` by `state` and priority: one pass, and nothing is asked of a row but these two columns and
/// `due_date`, so an index that holds them serves it. What is done is told apart by its group.
///
/// # Errors
/// What the database says.
pub async fn groups<S>(
    scope: Scope<'_>,
    table: &str,
    state: &str,
    now: Now,
    read: impl Fn(&Row) -> Result<S, DbError>,
) -> Result<Vec<Group<S>>, DbError> {
    let rows = scope.read(count_groups(table, state, now)).await?;
    let group = |row: &Row| {
        Ok(Group {
            state: read(row)?,
            priority: read_choice(row, 1)?,
            rows: count(row, 2)?,
            past: count(row, 3)?,
            today: count(row, 4)?,
        })
    };
    rows.iter().map(group).collect()
}

fn count_groups(table: &str, state: &str, now: Now) -> Statement {
    let Now { time, today: Day { start, end } } = now;
    let mut draft = Draft::new(&format!("select {state}, priority, count(*), sum(case when due_date < "));
    draft.bind(Value::Time(Some(time)));
    draft.push(" then 1 else 0 end), sum(case when due_date >= ").bind(Value::Time(Some(start)));
    draft.push(" and due_date < ").bind(Value::Time(Some(end)));
    draft.push(&format!(" then 1 else 0 end) from {table} where user_id = $1 group by {state}, priority"));
    // It costs as much as the user has rows.
    draft.finish(Plan::Fresh)
}

/// The tags of a user's rows, the most frequent first, then by tag, at most 10,000 of them: one pass over the side
/// table's key.
///
/// # Errors
/// What the database says.
pub async fn tags(scope: Scope<'_>, table: &TagTable) -> Result<Vec<TagCount>, DbError> {
    let rows = scope.read(count_tags(table, TAGS)).await?;
    rows.iter().map(|row| Ok(TagCount { tag: row.text(0)?, count: count(row, 1)? })).collect()
}

/// The `most` most frequent tags.
pub(super) fn count_tags(table: &TagTable, most: i64) -> Statement {
    let TagTable { tags, rows: _, owner: _ } = table;
    let mut draft = Draft::new("select tag, count(*) from ");
    draft.push(tags).push(" where user_id = $1 group by tag order by count(*) desc, tag limit ");
    draft.bind(Value::Int(most));
    draft.finish(Plan::Fresh)
}

fn count(row: &Row, column: usize) -> Result<u64, DbError> {
    row.int(column).map(|number| u64::try_from(number).unwrap_or(0))
}
