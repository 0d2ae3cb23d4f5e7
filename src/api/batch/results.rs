//! The answer to a batch: one result for each operation.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use super::Verb;
use crate::api::answer::{done, header, removal};
use crate::api::errors;
use crate::api::look::{Shown, Style};
use crate::http::error::{ApiError, Current};
use crate::http::prefer::PREFERENCE_APPLIED;
use crate::write::{Kept, Outcome, Text};

/// The answer to a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchResults {
    /// One for each operation, in their order.
    pub results: Vec<BatchResult>,
}

/// How one operation ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchResult {
    /// The status that the operation would have had as a request of its own.
    pub status: u16,
    /// The row's entity tag, where there is a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub etag: Option<String>,
    /// The row, or what a removal answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub data: Option<serde_json::Value>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<BatchError>,
}

/// What went wrong with one operation, as an error of its own would say it; the request's correlation id is in a header.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchError {
    /// `NOT_FOUND`, `VALIDATION_ERROR`, …
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// For programs: the fields of a validation error, the `current` row of a failed condition.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
}

/// What is needed to write the results.
pub(super) struct Results {
    pub(super) style: Style,
    pub(super) minimal: bool,
    pub(super) atomic: bool,
    /// Each operation's verb and id, and what was wrong with it before it was tried.
    pub(super) entries: Vec<(Verb, String, Option<ApiError>)>,
}

/// A body that grows, with the rows apart from what is around them.
struct Growing {
    frame: Vec<String>,
    texts: Vec<Text>,
}

impl Growing {
    fn push(&mut self, text: &str) {
        if let Some(piece) = self.frame.last_mut() {
            piece.push_str(text);
        }
    }

    fn text(&mut self, text: Text) {
        self.texts.push(text);
        self.frame.push(String::new());
    }
}

impl Results {
    /// The whole answer; none when the batch is atomic and an operation was not done.
    pub(super) fn kept<T: Shown>(&self, outcomes: &[Outcome<T>]) -> Option<Kept> {
        if self.atomic && outcomes.iter().any(|outcome| outcome.done().is_none()) {
            return None;
        }
        let mut body = Growing { frame: vec!["{\"results\":[".to_owned()], texts: Vec::new() };
        let mut outcomes = outcomes.iter();
        for (i, (verb, id, refused)) in self.entries.iter().enumerate() {
            if i > 0 {
                body.push(",");
            }
            match refused {
                Some(error) => body.push(&refusal(error)),
                None => self.result(*verb, id, outcomes.next()?, &mut body)?,
            }
        }
        body.push("]}");
        let mut headers = vec![header(&CONTENT_TYPE, "application/json")];
        if self.minimal {
            headers.push(header(&PREFERENCE_APPLIED, "return=minimal"));
        }
        Some(Kept { status: StatusCode::OK.as_u16(), headers, frame: body.frame, texts: body.texts })
    }

    fn result<T: Shown>(&self, verb: Verb, id: &str, outcome: &Outcome<T>, body: &mut Growing) -> Option<()> {
        let look = self.style.look;
        let row = match outcome {
            Outcome::Done(done) => &done.row,
            Outcome::Missing => {
                body.push(&refusal(&ApiError::NotFound(T::missing(id.to_owned()))));
                return Some(());
            }
            Outcome::Stale(row) => {
                let current = serde_json::from_str(&row.json(look).ok()?).ok()?;
                let current = Current { row: current, tag: row.tag(look) };
                let whole = refusal(&ApiError::PreconditionFailed(Box::new(current)));
                let blank = Current {
                    row: serde_json::from_str(&id_only(&row.name_json(look))).ok()?,
                    tag: String::new(),
                };
                let blank = refusal(&ApiError::PreconditionFailed(Box::new(blank)));
                body.text(Text { id: row.version().id, whole: Some(whole), blank });
                return Some(());
            }
        };
        let status = match verb {
            Verb::Create => StatusCode::CREATED,
            Verb::Update => StatusCode::OK,
            Verb::Delete => {
                let (status, data) = removal(self.style, row);
                body.push(&format!("{{\"status\":{}", status.as_u16()));
                if let Some(data) = data {
                    body.push(&format!(",\"data\":{data}"));
                }
                body.push("}");
                return Some(());
            }
        };
        let tag = serde_json::to_string(&row.tag(look)).ok()?;
        body.push(&format!("{{\"status\":{},\"etag\":{tag},\"data\":", status.as_u16()));
        let blank = id_only(&row.name_json(look));
        if self.minimal {
            body.push(&blank);
        } else {
            body.text(Text { id: row.version().id, whole: Some(row.json(look).ok()?), blank });
        }
        body.push("}");
        Some(())
    }

    /// Why an atomic batch was not done: the first operation that was not.
    pub(super) fn failure<T: Shown>(&self, outcomes: Vec<Outcome<T>>) -> ApiError {
        let failed =
            outcomes.into_iter().zip(&self.entries).enumerate().find_map(|(index, (outcome, entry))| {
                let error = done(self.style, outcome, entry.1.clone()).err()?;
                Some(ApiError::Operation { index, error: Box::new(error) })
            });
        failed.unwrap_or(ApiError::Internal)
    }
}

/// What is said of a row that is gone.
fn id_only(id: &str) -> String {
    format!("{{\"id\":{id}}}")
}

/// The result of an operation that was refused.
fn refusal(error: &ApiError) -> String {
    let result = BatchResult {
        status: error.status().as_u16(),
        etag: None,
        data: None,
        error: Some(errors::of_operation(error)),
    };
    // Strings and maps with string keys always serialise.
    serde_json::to_string(&result).unwrap_or_default()
}
