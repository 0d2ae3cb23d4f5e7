//! Writes under an idempotency key: what was answered is kept with the key in the write's own transaction, and said
//! again when the key comes again.

use std::sync::Arc;

use super::transaction::{Transaction, log_all, outcomes};
use super::{Kept, Operation, Outcome, Resource};
use crate::db::draft::Draft;
use crate::db::{DbError, Engine, Judge, Plan, Statement, Step, Value, Verdict, When};
use crate::field::request_key::RequestKey;
use crate::field::timestamp::Timestamp;
use crate::users::Owner;

/// For how long an answer is kept, in microseconds: 24 hours.
const KEPT_FOR: i64 = 24 * 3_600 * 1_000_000;
/// How many outlived keys of the same user a keyed write takes away.
const SWEPT: usize = 20;
/// How often a write begins anew whose key went in between.
const TRIES: usize = 4;
/// How long a second write waits for the first one under the same key, as PostgreSQL reads it.
const PATIENCE: &str = "2s";

/// What came of a write under a key.
#[derive(Debug)]
pub enum Under<T> {
    /// It was done now, and its answer is kept.
    First(Kept),
    /// It was not done, and nothing is kept.
    Failed(Vec<Outcome<T>>),
    /// It was done before; this was the answer.
    Replay(Kept),
    /// The key belongs to another request.
    Other,
    /// The first write under this key still runs.
    Running,
}

/// Makes the answer that is kept; none where nothing is to be done and kept.
pub type Keeps<T> = dyn Fn(&[Outcome<T>]) -> Option<Kept> + Send + Sync;

/// Runs operations in one transaction under a key: once within 24 hours, however often the request comes.
///
/// # Errors
/// What the database says.
pub async fn keyed<T: Resource>(
    owner: &Owner<'_>,
    key: &RequestKey,
    operations: &[Operation],
    now: Timestamp,
    answer: Arc<Keeps<T>>,
) -> Result<Under<T>, DbError> {
    for _ in 0..TRIES {
        if let Some(under) = try_keyed(owner, key, operations, now, answer.clone()).await? {
            return Ok(under);
        }
    }
    Ok(Under::Running)
}

/// One try; none where the key was there and is not any more: outlived, or erased with its user. Nothing was done then.
async fn try_keyed<T: Resource>(
    owner: &Owner<'_>,
    key: &RequestKey,
    operations: &[Operation],
    now: Timestamp,
    answer: Arc<Keeps<T>>,
) -> Result<Option<Under<T>>, DbError> {
    let engine = owner.scope.engine();
    let Claim { steps, claim, kept } = claim(key, now, engine);
    let mut transaction = Transaction::new(owner, T::KIND.table, Some((steps, claim)));
    transaction.add::<T>(operations, now);
    let Transaction { steps, places, tells, .. } = transaction;
    let places = Arc::new(places);
    let judge = {
        let (places, user, key, answer) =
            (places.clone(), owner.user.clone(), key.key.clone(), answer.clone());
        Judge::new(move |rows| {
            if rows.get(claim).is_none_or(Vec::is_empty) {
                return Ok(Verdict::RollBack);
            }
            match answer(&outcomes::<T>(&places, rows, &user)?) {
                Some(kept) => {
                    let mut statements = kept.statements(&key, T::KIND)?;
                    statements.push(sweep(now, engine));
                    Ok(Verdict::Commit(statements))
                }
                None => Ok(Verdict::RollBack),
            }
        })
    };
    let (rows, committed) = match owner.scope.write_judged(steps, judge).await {
        Err(DbError::Locked(_)) => return Ok(Some(Under::Running)),
        written => written?,
    };
    if rows.get(claim).is_none_or(Vec::is_empty) {
        let [keys, texts] = [kept, kept + 1].map(|step| rows.get(step).map_or(&[][..], Vec::as_slice));
        let Some(kept) = keys.first() else { return Ok(None) };
        if kept.text(0)? != key.fingerprint {
            return Ok(Some(Under::Other));
        }
        return Kept::read(kept, texts).map(|kept| Some(Under::Replay(kept)));
    }
    let outcomes = outcomes::<T>(&places, &rows, owner.user)?;
    if !committed {
        return Ok(Some(Under::Failed(outcomes)));
    }
    tells.then(|| owner.known.remember(owner.user, owner.claims));
    log_all(owner.user, operations, &outcomes, now);
    let kept =
        answer(&outcomes).ok_or_else(|| DbError::Fault("an answer was kept and is not there".to_owned()))?;
    Ok(Some(Under::First(kept)))
}

