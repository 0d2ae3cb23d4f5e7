//! The todo contract's handlers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::list::{self, TodoList};
use crate::api::answer::{created, replaced};
use crate::api::body::{TaskCompletion, TaskCreate, TaskPatch, TaskReplace};
use crate::api::query::{SharedListParams, TaskListParams, WindowParams};
use crate::api::with_and_without_user;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::error::{ApiError, Missing};
use crate::http::extract::{Body, OptionalBody, PathId, Query};
use crate::tasks::{Completion, Task, TaskKey};

/// The routes of the tasks, each with and without the user in its path.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(with_and_without_user(routes!(todo_list_tasks, todo_create_task)))
        .routes(with_and_without_user(routes!(
            todo_get_task,
            todo_replace_task,
            todo_change_task,
            todo_delete_task
        )))
        .routes(with_and_without_user(routes!(todo_set_completion, todo_complete_task)))
        .routes(with_and_without_user(routes!(todo_toggle_task)))
        .routes(with_and_without_user(routes!(todo_uncomplete_task)))
}

fn missing(id: PathId) -> ApiError {
    ApiError::NotFound(Missing::Task(id.0))
}

/// List the tasks, newest first
///
/// Without `limit` and `offset` the answer is a bare array of every task that the filters let through, streamed;
/// with one of them it is an object with the window and the total.
#[utoipa::path(
    get, path = "/api/{user_id}/tasks", tag = "todo",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"), TaskListParams, SharedListParams, WindowParams),
    responses((status = 200, description = "The tasks", body = TodoList,
        headers(("X-Total-Count" = u64, description = "The total; only with `limit` or `offset`"))))
)]
async fn todo_list_tasks(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Response, ApiError> {
    list::answer(app, caller, &params).await
}

/// Make a task
#[utoipa::path(
    post, path = "/api/{user_id}/tasks", tag = "todo", request_body = TaskCreate,
    params(("user_id" = String, Path, description = "The token's user id, or `me`")),
    responses((status = 201, description = "The new task", body = Task,
        headers(("Location" = String, description = "The task's address"))))
)]
async fn todo_create_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<TaskCreate>,
) -> Result<Response, ApiError> {
    let new = body.into_new()?;
    let task = app.tasks(&caller).create(app.clock.new_id(), &new, app.clock.now()).await?;
    Ok(created("/api", &caller.user, "tasks", task.id, task))
}

/// Read a task
#[utoipa::path(
    get, path = "/api/{user_id}/tasks/{id}", tag = "todo",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task", body = Task))
)]
async fn todo_get_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Task>, ApiError> {
    let task = app.tasks(&caller).get(TaskKey::parse(&id.0)?).await?;
    task.map(Json).ok_or_else(|| missing(id))
}

/// Replace a task
///
/// `title` and `completed` are required. What the replacement cleared is named in `Cleared-Fields`.
#[utoipa::path(
    put, path = "/api/{user_id}/tasks/{id}", tag = "todo", request_body = TaskReplace,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task,
        headers(("Cleared-Fields" = String, description = "Fields that had a value and were cleared"))))
)]
async fn todo_replace_task(
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
    patch, path = "/api/{user_id}/tasks/{id}", tag = "todo", request_body = TaskPatch,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn todo_change_task(
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
    delete, path = "/api/{user_id}/tasks/{id}", tag = "todo",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 204, description = "It is gone"))
)]
async fn todo_delete_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathId,
) -> Result<StatusCode, ApiError> {
    let removed = app.tasks(&caller).remove(TaskKey::parse(&id.0)?, app.clock.now()).await?;
    removed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| missing(id))
}

/// Complete a task, reopen it, or turn it round
///
/// With `{"completed": true}` or `false` it is set; without a body, or with an empty object, turned round.
#[utoipa::path(
    patch, path = "/api/{user_id}/tasks/{id}/complete", tag = "todo", request_body = Option<TaskCompletion>,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn todo_set_completion(
    state: State<Arc<App>>,
    caller: Caller,
    id: PathId,
    OptionalBody(body): OptionalBody<TaskCompletion>,
) -> Result<Json<Task>, ApiError> {
    complete(&state, &caller, id, body.unwrap_or_default().into_completion()?).await
}

/// Complete a task
#[utoipa::path(
    post, path = "/api/{user_id}/tasks/{id}/complete", tag = "todo",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn todo_complete_task(
    state: State<Arc<App>>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Task>, ApiError> {
    complete(&state, &caller, id, Completion::Set(true)).await
}

/// Reopen a task
#[utoipa::path(
    post, path = "/api/{user_id}/tasks/{id}/uncomplete", tag = "todo",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn todo_uncomplete_task(
    state: State<Arc<App>>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Task>, ApiError> {
    complete(&state, &caller, id, Completion::Set(false)).await
}

/// Turn a task round
///
/// The same as `PATCH …/complete`.
#[utoipa::path(
    patch, path = "/api/{user_id}/tasks/{id}/toggle", tag = "todo", request_body = Option<TaskCompletion>,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn todo_toggle_task(
    state: State<Arc<App>>,
    caller: Caller,
    id: PathId,
    OptionalBody(body): OptionalBody<TaskCompletion>,
) -> Result<Json<Task>, ApiError> {
    complete(&state, &caller, id, body.unwrap_or_default().into_completion()?).await
}

async fn complete(
    app: &App,
    caller: &Caller,
    id: PathId,
    completion: Completion,
) -> Result<Json<Task>, ApiError> {
    let task = app.tasks(caller).complete(TaskKey::parse(&id.0)?, completion, app.clock.now()).await?;
    task.map(Json).ok_or_else(|| missing(id))
}
