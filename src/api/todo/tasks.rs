//! The todo contract's handlers.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::list::{self, TodoList};
use super::words::told;
use crate::api::answer::{changed, created, read, removed, written};
use crate::api::body::{TaskCompletion, TaskCreate, TaskPatch, TaskReplace};
use crate::api::look::Style;
use crate::api::once::Once;
use crate::api::query::{SharedListParams, TaskListParams, WindowParams};
use crate::api::with_and_without_user;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::field::Invalid;
use crate::field::request_key::RequestKey;
use crate::http::error::ApiError;
use crate::http::extract::{AnyBody, Body, Keyed, OptionalBody, PathId, Query};
use crate::http::terms::Terms;
use crate::tasks::operations;
use crate::tasks::{Completion, Put, Task, TaskKey};

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

/// List the tasks, newest first
///
/// Without `limit`, `offset` and `cursor` the answer is a bare array of every task that the filters let through,
/// streamed; with one of them it is an object with the window and the total.
#[utoipa::path(
    get, path = "/api/{user_id}/tasks", tag = "todo",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"), TaskListParams, SharedListParams, WindowParams),
    responses((status = 200, description = "The tasks", body = TodoList,
        headers(("X-Total-Count" = u64, description = "The total; only of a window, and not with `count=false`"),
                ("Link" = String, description = "Only of a window: the windows `next`, `prev` and `first` (RFC 8288), as queries of this path"))))
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
    terms: Terms,
    Keyed(Body(body), key): Keyed<Body<TaskCreate>>,
) -> Result<Response, ApiError> {
    let contract = &app.config.contract;
    let new = body.into_new().map_err(|invalid| told(&contract.todo, &invalid))?;
    let (now, style) = (app.clock.now(), Style::todo(contract));
    let operation = operations::create(app.clock.new_id(), &new, now);
    let user = caller.user.clone();
    let answer = Arc::new(move |task: &Task| created(style, &user, terms.prefer.minimal, task));
    Once { operation, key, now, style, id: String::new(), answer }.run(&app, &caller).await
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
    terms: Terms,
    id: PathId,
) -> Result<Response, ApiError> {
    let task = app.tasks(&caller).get(TaskKey::parse(&id.0)?).await?;
    read(Style::todo(&app.config.contract), &terms, task, id.0)
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
    terms: Terms,
    id: PathId,
    Body(body): Body<TaskReplace>,
) -> Result<Response, ApiError> {
    let (contract, now) = (&app.config.contract, app.clock.now());
    let put = if contract.todo.partial_put {
        body.into_change().map(Put::Named)
    } else {
        body.into_replacement().map(Put::Whole)
    };
    let put = put.map_err(|invalid| told(&contract.todo, &invalid))?;
    let key = TaskKey::parse(&id.0)?;
    let operation = operations::put(key, &put, terms.expected(contract.require_if_match)?, now);
    let outcome = app.write::<Task>(&caller, operation, now).await?;
    written(Style::todo(contract), &terms, outcome, id.0)
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
    terms: Terms,
    id: PathId,
    Body(body): Body<TaskPatch>,
) -> Result<Response, ApiError> {
    let (contract, now) = (&app.config.contract, app.clock.now());
    let change = body.into_change().map_err(|invalid| told(&contract.todo, &invalid))?;
    let key = TaskKey::parse(&id.0)?;
    let operation = operations::change(key, &change, terms.expected(contract.require_if_match)?, now);
    let outcome = app.write::<Task>(&caller, operation, now).await?;
    written(Style::todo(contract), &terms, outcome, id.0)
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
    terms: Terms,
    id: PathId,
) -> Result<Response, ApiError> {
    let key = TaskKey::parse(&id.0)?;
    let contract = &app.config.contract;
    let operation = operations::remove(key, terms.expected(contract.require_if_match)?);
    let outcome = app.write::<Task>(&caller, operation, app.clock.now()).await?;
    removed(Style::todo(contract), outcome, id.0)
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
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
    Keyed(OptionalBody(body), key): Keyed<OptionalBody<TaskCompletion>>,
) -> Result<Response, ApiError> {
    let completion = completion(&app, body)?;
    complete(&app, &caller, &terms, id, completion, key).await
}

/// Complete a task
#[utoipa::path(
    post, path = "/api/{user_id}/tasks/{id}/complete", tag = "todo",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn todo_complete_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
    Keyed(AnyBody, key): Keyed<AnyBody>,
) -> Result<Response, ApiError> {
    complete(&app, &caller, &terms, id, Completion::Set(true), key).await
}

/// Reopen a task
#[utoipa::path(
    post, path = "/api/{user_id}/tasks/{id}/uncomplete", tag = "todo",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task as it is now", body = Task))
)]
async fn todo_uncomplete_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
    Keyed(AnyBody, key): Keyed<AnyBody>,
) -> Result<Response, ApiError> {
    complete(&app, &caller, &terms, id, Completion::Set(false), key).await
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
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
    Keyed(OptionalBody(body), key): Keyed<OptionalBody<TaskCompletion>>,
) -> Result<Response, ApiError> {
    let completion = completion(&app, body)?;
    complete(&app, &caller, &terms, id, completion, key).await
}

/// What a body asks for; without one the task is turned round.
fn completion(app: &App, body: Option<TaskCompletion>) -> Result<Completion, Invalid> {
    let completion = body.unwrap_or_default().into_completion();
    completion.map_err(|invalid| told(&app.config.contract.todo, &invalid))
}

async fn complete(
    app: &App,
    caller: &Caller,
    terms: &Terms,
    PathId(id): PathId,
    completion: Completion,
    key: Option<RequestKey>,
) -> Result<Response, ApiError> {
    let (contract, now) = (&app.config.contract, app.clock.now());
    let (style, minimal) = (Style::todo(contract), terms.prefer.minimal);
    let task = TaskKey::parse(&id)?;
    let operation = operations::complete(task, completion, terms.expected(contract.require_if_match)?, now);
    let answer = Arc::new(move |task: &Task| changed(style, minimal, task));
    Once { operation, key, now, style, id, answer }.run(app, caller).await
}
