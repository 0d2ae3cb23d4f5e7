//! The operations of a batch, as they are sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Asked;
use crate::api::body::{IdeaPatch, IdeaWrite, TaskCreate, TaskPatch};
use crate::api::look::Shown;
use crate::clock::Clock;
use crate::field::Invalid;
use crate::field::choice::Choice;
use crate::field::etag::Expected;
use crate::field::form::Form;
use crate::field::patch::Sent;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;
use crate::http::extract::{FromBody, taken_apart};
use crate::ideas::{self, Idea, parse_id};
use crate::tasks::{self, Task, TaskKey};
use crate::write::Operation;

/// How many operations a batch may have.
const MOST: usize = 100;

/// Several operations on tasks or on ideas.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct Batch {
    /// Whether nothing is done unless everything can be; true when left out.
    #[schema(value_type = bool, default = true)]
    #[serde(default)]
    atomic: Sent,
    /// What to do, in this order.
    #[schema(value_type = Vec<BatchOperation>, max_items = 100, required)]
    #[serde(default)]
    operations: Option<Box<RawValue>>,
}

/// One operation of a batch.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct BatchOperation {
    /// `create`, `update` (a merge patch, RFC 7396) or `delete`.
    #[schema(value_type = Verb, required)]
    #[serde(default)]
    op: Sent,
    /// Which row to update or delete: its `id`, or a task's `number`.
    #[schema(value_type = RowName)]
    #[serde(default)]
    id: Sent,
    /// The `ETag` that the row must have.
    #[schema(value_type = String)]
    #[serde(default)]
    if_match: Sent,
    /// The new row, or the fields that change.
    #[schema(value_type = Object)]
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// How an operation names its row.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum RowName {
    /// Its `id`, or a task's `number` as text.
    Id(String),
    /// A task's `number`.
    Number(i64),
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Verb {
    /// Makes a row.
    Create,
    /// Changes some of its fields.
    Update,
    /// Removes it for good.
    Delete,
}

impl Choice for Verb {
    const LABEL: &'static str = "op";
    const ALL: &'static [Self] = &[Self::Create, Self::Update, Self::Delete];

    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What the operations of a batch are read with.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Where the ids of new rows come from.
    pub clock: &'a Clock,
    /// When it is.
    pub now: Timestamp,
    /// Whether a change without a condition is refused.
    pub if_match_required: bool,
    /// Whether unknown members are refused.
    pub strict: bool,
}

/// A row that batches are about.
pub trait Batched: Shown {
    /// The operation that makes a row of this data.
    ///
    /// # Errors
    /// 400 and 422, here and below.
    fn create(data: &RawValue, id: Uuid, reading: Reading<'_>) -> Result<Operation, ApiError>;

    /// The operation that changes a row.
    ///
    /// # Errors
    /// 400 and 422.
    fn update(
        data: &RawValue,
        id: &str,
        expected: Option<Expected>,
        reading: Reading<'_>,
    ) -> Result<Operation, ApiError>;

    /// The operation that removes a row.
    ///
    /// # Errors
    /// 422.
    fn delete(id: &str, expected: Option<Expected>) -> Result<Operation, ApiError>;
}

impl Batched for Task {
    fn create(data: &RawValue, id: Uuid, reading: Reading<'_>) -> Result<Operation, ApiError> {
        let new = part::<TaskCreate>(data, reading.strict)?.into_new()?;
        Ok(tasks::operations::create(id, &new, reading.now))
    }

    fn update(
        data: &RawValue,
        id: &str,
        expected: Option<Expected>,
        reading: Reading<'_>,
    ) -> Result<Operation, ApiError> {
        let change = part::<TaskPatch>(data, reading.strict)?.into_change()?;
        Ok(tasks::operations::change(TaskKey::parse(id)?, &change, expected, reading.now))
    }

    fn delete(id: &str, expected: Option<Expected>) -> Result<Operation, ApiError> {
        Ok(tasks::operations::remove(TaskKey::parse(id)?, expected))
    }
}

impl Batched for Idea {
    fn create(data: &RawValue, id: Uuid, reading: Reading<'_>) -> Result<Operation, ApiError> {
        let new = part::<IdeaWrite>(data, reading.strict)?.into_new()?;
        Ok(ideas::operations::create(id, &new))
    }

    fn update(
        data: &RawValue,
        id: &str,
        expected: Option<Expected>,
        reading: Reading<'_>,
    ) -> Result<Operation, ApiError> {
        let change = part::<IdeaPatch>(data, reading.strict)?.into_change()?;
        Ok(ideas::operations::change(parse_id(id)?, &change, expected))
    }

