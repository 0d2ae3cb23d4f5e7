//! Operations as the steps of one transaction, and their outcomes out of its rows.

use super::operation::Edited;
use super::{Create, Done, Edit, Effect, Event, Operation, Outcome, Resource};
use crate::auth::user_id::UserId;
use crate::db::draft::Draft;
use crate::db::{DbError, Engine, Judge, Plan, Row, Statement, Step, Value, Verdict, When};
use crate::field::timestamp::Timestamp;
use crate::users::Owner;
use crate::users::store::{Numbering, refresh, upsert};

/// Runs one operation.
///
/// # Errors
/// What the database says.
pub async fn write<T: Resource>(
    owner: &Owner<'_>,
    operation: Operation,
    now: Timestamp,
) -> Result<Outcome<T>, DbError> {
    if let Operation::Edit(edit @ Edit { effect: Effect::Nothing, .. }) = &operation {
        return look::<T>(owner, edit).await;
    }
    let mut transaction = Transaction::new(owner, T::KIND.table, None);
    transaction.add::<T>(std::slice::from_ref(&operation), now);
    let Transaction { steps, places, tells, .. } = transaction;
    let answers = owner.scope.write(steps).await?;
    tells.then(|| owner.known.remember(owner.user, owner.claims));
    let outcome = places.first().map(|place| place.outcome(&answers, owner.user));
    let outcome = outcome.ok_or_else(|| DbError::Fault("an operation without a place".to_owned()))??;
    log(owner.user, &operation, &outcome, now);
    Ok(outcome)
}

/// Runs several operations in their order, in one transaction. With `atomic` nothing is done unless all of them do what
/// they are asked.
///
/// # Errors
/// What the database says.
pub async fn together<T: Resource>(
    owner: &Owner<'_>,
    operations: &[Operation],
    atomic: bool,
    now: Timestamp,
) -> Result<Vec<Outcome<T>>, DbError> {
    let mut transaction = Transaction::new(owner, T::KIND.table, None);
    transaction.add::<T>(operations, now);
    let Transaction { steps, places, tells, .. } = transaction;
    let places = std::sync::Arc::new(places);
    let (answers, committed) = if atomic {
        let (judged, user) = (places.clone(), owner.user.clone());
        let judge = Judge::new(move |rows| {
            let all = outcomes::<T>(&judged, rows, &user)?.iter().all(|outcome| outcome.done().is_some());
            Ok(if all { Verdict::Commit(Vec::new()) } else { Verdict::RollBack })
        });
        owner.scope.write_judged(steps, judge).await?
    } else {
        (owner.scope.write(steps).await?, true)
    };
    let outcomes = outcomes::<T>(&places, &answers, owner.user)?;
    if committed {
        tells.then(|| owner.known.remember(owner.user, owner.claims));
        log_all(owner.user, operations, &outcomes, now);
    }
    Ok(outcomes)
}

/// A change of nothing is a read.
async fn look<T: Resource>(owner: &Owner<'_>, edit: &Edit) -> Result<Outcome<T>, DbError> {
    let rows = owner.scope.read(edit.select(T::KIND)).await?;
    let Some(row) = rows.first().map(|row| T::read(row, owner.user)).transpose()? else {
        return Ok(Outcome::Missing);
    };
    let met = edit.expected.as_ref().is_none_or(|expected| expected.is_met_by(row.version()));
    Ok(if met { Outcome::Done(Done { row, cleared: Vec::new() }) } else { Outcome::Stale(row) })
}

/// Writes the log's lines about what was done.
pub(super) fn log_all<T: Resource>(
    user: &UserId,
    operations: &[Operation],
    outcomes: &[Outcome<T>],
    now: Timestamp,
) {
    for (operation, outcome) in operations.iter().zip(outcomes) {
        log(user, operation, outcome, now);
    }
}

