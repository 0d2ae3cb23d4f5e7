//! The users' rows: made by the first write, changed only by a write whose claims differ.

use super::{Owner, User};
use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Statement, Step, Value};
use crate::field::timestamp::Timestamp;

/// One user's row.
#[derive(Debug, Clone, Copy)]
pub struct Users<'a> {
    owner: Owner<'a>,
}

impl<'a> Users<'a> {
    /// The only way to the table.
    pub fn of(owner: Owner<'a>) -> Self {
        Self { owner }
    }

    /// The user's row; none before the first write.
    ///
    /// # Errors
    /// What the database says.
    pub async fn get(&self) -> Result<Option<User>, DbError> {
        let sql = "select email, name, created_at, updated_at from @users where id = $1";
        let rows =
            self.owner.scope.read(Statement { sql: sql.into(), params: vec![], plan: Plan::Steady }).await?;
        rows.first().map(User::from_row).transpose()
    }

    /// Erases everything of the user: tasks and ideas piece by piece, so that other writers get their turn and no
    /// statement runs out of its time, then the row, and with it whatever came meanwhile. Broken off, it has erased
    /// some; asked again, it goes on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn erase(&self) -> Result<(), DbError> {
        self.owner.known.forget(self.owner.user);
        for (table, key) in [("@tasks", "id"), ("@ideas", "id"), ("@idempotency_keys", "key")] {
            let sql = format!(
                "delete from {table} where user_id = $1 and {key} in \
                 (select {key} from {table} where user_id = $1 limit {ERASED_AT_ONCE}) returning {key}"
            );
            while self.delete(sql.clone()).await? == ERASED_AT_ONCE {}
        }
        self.delete("delete from @users where id = $1".to_owned()).await?;
        tracing::info!(user_id = %self.owner.user, "User erased");
        Ok(())
    }

    /// Runs one statement in a transaction of its own, and says how many rows it returned.
    async fn delete(&self, sql: String) -> Result<usize, DbError> {
        let statement = Statement { sql: sql.into(), params: vec![], plan: Plan::Steady };
        let answers = self.owner.scope.write(vec![Step::always(statement)]).await?;
        Ok(answers.first().map_or(0, Vec::len))
    }
}

/// How many rows an erasure removes in one transaction.
const ERASED_AT_ONCE: usize = 1_000;

/// What a create does to the user's row besides making it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// Takes so many task numbers, the next ones.
    Takes(i64),
    /// Takes none.
    None,
}

/// Adds to a draft the statement that makes the user's row or brings its claims up to date. The row is
/// locked until the transaction ends, so two creates never share a number.
pub fn upsert(owner: &Owner<'_>, numbering: Numbering, now: Timestamp, draft: &mut Draft) {
    let email = draft.param(Value::Text(owner.claims.email.map(str::to_owned)));
    let name = draft.param(Value::Text(owner.claims.name.map(str::to_owned)));
    let now = draft.param(Value::Time(Some(now)));
    let (first, next) = match numbering {
        Numbering::Takes(count) => (count + 1, format!("next_task = u.next_task + {count}, ")),
        Numbering::None => (1, String::new()),
    };
    let differs = claims_differ(&email, &name);
    draft.push(&format!(
        "insert into @users as u (id, email, name, next_task, created_at, updated_at) \
         values ($1, {email}, {name}, {first}, {now}, {now}) \
         on conflict (id) do update set {next}email = coalesce(excluded.email, u.email), \
         name = coalesce(excluded.name, u.name), \
         updated_at = case when {differs} then excluded.updated_at else u.updated_at end"
    ));
    if numbering == Numbering::None {
        // Nothing to take and nothing to change: then the row is locked and not written. `do nothing` would not lock it,
        // and an erasure in between would take the owner away from the new row.
        draft.push(&format!(" where {differs}"));
    }
}

/// The condition that a claim that was sent says something else than the row `u`.
fn claims_differ(email: &str, name: &str) -> String {
    format!(
        "(coalesce({email}, u.email) is distinct from u.email or coalesce({name}, u.name) is distinct from u.name)"
    )
}

/// The statement with which a change or a removal brings the user's claims up to date; none when they are known to be.
pub fn refresh(owner: &Owner<'_>, now: Timestamp) -> Option<Statement> {
    let claims = owner.claims;
    if owner.has_nothing_to_tell() {
        return None;
    }
    let mut draft = Draft::new("");
    let email = draft.param(Value::Text(claims.email.map(str::to_owned)));
    let name = draft.param(Value::Text(claims.name.map(str::to_owned)));
    let now = draft.param(Value::Time(Some(now)));
    draft.push(&format!(
        "update @users as u set email = coalesce({email}, u.email), name = coalesce({name}, u.name), \
         updated_at = {now} where id = $1 and {}",
        claims_differ(&email, &name)
    ));
    Some(draft.finish(Plan::Steady))
}