    fn delete(id: &str, expected: Option<Expected>) -> Result<Operation, ApiError> {
        Ok(ideas::operations::remove(parse_id(id)?, expected))
    }
}

impl Batch {
    /// Whether it is atomic, and its operations as they were sent.
    ///
    /// # Errors
    /// Everything that is wrong with the batch itself.
    pub fn structure(&self) -> Result<(bool, Vec<&RawValue>), Invalid> {
        let mut form = Form::new();
        let atomic = form.kept("atomic", &self.atomic).unwrap_or(true);
        let operations: Option<Vec<&RawValue>> =
            self.operations.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok());
        match &operations {
            None if self.operations.is_none() => form.complain("operations", "Operations is required"),
            None => form.complain("operations", "Operations must be an array"),
            Some(operations) if operations.len() > MOST => {
                form.complain("operations", format!("At most {MOST} operations are allowed in one batch"));
            }
            Some(_) => {}
        }
        form.finish()?;
        Ok((atomic, operations.unwrap_or_default()))
    }

    /// Reads all operations. What is wrong with one is kept with it.
    ///
    /// # Errors
    /// 400 for what is malformed, 422 for a batch that is none.
    pub fn read<T: Batched>(&self, reading: Reading<'_>) -> Result<Asked, ApiError> {
        let (atomic, operations) = self.structure()?;
        let items = operations.into_iter().map(|raw| item::<T>(raw, reading));
        Ok(Asked { items: items.collect::<Result<_, _>>()?, atomic })
    }
}

/// What every operation has, whatever it does.
#[derive(Debug)]
pub struct Structure {
    verb: Verb,
    id: String,
    expected: Option<Expected>,
}

impl BatchOperation {
    /// The id as a path would name it; empty where there is none.
    fn id(&self) -> String {
        match self.id.value() {
            Some(Value::String(id)) => id.clone(),
            // A task's number may be sent as one.
            Some(Value::Number(number)) => number.to_string(),
            Some(_) | None => String::new(),
        }
    }

    /// What every operation has, whatever it does.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn structure(&self) -> Result<Structure, Invalid> {
        let mut form = Form::new();
        let verb = form.required::<Verb>("op", &self.op);
        let expected: Option<Expected> = form.kept("if_match", &self.if_match);
        let id = self.id();
        if self.data.is_none() && verb.is_some_and(|verb| verb != Verb::Delete) {
            form.complain("data", "Data is required");
        }
        if self.id.value().is_some_and(|id| !id.is_string() && !id.is_number()) {
            form.complain("id", "Id must be a string or a number");
        } else if id.is_empty() && verb.is_some_and(|verb| verb != Verb::Create) {
            form.complain("id", "Id is required");
        }
        if expected.is_some() && verb == Some(Verb::Create) {
            form.complain("if_match", "If match is for update and delete");
        }
        let Some(verb) = verb else { return Err(form.invalid()) };
        form.finish()?;
        Ok(Structure { verb, id, expected })
    }
}

type Item = (Verb, String, Result<Operation, ApiError>);

/// One operation with its id as it was sent; only what is malformed ends the whole batch.
fn item<T: Batched>(raw: &RawValue, reading: Reading<'_>) -> Result<Item, ApiError> {
    let refused = |error: ApiError| match error {
        error @ ApiError::BadRequest(_) => Err(error),
        error => Ok((Verb::Update, String::new(), Err(error))),
    };
    if !raw.get().starts_with('{') {
        return refused(Invalid::one("operation", "An operation must be a JSON object").into());
    }
    let operation = match part::<BatchOperation>(raw, reading.strict) {
        Ok(operation) => operation,
        Err(error) => return refused(error),
    };
    let Structure { verb, id, expected } = match operation.structure() {
        Ok(structure) => structure,
        Err(invalid) => return refused(invalid.into()),
    };
    let data = operation.data.as_deref().unwrap_or(RawValue::NULL);
    let unconditional = verb != Verb::Create && expected.is_none();
    let read = match verb {
        Verb::Create => T::create(data, reading.clock.new_id(), reading),
        Verb::Update => T::update(data, &id, expected, reading),
        Verb::Delete => T::delete(&id, expected),
    };
    match read {
        Err(error @ ApiError::BadRequest(_)) => Err(error),
        Ok(_) if unconditional && reading.if_match_required => {
            Ok((verb, id, Err(ApiError::PreconditionRequired)))
        }
        read => Ok((verb, id, read)),
    }
}

/// A part of the body, taken apart as a body of its own.
fn part<T: FromBody>(raw: &RawValue, strict: bool) -> Result<T, ApiError> {
    taken_apart(raw.get().as_bytes(), strict)
}
