//! One user's tasks in the database.

pub mod facts;

use super::{Completion, Description, NewTask, Task, TaskChange, TaskFilter, TaskKey, TaskReplacement};
use crate::change::{Assignments, At, NewRow, Replaced, TagTable};
use crate::db::draft::Draft;
use crate::db::{DbError, Engine, Plan, Row, Step, Value};
use crate::field::choice::Priority;
use crate::field::due::DueDate;
use crate::field::page::{Fetched, Window};
use crate::field::patch::Patch;
use crate::field::tags::Tags;
use crate::field::timestamp::Timestamp;
use crate::list::{self, Order, Rows, Table};
use crate::users::Owner;
use crate::users::store::{Numbering, upsert, write};
use uuid::Uuid;

/// The columns of a task, in the order in which a row is read.
pub const COLUMNS: &str = "id, number, title, description, completed, completed_at, priority, tags, due_date, \
                           created_at, updated_at, version";

/// What a list has to know of the table.
static TABLE: Table = Table {
    name: "@tasks",
    columns: COLUMNS,
    long_text: "description_fold",
    done: "completed",
    state: "completed",
    tags: &TAGS,
};

static TAGS: TagTable = TagTable { rows: "@tasks", tags: "@task_tags", owner: "task_id" };

/// The rows that a filter asks for.
fn rows(filter: &TaskFilter) -> Rows<'_> {
    let only = filter.completed.map(|completed| ("completed", vec![Value::Bool(completed)]));
    Rows { table: &TABLE, only, filter: &filter.common }
}

impl TaskKey {
    fn at(self) -> At {
        match self {
            Self::Id(id) => At { column: "id", value: Value::Uuid(id) },
            Self::Number(number) => At { column: "number", value: Value::Int(number) },
        }
    }
}

