//! Several operations in one request, each as its own request would be read and answered.

mod items;
mod results;

use std::sync::Arc;

use axum::response::Response;

use super::answer::respond;
use super::look::{Shown, Style};
use super::once::Settled;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::field::request_key::RequestKey;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;
use crate::write::{self, Kept, Operation, Outcome};

pub use items::{Batch, BatchOperation, Batched, Reading, RowName, Verb};
pub use results::{BatchError, BatchResult, BatchResults};

use results::Results;

/// A batch that was read: each operation, or what is wrong with it.
pub struct Asked {
    items: Vec<(Verb, String, Result<Operation, ApiError>)>,
    atomic: bool,
}

/// How a batch is run and answered.
pub struct Run {
    /// The key under which it may be repeated.
    pub key: Option<RequestKey>,
    /// When it is.
    pub now: Timestamp,
    /// How the contract shows the rows.
    pub style: Style,
    /// Ids instead of rows in the answer.
    pub minimal: bool,
}

impl Run {
    /// Runs a batch in one transaction and answers.
    ///
    /// # Errors
    /// Of an atomic batch the first operation's that was not done; 409 and 422 for the key; what the database says.
    pub async fn run<T: Shown>(self, app: &App, caller: &Caller, asked: Asked) -> Result<Response, ApiError> {
        let Self { key, now, style, minimal } = self;
        let Asked { items, atomic } = asked;
        let mut operations = Vec::with_capacity(items.len());
        let mut results = Results { style, minimal, atomic, entries: Vec::with_capacity(items.len()) };
        for (index, (verb, id, operation)) in items.into_iter().enumerate() {
            match operation {
                Ok(operation) => {
                    operations.push(operation);
                    results.entries.push((verb, id, None));
                }
                Err(error) if atomic => return Err(ApiError::Operation { index, error: Box::new(error) }),
                Err(error) => results.entries.push((verb, id, Some(error))),
            }
        }
        let owner = app.owner(caller);
        let Some(key) = key else {
            let outcomes = match operations.is_empty() {
                true => Vec::new(),
                false => write::together::<T>(&owner, &operations, atomic, now).await?,
            };
            return match results.kept(&outcomes) {
                Some(kept) => Ok(respond(&kept, false)),
                None => Err(results.failure(outcomes)),
            };
        };
        let results = Arc::new(results);
        let answer = {
            let results = results.clone();
            Arc::new(move |outcomes: &[Outcome<T>]| -> Option<Kept> { results.kept(outcomes) })
        };
        match Settled::of(write::keyed(&owner, &key, &operations, now, answer).await?)? {
            Settled::Answer(response) => Ok(response),
            Settled::Failed(outcomes) => Err(results.failure(outcomes)),
        }
    }
}
