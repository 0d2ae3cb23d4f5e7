//! The v1 contract's handlers for tasks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Page, Removed};
use crate::api::answer::{counted, created, replaced};
use crate::api::body::{TaskCompletion, TaskCreate, TaskPatch, TaskReplace};
use crate::api::query::{self, ListQuery, PageParams, SharedListParams, TaskListParams};
use crate::api::with_and_without_user;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::error::{ApiError, Missing};
use crate::http::extract::{Body, OptionalBody, PathId, Query};
use crate::tasks::{Task, TaskKey};

/// The routes of the tasks, each with and without the user in its path.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(with_and_without_user(routes!(list_tasks, create_task)))
        .routes(with_and_without_user(routes!(get_task, replace_task, change_task, delete_task)))
        .routes(with_and_without_user(routes!(complete_task)))
}

fn missing(id: PathId) -> ApiError {
    ApiError::NotFound(Missing::Task(id.0))
}

/// A page of the tasks
#[utoipa::path(
    get, path = "/api/v1/{user_id}/tasks", tag = "tasks",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"), TaskListParams, SharedListParams, PageParams),
    responses((status = 200, description = "A page", body = Page<Task>,
        headers(("X-Total-Count" = u64, description = "The total"))))
)]
async fn list_tasks(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Response, ApiError> {
    let ListQuery { filter, order, window } = query::tasks(&params, app.clock.now(), 100, 20)?;
    let fetched = app.tasks(&caller).page(&filter, &order, window).await?;
    Ok(counted(fetched.total, Page::new(fetched, window)))
}

/// Make a task
#[utoipa::path(
    post, path = "/api/v1/{user_id}/tasks", tag = "tasks", request_body = TaskCreate,
    params(("user_id" = String, Path, description = "The token's user id, or `me`")),
    responses((status = 201, description = "The new task", body = Task,
        headers(("Location" = String, description = "The task's address"))))
)]
async fn create_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<TaskCreate>,
) -> Result<Response, ApiError> {
    let new = body.into_new()?;
    let task = app.tasks(&caller).create(app.clock.new_id(), &new, app.clock.now()).await?;
    Ok(created("/api/v1", &caller.user, "tasks", task.id, task))
}

/// Read a task
#[utoipa::path(
    get, path = "/api/v1/{user_id}/tasks/{id}", tag = "tasks",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task", body = Task))
)]
async fn get_task(State(app): State<Arc<App>>, caller: Caller, id: PathId) -> Result<Json<Task>, ApiError> {
    let task = app.tasks(&caller).get(TaskKey::parse(&id.0)?).await?;
    task.map(Json).ok_or_else(|| missing(id))
}

/// Replace a task
///
/// `title` and `completed` are required. What the replacement cleared is named in `Cleared-Fields`.
#[utoipa::path(
    put, path = "/api/v1/{user_id}/tasks/{id}", tag = "tasks", request_body = TaskReplace,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task,
        headers(("Cleared-Fields" = String, description = "Fields that had a value and were cleared"))))
)]
async fn replace_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathId,
    Body(body): Body<TaskReplace>,
) -> Result<Response, ApiError> {
    let put = body.into_replacement()?;
    let task = app.tasks(&caller).replace(TaskKey::parse(&id.0)?, put, app.clock.now()).await?;
    task.map(replaced).ok_or_else(|| missing(id))
}

/// Change some fields of a task
#[utoipa::path(
    patch, path = "/api/v1/{user_id}/tasks/{id}", tag = "tasks", request_body = TaskPatch,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn change_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathId,
    Body(body): Body<TaskPatch>,
) -> Result<Json<Task>, ApiError> {
    let change = body.into_change()?;
    let task = app.tasks(&caller).change(TaskKey::parse(&id.0)?, change, app.clock.now()).await?;
    task.map(Json).ok_or_else(|| missing(id))
}

/// Remove a task for good
#[utoipa::path(
    delete, path = "/api/v1/{user_id}/tasks/{id}", tag = "tasks",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "It is gone", body = Removed))
)]
async fn delete_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Removed>, ApiError> {
    let removed = app.tasks(&caller).remove(TaskKey::parse(&id.0)?, app.clock.now()).await?;
    removed.map(|_| Json(Removed { success: true, message: "Task deleted" })).ok_or_else(|| missing(id))
}

/// Complete a task, reopen it, or turn it round
///
/// With `{"completed": true}` or `false` it is set; without a body, or with an empty object, turned round.
#[utoipa::path(
    patch, path = "/api/v1/{user_id}/tasks/{id}/complete", tag = "tasks", request_body = Option<TaskCompletion>,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn complete_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathId,
    OptionalBody(body): OptionalBody<TaskCompletion>,
) -> Result<Json<Task>, ApiError> {
    let completion = body.unwrap_or_default().into_completion()?;
    let task = app.tasks(&caller).complete(TaskKey::parse(&id.0)?, completion, app.clock.now()).await?;
    task.map(Json).ok_or_else(|| missing(id))
}
