//! The todo contract: `/api/{user_id}/tasks` and `/api/tasks`, bare lists, flat errors.

pub mod list;
pub mod shape;
pub mod tasks;
mod words;

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::field::Invalid;

pub use tasks::routes as task_routes;

/// Every route of the contract.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    task_routes()
}

/// An error of the todo contract.
#[derive(Debug, Serialize, ToSchema)]
pub struct TodoError {
    /// The category: `Not Found`, `Validation Error`, …
    pub error: String,
    /// What went wrong; always a string, also for several bad fields.
    pub detail: String,
    /// The same text again, for front-ends that look here.
    pub message: String,
    /// The task as it is, when it is not the version that `If-Match` named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::tasks::Task>, nullable = false)]
    pub current: Option<serde_json::Value>,
    /// Why the token was refused; only in dev mode and with `DEBUG=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// Finds the request in the log.
    pub correlation_id: String,
}

/// The category of a status.
pub fn category(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNPROCESSABLE_ENTITY => "Validation Error",
        other => other.canonical_reason().unwrap_or("Error"),
    }
}

/// The complaints in one string: `title: Title is required; tags: Each tag must be a string`.
pub fn flat(invalid: &Invalid) -> String {
    let texts: Vec<String> = invalid
        .fields()
        .iter()
        .flat_map(|(field, texts)| texts.iter().map(move |text| format!("{field}: {text}")))
        .collect();
    texts.join("; ")
}
