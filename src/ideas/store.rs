//! One user's ideas in the database: reading them. What writes them is in [`operations`](super::operations).

pub mod facts;

use uuid::Uuid;

use super::operations::at;
use super::{Idea, IdeaFilter};
use crate::change::TagTable;
use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Row, Value};
use crate::field::choice::Choice;
use crate::list::{self, Fetched, Order, Rows, Table, Window};
use crate::users::Owner;

/// The columns of an idea, in the order in which a row is read.
pub const COLUMNS: &str =
    "id, title, notes, stage, priority, tags, due_date, created_at, updated_at, version";

/// What a list has to know of the table.
pub(crate) static TABLE: Table = Table {
    name: "@ideas",
    columns: COLUMNS,
    long_text: "notes_fold",
    done: "stage = 'published'",
    state: "case stage when 'idea' then 1 when 'outline' then 2 when 'draft' then 3 else 4 end",
    tags: &TAGS,
};

/// The side table of the tags.
pub(super) static TAGS: TagTable = TagTable { rows: "@ideas", tags: "@idea_tags", owner: "idea_id" };

/// The rows that a filter asks for.
fn rows(filter: &IdeaFilter) -> Rows<'_> {
    let stages: Vec<Value> = filter.stages.iter().map(|s| Value::Text(Some(s.as_str().to_owned()))).collect();
    let only = (!stages.is_empty()).then_some(("stage", stages));
    Rows { table: &TABLE, only, filter: &filter.common }
}

/// One user's ideas: [`Ideas::of`] is the only way to the table.
#[derive(Debug, Clone, Copy)]
pub struct Ideas<'a> {
    owner: Owner<'a>,
}

impl<'a> Ideas<'a> {
    /// The ideas of this user.
    pub fn of(owner: Owner<'a>) -> Self {
        Self { owner }
    }

    /// One idea; none when it is not there or somebody else's.
    ///
    /// # Errors
    /// What the database says, here and below.
    pub async fn get(&self, id: Uuid) -> Result<Option<Idea>, DbError> {
        let mut draft = Draft::new("select ");
        draft.push(COLUMNS).push(" from @ideas");
        at(id).condition(&mut draft);
        let rows = self.owner.scope.read(draft.finish(Plan::Steady)).await?;
        self.first(&rows)
    }

    /// A window of the list, with the total where it is asked for.
    ///
    /// # Errors
    /// What the database says.
    pub async fn page(
        &self,
        filter: &IdeaFilter,
        order: &Order,
        window: &Window,
    ) -> Result<Fetched<Idea>, DbError> {
        let read = |row: &Row| Idea::from_row(row, self.owner.user);
        list::fetch(self.owner.scope, &rows(filter), order, window, read).await
    }

    fn first(&self, rows: &[Row]) -> Result<Option<Idea>, DbError> {
        rows.first().map(|row| Idea::from_row(row, self.owner.user)).transpose()
    }
}
