//! Writes of one row, as the handlers ask for them: done once, also when the request comes again under its key.

use std::sync::Arc;

use axum::response::Response;

use super::answer::{done, respond};
use super::look::{Shown, Style};
use crate::app::App;
use crate::auth::caller::Caller;
use crate::field::request_key::RequestKey;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;
use crate::write::{self, Kept, Operation, Outcome, Under};

/// What is said to a second request under a key while the first one runs.
const RUNNING: &str = "A request with this Idempotency-Key is still running, please try again";

/// Makes an answer out of a row.
pub type Answers<T> = dyn Fn(&T) -> Option<Kept> + Send + Sync;

/// One operation, the key under which it may be repeated, and how it is answered.
pub struct Once<T> {
    /// The operation.
    pub operation: Operation,
    /// Its key.
    pub key: Option<RequestKey>,
    /// When it is.
    pub now: Timestamp,
    /// How the contract shows the row.
    pub style: Style,
    /// The id in the path; empty for a new row.
    pub id: String,
    /// The answer out of the row.
    pub answer: Arc<Answers<T>>,
}

impl<T: Shown> Once<T> {
    /// Runs it and answers.
    ///
    /// # Errors
    /// 404, 412, 409, 422 for a key of another request; what the database says.
    pub async fn run(self, app: &App, caller: &Caller) -> Result<Response, ApiError> {
        let Self { operation, key, now, style, id, answer } = self;
        let Some(key) = key else {
            let done = done(style, app.write::<T>(caller, operation, now).await?, id)?;
            return answer(&done.row).map(|kept| respond(&kept, false)).ok_or(ApiError::Internal);
        };
        let keeps = Arc::new(move |outcomes: &[Outcome<T>]| answer(&outcomes.first()?.done()?.row));
        let under = write::keyed(&app.owner(caller), &key, &[operation], now, keeps).await?;
        match Settled::of(under)? {
            Settled::Answer(response) => Ok(response),
            Settled::Failed(outcomes) => {
                match outcomes.into_iter().next().map(|outcome| done(style, outcome, id)) {
                    Some(Err(refusal)) => Err(refusal),
                    // What was done is kept, so it has an answer.
                    Some(Ok(_)) | None => Err(ApiError::Internal),
                }
            }
        }
    }
}

/// How a write under a key is to be answered.
pub enum Settled<T> {
    /// As it was, now or before.
    Answer(Response),
    /// Not as a success: it was not done.
    Failed(Vec<Outcome<T>>),
}

impl<T> Settled<T> {
    /// The answer of a write under a key, or the outcomes of one that was not done.
    ///
    /// # Errors
    /// 409 while another one runs, 422 for a key of another request.
    pub fn of(under: Under<T>) -> Result<Self, ApiError> {
        match under {
            Under::First(kept) => Ok(Self::Answer(respond(&kept, false))),
            Under::Replay(kept) => Ok(Self::Answer(respond(&kept, true))),
            Under::Failed(outcomes) => Ok(Self::Failed(outcomes)),
            Under::Other => Err(RequestKey::reused().into()),
            Under::Running => Err(ApiError::Conflict(RUNNING)),
        }
    }
}
