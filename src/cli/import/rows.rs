//! Every statement of an import on our tables. Each is about one user, who stands at `$1`: a token has named nobody
//! here, the source has.

use std::collections::BTreeMap;

use super::Kind;
use super::judge::{Known, There};
use super::met::{Coming, Crowd};
use super::people::{People, Person};
use super::read::{Incoming, State};
use super::report::Refusal;
use crate::db::bulk::{Access, Batch, Errand, Sink};
use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Row, Value};
use crate::field::choice::Choice;
use crate::field::text::fold;
use crate::field::timestamp::Timestamp;

/// Where rows of a kind live.
struct Tables {
    rows: &'static str,
    tags: &'static str,
    /// The column that names the row beside a tag.
    owner: &'static str,
    /// Every column of a new row that begins as `(user_id, `, `$1`.
    columns: &'static str,
}

static TASKS: Tables = Tables {
    rows: "@tasks",
    tags: "@task_tags",
    owner: "task_id",
    columns: "id, title, title_fold, description, description_fold, priority, tags, due_date, created_at, updated_at, \
              number, completed, completed_at",
};

static IDEAS: Tables = Tables {
    rows: "@ideas",
    tags: "@idea_tags",
    owner: "idea_id",
    columns: "id, title, title_fold, notes, notes_fold, priority, tags, due_date, created_at, updated_at, stage",
};

impl Tables {
    fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Tasks => &TASKS,
            Kind::Ideas => &IDEAS,
        }
    }
}

/// What became of the rows of a batch.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) taken: u64,
    pub(super) there: u64,
    pub(super) refused: Vec<Refusal>,
    pub(super) notes: Vec<&'static str>,
}

/// Makes the rows of users that are not there, in one transaction, and lets their next tasks count on from the numbers
/// that are to come; for each whether the user is new. With [`Access::Look`] it only asks that.
///
/// # Errors
/// What the database says: nothing of it stays then.
pub(super) async fn make_room(
    sink: &mut Sink,
    users: &BTreeMap<String, Coming>,
    access: Access,
) -> Result<Vec<bool>, DbError> {
    let mut batch = sink.begin(access).await?;
    let errands = |(user, coming): (&String, &Coming)| match access {
        Access::Look => vec![person(user, "")],
        Access::Change => {
            vec![make(user, &coming.person, Some(coming.oldest)), count(user, coming.next)]
        }
    };
    let errands: Vec<Errand> = users.iter().flat_map(errands).collect();
    let answers = batch.run(&errands).await?;
    if access == Access::Look {
        return Ok(answers.iter().map(Vec::is_empty).collect());
    }
    batch.commit().await?;
    Ok(answers.iter().step_by(2).map(|made| !made.is_empty()).collect())
}

/// Takes rows into the tables, in one transaction; with [`Access::Look`] it only finds out what would become of them.
///
/// # Errors
/// What the database says: no row of the batch was taken then.
pub(super) async fn take(
    sink: &mut Sink,
    kind: Kind,
    rows: Vec<Incoming>,
    people: &People,
    crowd: &mut Crowd,
    access: Access,
) -> Result<Taken, DbError> {
    let tables = Tables::of(kind);
    let users = by_user(rows);
    let mut batch = sink.begin(access).await?;
    let known = look(&mut batch, tables, &users, people, access).await?;
    let mut taken = Taken::default();
    let mut errands = Vec::new();
    for ((user, rows), mut known) in users.into_iter().zip(known) {
        let (next, count_of_rows) = (known.next, rows.len());
        let met = crowd.user(&user);
        known.next = known.next.max(met.next);
        let rows: Vec<Incoming> =
            rows.into_iter().filter_map(|row| known.judge(met, row, (kind, access), &mut taken)).collect();
        met.next = known.next;
        crowd.came(&user, count_of_rows);
        if rows.is_empty() {
            continue;
        }
        errands.push(insert(tables, &user, &rows));
        errands.extend(tag(tables, &user, &rows));
        errands.extend((known.next > next).then(|| count(&user, known.next)));
    }
    if access == Access::Look {
        return Ok(taken);
    }
    batch.run(&errands).await?;
    batch.commit().await?;
    Ok(taken)
}

/// The rows of each user, in the order of their ids: two imports that lock the same users wait for each other in one
/// order.
fn by_user(rows: Vec<Incoming>) -> BTreeMap<String, Vec<Incoming>> {
    let mut users: BTreeMap<String, Vec<Incoming>> = BTreeMap::new();
    for row in rows {
        users.entry(row.user.clone()).or_default().push(row);
    }
    users
}

