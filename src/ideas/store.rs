//! One user's ideas in the database.

use uuid::Uuid;

pub mod facts;

use super::{Idea, IdeaChange, IdeaFilter, NewIdea, Notes};
use crate::change::{Assignments, At, NewRow, Replaced, TagTable};
use crate::db::draft::Draft;
use crate::db::{DbError, Engine, Plan, Row, Step, Value};
use crate::field::choice::Choice;
use crate::field::page::{Fetched, Window};
use crate::field::tags::Tags;
use crate::field::timestamp::Timestamp;
use crate::list::{self, Order, Rows, Table};
use crate::users::Owner;
use crate::users::store::{Numbering, upsert, write};

/// The columns of an idea, in the order in which a row is read.
pub const COLUMNS: &str =
    "id, title, notes, stage, priority, tags, due_date, created_at, updated_at, version";

/// What a list has to know of the table.
static TABLE: Table = Table {
    name: "@ideas",
    columns: COLUMNS,
    long_text: "notes_fold",
    done: "stage = 'published'",
    state: "case stage when 'idea' then 1 when 'outline' then 2 when 'draft' then 3 else 4 end",
    tags: &TAGS,
};

static TAGS: TagTable = TagTable { rows: "@ideas", tags: "@idea_tags", owner: "idea_id" };

/// The rows that a filter asks for.
fn rows(filter: &IdeaFilter) -> Rows<'_> {
    let stages: Vec<Value> = filter.stages.iter().map(|s| Value::Text(Some(s.as_str().to_owned()))).collect();
    let only = (!stages.is_empty()).then_some(("stage", stages));
    Rows { table: &TABLE, only, filter: &filter.common }
}