fn log<T: Resource>(user: &UserId, operation: &Operation, outcome: &Outcome<T>, now: Timestamp) {
    let Some(Done { row, .. }) = outcome.done() else { return };
    let event = match operation {
        Operation::Create(_) => Event::Created,
        Operation::Edit(Edit { effect: Effect::Remove, .. }) => Event::Deleted,
        // A change that changed nothing left the time alone.
        Operation::Edit(_) if row.updated_at() != now => return,
        Operation::Edit(_) => Event::Updated,
    };
    T::log(user, row.version().id, event);
}

/// Where the rows of an operation are among those of the transaction.
#[derive(Debug)]
pub(super) struct Place {
    before: Option<usize>,
    main: usize,
    current: Option<usize>,
}

impl Place {
    fn outcome<T: Resource>(&self, answers: &[Vec<Row>], user: &UserId) -> Result<Outcome<T>, DbError> {
        let first = |step: usize| answers.get(step).and_then(|rows| rows.first());
        let Some(row) = first(self.main) else {
            let current = self.current.and_then(first).map(|row| T::read(row, user)).transpose()?;
            return Ok(current.map_or(Outcome::Missing, Outcome::Stale));
        };
        let row = T::read(row, user)?;
        let mut cleared = Vec::new();
        if let Some(before) = self.before.and_then(first) {
            for (i, ((field, _), has_value)) in T::KIND.clearable.iter().zip(row.has_values()).enumerate() {
                if !has_value && before.bool(i)? {
                    cleared.push(*field);
                }
            }
        }
        Ok(Outcome::Done(Done { row, cleared }))
    }
}

/// The outcomes of all operations.
pub(super) fn outcomes<T: Resource>(
    places: &[Place],
    answers: &[Vec<Row>],
    user: &UserId,
) -> Result<Vec<Outcome<T>>, DbError> {
    places.iter().map(|place| place.outcome(answers, user)).collect()
}

/// What goes behind everything that goes out together.
type Later = Vec<(Statement, When)>;

/// The steps of a transaction, growing.
pub(super) struct Transaction<'a> {
    owner: &'a Owner<'a>,
    /// The table of the rows that are locked before several are written.
    table: &'static str,
    pub(super) steps: Vec<Step>,
    pub(super) places: Vec<Place>,
    /// Whether it brings the user's claims up to date.
    pub(super) tells: bool,
    /// The step without whose row nothing else happens.
    gate: Option<usize>,
}

impl<'a> Transaction<'a> {
    /// One that begins with nothing; or, behind a gate, with the steps up to it.
    pub(super) fn new(owner: &'a Owner<'a>, table: &'static str, gate: Option<(Vec<Step>, usize)>) -> Self {
        let (steps, gate) = gate.map_or((Vec::new(), None), |(steps, gate)| (steps, Some(gate)));
        Self { owner, table, steps, places: Vec::new(), tells: false, gate }
    }

    /// Adds a step and returns its place.
    fn push(&mut self, statement: Statement, when: When) -> usize {
        let when = match (when, self.gate) {
            (When::Always, Some(gate)) => When::Rows(gate),
            (when, _) => when,
        };
        self.steps.push(Step { statement, when });
        self.steps.len() - 1
    }

    /// Adds all operations. First the user's row, then the rows in the order of their ids, everywhere: so no two writes
    /// wait for each other. Steps that wait for another's rows come last, so that the others go out together.
    pub(super) fn add<T: Resource>(&mut self, operations: &[Operation], now: Timestamp) {
        let creates = operations.iter().filter(|operation| matches!(operation, Operation::Create(_))).count();
        let engine = self.owner.scope.engine();
        let alone = operations.len() == 1 && self.gate.is_none();
        if alone && engine == Engine::Postgres && creates == 1 {
            return self.create_at_once::<T>(operations, now);
        }
        self.tell(creates, T::KIND.numbered, now);
        if operations.len() > 1 && engine == Engine::Postgres {
            self.lock(operations);
        }
        let (mut later, mut left) = (Later::new(), i64::try_from(creates).unwrap_or(i64::MAX));
        for operation in operations {
            match operation {
                Operation::Create(create) => {
                    self.create::<T>(create, left, now, &mut later);
                    left -= 1;
                }
                Operation::Edit(edit) => self.edit::<T>(edit, operations.len() > 1, now, &mut later),
            }
        }
        for (statement, when) in later {
            self.push(statement, when);
        }
    }