/// The steps that take a key, and where they leave their rows.
struct Claim {
    steps: Vec<Step>,
    /// Returns a row when the key was free.
    claim: usize,
    /// What is kept under it, when it was not; the step after it has the texts.
    kept: usize,
}

fn claim(key: &RequestKey, now: Timestamp, engine: Engine) -> Claim {
    // A key refers to its user, whose row is made by the first write.
    let mut user = Draft::new("insert into @users (id, created_at, updated_at) values ($1, ");
    user.bind_all([Value::Time(Some(now)), Value::Time(Some(now))]).push(") on conflict (id) do nothing");
    let mut outlived = Draft::new("delete from @idempotency_keys where user_id = $1 and key = ");
    outlived.bind(text(&key.key)).push(" and created_at < ").bind(Value::Time(Some(oldest(now))));
    let mut take =
        Draft::new("insert into @idempotency_keys (user_id, key, fingerprint, created_at) values ($1, ");
    take.bind_all([text(&key.key), text(&key.fingerprint), Value::Time(Some(now))]);
    take.push(") on conflict (user_id, key) do nothing returning key");
    let mut steps = vec![steady(user), steady(outlived)];
    // Only here it waits for no longer than that; the write itself waits as long as any other.
    if engine == Engine::Postgres {
        // What may hold the user's row is no other write under this key, but an erasure, say: it is waited for before.
        steps.push(steady(Draft::new("select id from @users where id = $1 for key share")));
        let mut patience = Draft::new("select set_config('lock_timeout', ");
        patience.bind(text(PATIENCE)).push(", true)");
        steps.push(steady(patience));
    }
    let claim = steps.len();
    steps.push(steady(take));
    if engine == Engine::Postgres {
        steps.push(steady(Draft::new("set local lock_timeout to default")));
    }
    let kept = steps.len();
    let mut keys = Draft::new("select fingerprint, status, answer from @idempotency_keys");
    keys.push(" where user_id = $1 and key = ").bind(text(&key.key));
    let mut texts = Draft::new("select place, body from @idempotency_texts where user_id = $1 and key = ");
    texts.bind(text(&key.key)).push(" order by place");
    for draft in [keys, texts] {
        steps.push(Step { statement: draft.finish(Plan::Steady), when: When::NoRows(claim) });
    }
    Claim { steps, claim, kept }
}

fn steady(draft: Draft) -> Step {
    Step::always(draft.finish(Plan::Steady))
}

/// What was kept before is outlived.
fn oldest(now: Timestamp) -> Timestamp {
    Timestamp::from_micros(now.micros() - KEPT_FOR)
}

/// Takes away some outlived keys of the user's. Last of all, and only those that nobody else holds: so two writes never
/// wait for each other's sweeping.
fn sweep(now: Timestamp, engine: Engine) -> Statement {
    let mut draft = Draft::new("delete from @idempotency_keys where user_id = $1 and key in (");
    draft.push("select key from @idempotency_keys where user_id = $1 and created_at < ");
    draft.bind(Value::Time(Some(oldest(now)))).push(&format!(" order by created_at limit {SWEPT}"));
    draft.push(engine.for_update_of_free()).push(")");
    draft.finish(Plan::Steady)
}

fn text(text: &str) -> Value {
    Value::Text(Some(text.to_owned()))
}