/// Asks what the tables hold of the users and of these rows. Writing, it makes the users' rows again that were erased
/// meanwhile, and holds them until the transaction ends: so nobody else takes a number meanwhile.
async fn look(
    batch: &mut Batch<'_>,
    tables: &Tables,
    users: &BTreeMap<String, Vec<Incoming>>,
    people: &People,
    access: Access,
) -> Result<Vec<Known>, DbError> {
    let engine = batch.engine();
    let questions = |(user, rows): (&String, &Vec<Incoming>)| match access {
        Access::Look => vec![person(user, ""), ids(tables, user, rows), numbers(user, rows)],
        Access::Change => {
            let oldest = rows.iter().map(|row| row.created_at).min();
            let make = make(user, &people.get(user), oldest);
            vec![make, person(user, engine.for_update()), ids(tables, user, rows), numbers(user, rows)]
        }
    };
    let errands: Vec<Errand> = users.iter().flat_map(questions).collect();
    let answers = batch.run(&errands).await?;
    let read = |answers: &[Vec<Row>]| -> Result<Known, DbError> {
        let [.., person, ids, numbers] = answers else {
            return Err(DbError::Fault("an answer is missing".to_owned()));
        };
        if access == Access::Change && person.is_empty() {
            return Err(DbError::Unavailable("a user was erased meanwhile".to_owned()));
        }
        let next = person.first().map_or(Ok(1), |row| row.int(0))?;
        let there = |row: &Row| {
            let there = There { created_at: row.time(1)?, title: row.text(2)?, changed: row.int(3)? > 1 };
            Ok((row.uuid(0)?, there))
        };
        let rows = ids.iter().map(there).collect::<Result<_, DbError>>()?;
        let numbers = numbers.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        Ok(Known { next, rows, numbers })
    };
    let each = match access {
        Access::Look => 3,
        Access::Change => 4,
    };
    answers.chunks(each).map(read).collect()
}

fn errand(user: &str, draft: Draft) -> Errand {
    Errand { user: user.to_owned(), statement: draft.finish(Plan::Fresh) }
}

/// The user's row, made when the oldest of the tasks or ideas was.
fn make(user: &str, person: &Person, oldest: Option<Timestamp>) -> Errand {
    let Person { email, name } = person.clone();
    let mut draft = Draft::new("insert into @users (id, email, name, created_at, updated_at) values ($1, ");
    draft.bind_all([Value::Text(email), Value::Text(name), Value::Time(oldest), Value::Time(oldest)]);
    draft.push(") on conflict (id) do nothing returning id");
    errand(user, draft)
}

fn person(user: &str, lock: &str) -> Errand {
    let mut draft = Draft::new("select next_task from @users where id = $1");
    draft.push(lock);
    errand(user, draft)
}

fn ids(tables: &Tables, user: &str, rows: &[Incoming]) -> Errand {
    let mut draft = Draft::new("select id, created_at, title, version from ");
    draft.push(tables.rows).push(" where user_id = $1 and id in (");
    draft.bind_all(rows.iter().map(|row| Value::Uuid(row.id))).push(")");
    errand(user, draft)
}

/// Which of the numbers are another task's. Ideas have none, and no task has the number 0.
fn numbers(user: &str, rows: &[Incoming]) -> Errand {
    let mut draft = Draft::new("select number from @tasks where user_id = $1 and number in (");
    let numbers = rows.iter().filter_map(|row| row.number).chain([0]);
    draft.bind_all(numbers.map(Value::Int)).push(")");
    errand(user, draft)
}

fn insert(tables: &Tables, user: &str, rows: &[Incoming]) -> Errand {
    let mut draft = Draft::new("insert into ");
    draft.push(tables.rows).push(" (user_id, ").push(tables.columns).push(") values ");
    for (at, row) in rows.iter().enumerate() {
        draft.push(if at == 0 { "($1, " } else { ", ($1, " }).bind_all(values(row)).push(")");
    }
    errand(user, draft)
}

/// The values of a row's columns, in the order of [`Tables::columns`].
fn values(row: &Incoming) -> Vec<Value> {
    let text = |text: &str| Value::Text(Some(text.to_owned()));
    let mut values = vec![
        Value::Uuid(row.id),
        text(&row.title),
        text(&fold(&row.title)),
        Value::Text(row.text.clone()),
        Value::Text(row.text.as_deref().map(fold)),
        text(row.priority.as_str()),
        Value::Tags(row.tags.clone()),
        Value::Time(row.due_date),
        Value::Time(Some(row.created_at)),
        Value::Time(Some(row.updated_at)),
    ];
    match row.state {
        State::Task { completed_at } => values.extend([
            Value::Int(row.number.unwrap_or_default()),
            Value::Bool(completed_at.is_some()),
            Value::Time(completed_at),
        ]),
        State::Idea(stage) => values.push(text(stage.as_str())),
    }
    values
}

/// The tags beside the rows; none where there are none.
fn tag(tables: &Tables, user: &str, rows: &[Incoming]) -> Option<Errand> {
    let mut draft = Draft::new("insert into ");
    draft.push(tables.tags).push(" (user_id, tag, ").push(tables.owner).push(") values ");
    let mut separator = "($1, ";
    for row in rows {
        for tag in &row.tags {
            draft.push(separator).bind_all([Value::Text(Some(tag.clone())), Value::Uuid(row.id)]).push(")");
            separator = ", ($1, ";
        }
    }
    (separator != "($1, ").then(|| errand(user, draft))
}

/// The number of the user's next task.
fn count(user: &str, next: i64) -> Errand {
    let mut draft = Draft::new("update @users set next_task = ");
    let next = draft.param(Value::Int(next));
    draft.push(&next).push(" where id = $1 and next_task < ").push(&next);
    errand(user, draft)
}
