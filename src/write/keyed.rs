//! Writes under an idempotency key: what was answered is kept with the key in the write's own transaction, and said
//! again when the key comes again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::transaction::{Transaction, log_all, outcomes};
use super::{Operation, Outcome, Resource};
use crate::db::draft::Draft;
use crate::db::{DbError, Engine, Judge, Plan, Row, Statement, Step, Value, Verdict, When};
use crate::field::request_key::RequestKey;
use crate::field::timestamp::Timestamp;
use crate::users::Owner;

/// For how long an answer is kept, in microseconds: 24 hours.
const KEPT_FOR: i64 = 24 * 3_600 * 1_000_000;
/// How many outlived keys of the same user a keyed write takes away.
const SWEPT: usize = 20;
/// How long a second write waits for the first one under the same key, as PostgreSQL reads it.
const PATIENCE: &str = "2s";

/// An answer as it is kept. What it says about rows stands apart from the rest, because it goes when its row goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The status code.
    pub status: u16,
    /// Names and values of its own headers.
    pub headers: Vec<(String, String)>,
    /// The body around the rows: one piece more than there are rows.
    pub frame: Vec<String>,
    /// The rows.
    pub texts: Vec<Text>,
}

/// What an answer says about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The row.
    pub id: Uuid,
    /// All of it; none once the row is gone.
    pub whole: Option<String>,
    /// What is said of a row that is gone: its id.
    pub blank: String,
}

impl Kept {
    /// The body.
    pub fn body(&self) -> String {
        let mut body = String::new();
        let mut texts = self.texts.iter();
        for piece in &self.frame {
            body.push_str(piece);
            if let Some(Text { whole, blank, .. }) = texts.next() {
                body.push_str(whole.as_ref().unwrap_or(blank));
            }
        }
        body
    }

    /// The statements that keep it.
    fn statements(&self, key: &str, kept_by: &str) -> Result<Vec<Statement>, DbError> {
        let skeleton = Skeleton {
            headers: self.headers.clone(),
            frame: self.frame.clone(),
            blanks: self.texts.iter().map(|text| (text.id, text.blank.clone())).collect(),
        };
        let skeleton = serde_json::to_string(&skeleton)
            .map_err(|_| DbError::Fault("an answer cannot be kept".to_owned()))?;
        let mut draft = Draft::new("update @idempotency_keys set status = ");
        draft.bind(Value::Int(self.status.into())).push(", answer = ").bind(text(&skeleton));
        draft.push(" where user_id = $1 and key = ").bind(text(key));
        let mut statements = vec![draft.finish(Plan::Steady)];
        for (place, Text { id, whole, blank: _ }) in self.texts.iter().enumerate() {
            let Some(whole) = whole else { continue };
            let rows = if kept_by == "task_id" { "@tasks" } else { "@ideas" };
            let mut draft = Draft::new(&format!(
                "insert into @idempotency_texts (user_id, key, place, {kept_by}, body) select r.user_id, "
            ));
            let place = i64::try_from(place).unwrap_or(i64::MAX);
            draft.bind_all([text(key), Value::Int(place)]).push(", r.id, ").bind(text(whole));
            // Through the row itself: where it is gone again, nothing is kept of it.
            draft.push(&format!(" from {rows} as r where r.user_id = $1 and r.id = ")).bind(Value::Uuid(*id));
            statements.push(draft.finish(Plan::Steady));
        }
        Ok(statements)
    }

    /// Reads what was kept: the key's row and the texts of the rows that are still there.
    fn read(key: &Row, texts: &[Row]) -> Result<Self, DbError> {
        let unread = |_| DbError::Fault("a kept answer does not read".to_owned());
        let Skeleton { headers, frame, blanks } = serde_json::from_str(&key.text(2)?).map_err(unread)?;
        let mut kept = Self {
            status: u16::try_from(key.int(1)?).unwrap_or(500),
            headers,
            frame,
            texts: blanks.into_iter().map(|(id, blank)| Text { id, whole: None, blank }).collect(),
        };
        for row in texts {
            let place = usize::try_from(row.int(0)?).unwrap_or(usize::MAX);
            if let Some(text) = kept.texts.get_mut(place) {
                text.whole = Some(row.text(1)?);
            }
        }
        Ok(kept)
    }
}