fn at(id: Uuid) -> At {
    At { column: "id", value: Value::Uuid(id) }
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

    /// A window of the list, with the total.
    ///
    /// # Errors
    /// What the database says.
    pub async fn page(
        &self,
        filter: &IdeaFilter,
        order: &Order,
        window: Window,
    ) -> Result<Fetched<Idea>, DbError> {
        let read = |row: &Row| Idea::from_row(row, self.owner.user);
        list::fetch(self.owner.scope, &rows(filter), order, window, read).await
    }

    /// Makes an idea, and the user's row with it when it is the user's first write.
    ///
    /// # Errors
    /// What the database says.
    pub async fn create(&self, id: Uuid, new: &NewIdea, now: Timestamp) -> Result<Idea, DbError> {
        let mut steps = self.create_steps(id, new, now);
        let row_step = steps.len() - 1;
        steps.extend(TAGS.tag(&at(id), new.tags.as_slice()));
        let answers = self.owner.scope.write(steps).await?;
        self.owner.known.remember(self.owner.user, self.owner.claims);
        let made = self.first(answers.get(row_step).map_or(&[][..], Vec::as_slice))?;
        let made = made.ok_or_else(|| DbError::Fault("an insert returned no row".to_owned()))?;
        self.log(made.id, "Idea created");
        Ok(made)
    }

    /// The user's row belongs to the insert's own transaction: one statement on PostgreSQL, two on SQLite, which has
    /// no insert inside `with`.
    fn create_steps(&self, id: Uuid, new: &NewIdea, now: Timestamp) -> Vec<Step> {
        let insert = |draft: &mut Draft| {
            let row = NewRow { table: "@ideas", id, now, number: None, from: "" };
            full(new).insert(&row, draft);
            draft.push(" returning ").push(COLUMNS);
        };
        let mut user = Draft::new("");
        if self.owner.scope.engine() == Engine::Postgres {
            user.push("with u as (");
            upsert(&self.owner, Numbering::None, now, &mut user);
            user.push(") ");
            insert(&mut user);
            return vec![Step::always(user.finish(Plan::Steady))];
        }
        upsert(&self.owner, Numbering::None, now, &mut user);
        let mut idea = Draft::new("");
        insert(&mut idea);
        vec![Step::always(user.finish(Plan::Steady)), Step::always(idea.finish(Plan::Steady))]
    }

    /// Changes some fields; none when the idea is not there. What already has its value is no change.
    ///
    /// # Errors
    /// What the database says.
    pub async fn change(
        &self,
        id: Uuid,
        change: IdeaChange,
        now: Timestamp,
    ) -> Result<Option<Idea>, DbError> {
        let IdeaChange { title, notes, stage, priority, tags, due_date } = change;
        let mut assignments = Assignments::default();
        if let Some(title) = &title {
            assignments.text("title", Some(title.as_str()));
        }
        assignments.text_patch("notes", notes.as_ref().map(Notes::as_str));
        if let Some(stage) = stage {
            assignments.choice("stage", stage);
        }
        if let Some(priority) = priority {
            assignments.choice("priority", priority);
        }
        if let Some(tags) = &tags {
            assignments.value("tags", Value::Tags(tags.as_slice().to_vec()));
        }
        assignments.time_patch("due_date", due_date.map(|due| due.0));
        if assignments.is_empty() {
            return self.get(id).await;
        }
        let mut draft = Draft::new("update @ideas");
        assignments.set_if_different(now, &mut draft);
        let answers = write(&self.owner, now, update_steps(id, draft, tags.as_ref())).await?;
        let updated = self.first(answers.first().map_or(&[][..], Vec::as_slice))?;
        // A change that changed nothing left the time alone.
        if let Some(idea) = updated.as_ref().filter(|idea| idea.updated_at == now) {
            self.log(idea.id, "Idea updated");
        }
        Ok(updated)
    }

    /// Puts another idea in the place of one; none when it is not there. Also says which fields had a value and
    /// were cleared.
    ///
    /// # Errors
    /// What the database says.
    pub async fn replace(
        &self,
        id: Uuid,
        put: &NewIdea,
        now: Timestamp,
    ) -> Result<Option<Replaced<Idea>>, DbError> {
        let mut draft = Draft::new("update @ideas");
        full(put).set(now, &mut draft);
        let mut before =
            Draft::new("select notes is not null, tags <> '[]', due_date is not null from @ideas");
        at(id).condition(&mut before);
        before.push(self.owner.scope.engine().for_update());
        let mut steps = vec![Step::always(before.finish(Plan::Steady))];
        steps.extend(update_steps(id, draft, Some(&put.tags)));
        let answers = write(&self.owner, now, steps).await?;
        let [before, after, ..] = answers.as_slice() else { return Ok(None) };
        let Some(row) = self.first(after)? else { return Ok(None) };
        self.log(row.id, "Idea updated");
        let fields = [
            ("notes", row.notes.is_some()),
            ("tags", !row.tags.is_empty()),
            ("due_date", row.due_date.is_some()),
        ];
        Replaced::compare(row, before.first(), &fields).map(Some)
    }

    /// Removes an idea for good: its id, or none when it was not there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn remove(&self, id: Uuid, now: Timestamp) -> Result<Option<Uuid>, DbError> {
        let mut draft = Draft::new("delete from @ideas");
        at(id).condition(&mut draft);
        draft.push(" returning id");
        let answers = write(&self.owner, now, vec![Step::always(draft.finish(Plan::Steady))]).await?;
        let removed = answers.first().and_then(|rows| rows.first()).map(|row| row.uuid(0)).transpose()?;
        if let Some(id) = removed {
            self.log(id, "Idea deleted");
        }
        Ok(removed)
    }

    /// One line for each idea that a write has touched.
    fn log(&self, id: Uuid, event: &str) {
        tracing::info!(user_id = %self.owner.user, idea_id = %id, "{event}");
    }

    fn first(&self, rows: &[Row]) -> Result<Option<Idea>, DbError> {
        rows.first().map(|row| Idea::from_row(row, self.owner.user)).transpose()
    }
}

/// Every column that a client may set.
fn full(idea: &NewIdea) -> Assignments {
    let NewIdea { title, notes, stage, priority, tags, due_date } = idea;
    let mut assignments = Assignments::default();
    assignments.text("title", Some(title.as_str()));
    assignments.text("notes", notes.as_ref().map(Notes::as_str));
    assignments.choice("stage", *stage);
    assignments.choice("priority", *priority);
    assignments.value("tags", Value::Tags(tags.as_slice().to_vec()));
    assignments.value("due_date", Value::Time(due_date.map(|due| due.0)));
    assignments
}

/// The update, and where it sets tags, the side table in the same transaction.
fn update_steps(id: Uuid, mut draft: Draft, tags: Option<&Tags>) -> Vec<Step> {
    at(id).condition(&mut draft);
    draft.push(" returning ").push(COLUMNS);
    let mut steps = vec![Step::always(draft.finish(Plan::Steady))];
    if let Some(tags) = tags {
        steps.extend(TAGS.retag(&at(id), tags.as_slice()));
    }
    steps
}