    /// A row whose user has counted it already, as one of the last `left`.
    fn create<T: Resource>(&mut self, create: &Create, left: i64, now: Timestamp, later: &mut Later) {
        let mut draft = Draft::new("");
        let number = T::KIND.numbered.then(|| format!("u.next_task - {}", draft.param(Value::Int(left))));
        let from = if number.is_some() { "from @users as u where u.id = $1" } else { "" };
        create.insert(T::KIND, number.as_deref(), from, now, &mut draft);
        let main = self.push(draft.finish(Plan::Steady), When::Always);
        self.places.push(Place { before: None, main, current: None });
        later.extend(create.beside(T::KIND).map(|statement| (statement, When::Always)));
    }

    fn edit<T: Resource>(&mut self, edit: &Edit, among_others: bool, now: Timestamp, later: &mut Later) {
        let Edited { before, main, beside, current } =
            edit.statements(T::KIND, now, self.owner.scope.engine());
        let before = before.map(|statement| self.push(statement, When::Always));
        let main = self.push(main, When::Always);
        let when = if current.is_some() { When::Rows(main) } else { When::Always };
        // Among others it is read in any case: at once, before a later operation changes it, and without holding up what
        // is sent together.
        let look = if among_others { When::Always } else { When::NoRows(main) };
        let current = current.map(|statement| self.push(statement, look));
        later.extend(beside.into_iter().map(|statement| (statement, when)));
        self.places.push(Place { before, main, current });
    }

    /// The row, its number and the user's row in one statement: a data-modifying `with`, which SQLite has not.
    fn create_at_once<T: Resource>(&mut self, operations: &[Operation], now: Timestamp) {
        let Some(Operation::Create(create)) = operations.first() else { return };
        let mut draft = Draft::new("with u as (");
        let (numbering, number) = match T::KIND.numbered {
            true => (Numbering::Takes(1), Some("u.next_task - 1")),
            false => (Numbering::None, None),
        };
        upsert(self.owner, numbering, now, &mut draft);
        draft.push(if number.is_some() { " returning next_task) " } else { ") " });
        create.insert(T::KIND, number, if number.is_some() { "from u" } else { "" }, now, &mut draft);
        let main = self.push(draft.finish(Plan::Steady), When::Always);
        self.places.push(Place { before: None, main, current: None });
        self.tells = true;
        if let Some(statement) = create.beside(T::KIND) {
            self.push(statement, When::Always);
        }
    }

    /// The user's row: made or counted on by creates, brought up to date by the others where a claim says something new.
    fn tell(&mut self, creates: usize, numbered: bool, now: Timestamp) {
        let statement = if creates > 0 {
            let takes = i64::try_from(creates).unwrap_or(i64::MAX);
            let numbering = if numbered { Numbering::Takes(takes) } else { Numbering::None };
            let mut draft = Draft::new("");
            upsert(self.owner, numbering, now, &mut draft);
            Some(draft.finish(Plan::Steady))
        } else {
            refresh(self.owner, now)
        };
        self.tells = statement.is_some();
        if let Some(statement) = statement {
            self.push(statement, When::Always);
        }
    }

    /// Locks the rows in the order of their ids.
    fn lock(&mut self, operations: &[Operation]) {
        let rows: Vec<(&str, Value)> = operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Create(_) => None,
                Operation::Edit(edit) => Some((edit.at.column, edit.at.value.clone())),
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        let mut draft = Draft::new("select id from ");
        draft.push(self.table).push(" where user_id = $1 and (");
        let mut separator = "";
        for column in ["id", "number"] {
            let values: Vec<Value> =
                rows.iter().filter(|(of, _)| *of == column).map(|(_, value)| value.clone()).collect();
            if !values.is_empty() {
                draft.push(separator).push(column).push(" in (").bind_all(values).push(")");
                separator = " or ";
            }
        }
        draft.push(") order by id").push(self.owner.scope.engine().for_update());
        // The texts differ by how many rows they name.
        self.push(draft.finish(Plan::Fresh), When::Always);
    }
}