/// Sets what both a PATCH and a PUT keep when it is left out.
fn set_kept(
    assignments: &mut Assignments,
    priority: Option<Priority>,
    tags: Option<&Tags>,
    due_date: Patch<DueDate>,
) {
    if let Some(priority) = priority {
        assignments.choice("priority", priority);
    }
    if let Some(tags) = tags {
        assignments.value("tags", Value::Tags(tags.as_slice().to_vec()));
    }
    assignments.time_patch("due_date", due_date.map(|due| due.0));
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

    /// A window of the list, with the total.
    pub async fn page(
        &self,
        filter: &TaskFilter,
        order: &Order,
        window: Window,
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
        let rows = self.owner.scope.read(rows(filter).after(order, last, limit)).await?;
        rows.iter().map(|row| Task::from_row(row, self.owner.user)).collect()
    }

    /// Makes a task, and the user's row with it when it is the user's first write.
    pub async fn create(&self, id: Uuid, new: &NewTask, now: Timestamp) -> Result<Task, DbError> {
        let tags = TAGS.tag(&TaskKey::Id(id).at(), new.tags.as_slice());
        let mut steps = self.create_steps(id, new, now);
        let row_step = steps.len() - 1;
        steps.extend(tags);
        let answers = self.owner.scope.write(steps).await?;
        self.owner.known.remember(self.owner.user, self.owner.claims);
        let made = self.first(answers.get(row_step).map_or(&[][..], Vec::as_slice))?;
        let made = made.ok_or_else(|| DbError::Fault("an insert returned no row".to_owned()))?;
        self.log(made.id, "Task created");
        Ok(made)
    }

    /// The number and the user's row belong to the insert's own transaction: one statement on PostgreSQL, two on
    /// SQLite, which has no insert inside `with`.
    fn create_steps(&self, id: Uuid, new: &NewTask, now: Timestamp) -> Vec<Step> {
        let insert = |draft: &mut Draft, from: &str| {
            let mut assignments = Assignments::default();
            assignments.text("title", Some(new.title.as_str()));
            assignments.text("description", new.description.as_ref().map(Description::as_str));
            assignments.value("completed", Value::Bool(new.completed));
            assignments.value("completed_at", Value::Time(new.completed.then_some(now)));
            assignments.choice("priority", new.priority);
            assignments.value("tags", Value::Tags(new.tags.as_slice().to_vec()));
            assignments.value("due_date", Value::Time(new.due_date.map(|due| due.0)));
            let row = NewRow { table: "@tasks", id, now, number: Some("u.next_task - 1"), from };
            assignments.insert(&row, draft);
            draft.push(" returning ").push(COLUMNS);
        };
        let mut draft = Draft::new("");
        if self.owner.scope.engine() == Engine::Postgres {
            draft.push("with u as (");
            upsert(&self.owner, Numbering::Takes, now, &mut draft);
            draft.push(" returning next_task) ");
            insert(&mut draft, "from u");
            return vec![Step::always(draft.finish(Plan::Steady))];
        }
        upsert(&self.owner, Numbering::Takes, now, &mut draft);
        let user = Step::always(draft.finish(Plan::Steady));
        let mut draft = Draft::new("");
        insert(&mut draft, "from @users as u where u.id = $1");
        vec![user, Step::always(draft.finish(Plan::Steady))]
    }

    /// Changes some fields; none when the task is not there. What already has its value is no change.
    pub async fn change(
        &self,
        key: TaskKey,
        change: TaskChange,
        now: Timestamp,
    ) -> Result<Option<Task>, DbError> {
        let TaskChange { title, description, completed, priority, tags, due_date } = change;
        let mut assignments = Assignments::default();
        if let Some(title) = &title {
            assignments.text("title", Some(title.as_str()));
        }
        assignments.text_patch("description", description.as_ref().map(Description::as_str));
        if let Some(completed) = completed {
            assignments.completed(completed, now);
        }
        set_kept(&mut assignments, priority, tags.as_ref(), due_date);
        if assignments.is_empty() {
            return self.get(key).await;
        }
        let mut draft = Draft::new("update @tasks");
        assignments.set_if_different(now, &mut draft);
        self.update(key, draft, now, tags.as_ref()).await
    }

    /// Puts another task in the place of one, keeping what such a body cannot know; none when it is not there.
    /// Also says which fields had a value and were cleared.
    pub async fn replace(
        &self,
        key: TaskKey,
        put: TaskReplacement,
        now: Timestamp,
    ) -> Result<Option<Replaced<Task>>, DbError> {
        let TaskReplacement { title, completed, description, priority, tags, due_date } = put;
        let mut assignments = Assignments::default();
        assignments.text("title", Some(title.as_str()));
        assignments.text("description", description.as_ref().map(Description::as_str));
        assignments.completed(completed, now);
        set_kept(&mut assignments, priority, tags.as_ref(), due_date);
        let mut draft = Draft::new("update @tasks");
        assignments.set(now, &mut draft);
        let mut before =
            Draft::new("select description is not null, tags <> '[]', due_date is not null from @tasks");
        key.at().condition(&mut before);
        before.push(self.owner.scope.engine().for_update());
        let mut steps = vec![Step::always(before.finish(Plan::Steady))];
        steps.extend(self.update_steps(key, draft, tags.as_ref()));
        let answers = write(&self.owner, now, steps).await?;
        let [before, after, ..] = answers.as_slice() else { return Ok(None) };
        let Some(row) = self.first(after)? else { return Ok(None) };
        self.log(row.id, "Task updated");
        let fields = [
            ("description", row.description.is_some()),
            ("tags", !row.tags.is_empty()),
            ("due_date", row.due_date.is_some()),
        ];
        Replaced::compare(row, before.first(), &fields).map(Some)
    }

    /// Completes a task, reopens it, or turns it round in one statement, so that concurrent toggles all count.
    pub async fn complete(
        &self,
        key: TaskKey,
        completion: Completion,
        now: Timestamp,
    ) -> Result<Option<Task>, DbError> {
        let mut draft = Draft::new("update @tasks");
        let mut assignments = Assignments::default();
        match completion {
            Completion::Set(completed) => {
                assignments.completed(completed, now);
                assignments.set_if_different(now, &mut draft);
            }
            Completion::Toggle => {
                assignments.toggle_completed(now);
                assignments.set(now, &mut draft);
            }
        }
        self.update(key, draft, now, None).await
    }

    /// Removes a task for good: its id, or none when it was not there.
    pub async fn remove(&self, key: TaskKey, now: Timestamp) -> Result<Option<Uuid>, DbError> {
        let mut draft = Draft::new("delete from @tasks");
        key.at().condition(&mut draft);
        draft.push(" returning id");
        let answers = write(&self.owner, now, vec![Step::always(draft.finish(Plan::Steady))]).await?;
        let removed = answers.first().and_then(|rows| rows.first()).map(|row| row.uuid(0)).transpose()?;
        if let Some(id) = removed {
            self.log(id, "Task deleted");
        }
        Ok(removed)
    }

    async fn update(
        &self,
        key: TaskKey,
        draft: Draft,
        now: Timestamp,
        tags: Option<&Tags>,
    ) -> Result<Option<Task>, DbError> {
        let answers = write(&self.owner, now, self.update_steps(key, draft, tags)).await?;
        let updated = self.first(answers.first().map_or(&[][..], Vec::as_slice))?;
        // A change that changed nothing left the time alone.
        if let Some(task) = updated.as_ref().filter(|task| task.updated_at == now) {
            self.log(task.id, "Task updated");
        }
        Ok(updated)
    }

    /// One line for each task that a write has touched.
    fn log(&self, id: Uuid, event: &str) {
        tracing::info!(user_id = %self.owner.user, task_id = %id, "{event}");
    }

    /// The update, and where it sets tags, the side table in the same transaction.
    fn update_steps(&self, key: TaskKey, mut draft: Draft, tags: Option<&Tags>) -> Vec<Step> {
        key.at().condition(&mut draft);
        draft.push(" returning ").push(COLUMNS);
        let mut steps = vec![Step::always(draft.finish(Plan::Steady))];
        if let Some(tags) = tags {
            steps.extend(TAGS.retag(&key.at(), tags.as_slice()));
        }
        steps
    }

    fn first(&self, rows: &[Row]) -> Result<Option<Task>, DbError> {
        rows.first().map(|row| Task::from_row(row, self.owner.user)).transpose()
    }
}
