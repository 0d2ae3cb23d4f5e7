//! The v1 contract: `/api/v1/…`, pages, nested errors with codes.

pub mod facts;
pub mod ideas;
pub mod tasks;
pub mod users;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::list::{Fetched, Window};

/// Every route of the contract.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(ideas::routes())
        .merge(tasks::routes())
        .merge(facts::routes())
        .merge(users::routes())
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// How many rows the filters let through in all; not with `count=false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub total: Option<u64>,
    /// The limit of this page.
    #[schema(minimum = 1, maximum = 100)]
    pub limit: u32,
    /// How many rows were skipped; not with `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub offset: Option<u64>,
    /// Whether there are more rows after these.
    pub has_more: bool,
}

impl<T: ToSchema> Page<T> {
    /// The page of a window.
    pub fn new(fetched: Fetched<T>, window: &Window) -> Self {
        let Fetched { items, total, has_previous: _, has_more } = fetched;
        Self { items, total, limit: window.limit, offset: window.start.offset(), has_more }
    }
}

/// The answer to a removal that has a body.
#[derive(Debug, Serialize, ToSchema)]
pub struct Removed {
    /// Always true.
    pub success: bool,
    /// What was removed.
    pub message: &'static str,
}

/// An error of the v1 contract.
#[derive(Debug, Serialize, ToSchema)]
pub struct V1Error {
    /// Always false.
    pub success: bool,
    /// What went wrong.
    pub error: V1ErrorBody,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct V1ErrorBody {
    /// `NOT_FOUND`, `VALIDATION_ERROR`, …
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// For programs: `{"fields": {"title": ["Title is required"]}}` of a validation error, else empty.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
    /// Finds the request in the log.
    pub correlation_id: String,
}