/// A kept answer without its texts.
#[derive(Debug, Serialize, Deserialize)]
struct Skeleton {
    headers: Vec<(String, String)>,
    frame: Vec<String>,
    blanks: Vec<(Uuid, String)>,
}

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
pub type Answer<T> = Arc<dyn Fn(&[Outcome<T>]) -> Option<Kept> + Send + Sync>;

/// Runs operations in one transaction under a key: once within 24 hours, however often the request comes.
///
/// # Errors
/// What the database says.
pub async fn keyed<T: Resource>(
    owner: &Owner<'_>,
    key: &RequestKey,
    operations: &[Operation],
    now: Timestamp,
    answer: Answer<T>,
) -> Result<Under<T>, DbError> {
    let Claim { steps, claim, kept } = claim(key, now, owner.scope.engine());
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
                Some(kept) => Ok(Verdict::Commit(kept.statements(&key, T::KIND.kept_by)?)),
                None => Ok(Verdict::RollBack),
            }
        })
    };
    let (rows, committed) = match owner.scope.write_judged(steps, judge).await {
        Err(DbError::Locked(_)) => return Ok(Under::Running),
        written => written?,
    };
    if rows.get(claim).is_none_or(Vec::is_empty) {
        let [keys, texts] = [kept, kept + 1].map(|step| rows.get(step).map_or(&[][..], Vec::as_slice));
        // It was there a moment ago: outlived, or erased with its user.
        let Some(kept) = keys.first() else { return Ok(Under::Running) };
        if kept.text(0)? != key.fingerprint {
            return Ok(Under::Other);
        }
        return Kept::read(kept, texts).map(Under::Replay);
    }
    let outcomes = outcomes::<T>(&places, &rows, owner.user)?;
    if !committed {
        return Ok(Under::Failed(outcomes));
    }
    tells.then(|| owner.known.remember(owner.user, owner.claims));
    log_all(owner.user, operations, &outcomes, now);
    let kept =
        answer(&outcomes).ok_or_else(|| DbError::Fault("an answer was kept and is not there".to_owned()))?;
    Ok(Under::First(kept))
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
    let waits =
        |text: &'static str| Step::always(Statement { sql: text.into(), params: vec![], plan: Plan::Steady });
    let mut steps = Vec::new();
    if engine == Engine::Postgres {
        let mut draft = Draft::new("select set_config('lock_timeout', ");
        draft.bind(text(PATIENCE)).push(", true)");
        steps.push(Step::always(draft.finish(Plan::Steady)));
    }
    // A key refers to its user, whose row is made by the first write.
    let mut draft = Draft::new("insert into @users (id, created_at, updated_at) values ($1, ");
    draft.bind_all([Value::Time(Some(now)), Value::Time(Some(now))]).push(") on conflict (id) do nothing");
    steps.push(Step::always(draft.finish(Plan::Steady)));
    steps.push(Step::always(sweep(&key.key, now)));
    let mut draft =
        Draft::new("insert into @idempotency_keys (user_id, key, fingerprint, created_at) values ($1, ");
    draft.bind_all([text(&key.key), text(&key.fingerprint), Value::Time(Some(now))]);
    draft.push(") on conflict (user_id, key) do nothing returning key");
    let claim = steps.len();
    steps.push(Step::always(draft.finish(Plan::Steady)));
    if engine == Engine::Postgres {
        // The write itself waits as long as any other.
        steps.push(waits("set local lock_timeout to default"));
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

/// Takes away this key if it is outlived, and some others of the user's.
fn sweep(key: &str, now: Timestamp) -> Statement {
    let mut draft = Draft::new("delete from @idempotency_keys where user_id = $1 and created_at < ");
    let oldest = draft.param(Value::Time(Some(Timestamp::from_micros(now.micros() - KEPT_FOR))));
    draft.push(&oldest).push(" and (key = ").bind(text(key));
    draft.push(&format!(
        " or key in (select key from @idempotency_keys where user_id = $1 and created_at < {oldest} \
         order by created_at limit {SWEPT}))"
    ));
    draft.finish(Plan::Steady)
}

fn text(text: &str) -> Value {
    Value::Text(Some(text.to_owned()))
}
