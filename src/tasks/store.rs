//! One user's tasks in the database: reading them. What writes them is in [`operations`](super::operations).

pub mod facts;

use super::{Task, TaskFilter, TaskKey};
use crate::change::TagTable;
use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Row, Value};
use crate::list::{self, Fetched, Order, Rows, Table, Window};
use crate::users::Owner;

/// The columns of a task, in the order in which a row is read.
pub const COLUMNS: &str = "id, number, title, description, completed, completed_at, priority, tags, due_date, \
                           created_at, updated_at, version";

/// What a list has to know of the table.
pub(crate) static TABLE: Table = Table {
    name: "@tasks",
    columns: COLUMNS,
    long_text: "description_fold",
    done: "completed",
    state: "completed",
    tags: &TAGS,
};

/// The side table of the tags.
pub(super) static TAGS: TagTable = TagTable { rows: "@tasks", tags: "@task_tags", owner: "task_id" };

/// The rows that a filter asks for.
fn rows(filter: &TaskFilter) -> Rows<'_> {
    let only = filter.completed.map(|completed| ("completed", vec![Value::Bool(completed)]));
    Rows { table: &TABLE, only, filter: &filter.common }
}

/// One user's tasks: [`Tasks::of`] is the only way to the table.
#[derive(Debug, Clone, Copy)]
pub struct Tasks<'a> {
    owner: Owner<'a>,
}

impl<'a> Tasks<'a> {
    /// The tasks of this user.
    pub fn of(owner: Owner<'a>) -> Self {
        Self { owner }
    }

    /// One task; none when it is not there or somebody else's.
    ///
    /// # Errors
    /// What the database says, here and below.
    pub async fn get(&self, key: TaskKey) -> Result<Option<Task>, DbError> {
        let mut draft = Draft::new("select ");
        draft.push(COLUMNS).push(" from @tasks");
        key.at().condition(&mut draft);
        let rows = self.owner.scope.read(draft.finish(Plan::Steady)).await?;
        self.first(&rows)
    }

    /// A window of the list, with the total where it is asked for.
    pub async fn page(
        &self,
        filter: &TaskFilter,
        order: &Order,
        window: &Window,
    ) -> Result<Fetched<Task>, DbError> {
        let read = |row: &Row| Task::from_row(row, self.owner.user);
        list::fetch(self.owner.scope, &rows(filter), order, window, read).await
    }

    /// At most `limit` tasks after `last` in the order; the first ones without it.
    pub async fn after(
        &self,
        filter: &TaskFilter,
        order: &Order,
        last: Option<&Task>,
        limit: u32,
    ) -> Result<Vec<Task>, DbError> {
        let rows = list::after(self.owner.scope, &rows(filter), order, last, limit).await?;
        rows.iter().map(|row| Task::from_row(row, self.owner.user)).collect()
    }

    fn first(&self, rows: &[Row]) -> Result<Option<Task>, DbError> {
        rows.first().map(|row| Task::from_row(row, self.owner.user)).transpose()
    }
}
