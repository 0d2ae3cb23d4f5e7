//! The v1 contract's handlers for tasks.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Page, Removed};
use crate::api::answer::{changed, counted, created, read, removed, written};
use crate::api::batch::{Batch, BatchResults, Reading, Run};
use crate::api::body::{TaskCompletion, TaskCreate, TaskPatch, TaskReplace};
use crate::api::links::links;
use crate::api::look::Style;
use crate::api::once::Once;
use crate::api::query::{self, PageParams, SharedListParams, TaskListParams};
use crate::api::with_and_without_user;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Keyed, OptionalBody, PathId, Query};
use crate::http::terms::Terms;
use crate::tasks::operations;
use crate::tasks::{Task, TaskKey};

/// The routes of the tasks, each with and without the user in its path.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(with_and_without_user(routes!(list_tasks, create_task)))
        .routes(with_and_without_user(routes!(get_task, replace_task, change_task, delete_task)))
        .routes(with_and_without_user(routes!(complete_task)))
        .routes(with_and_without_user(routes!(batch_tasks)))
}

/// A page of the tasks
#[utoipa::path(
    get, path = "/api/v1/{user_id}/tasks", tag = "tasks",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"), TaskListParams, SharedListParams, PageParams),
    responses((status = 200, description = "A page", body = Page<Task>,
        headers(("X-Total-Count" = u64, description = "The total; not with `count=false`"),
                ("Link" = String, description = "The pages `next`, `prev` and `first` (RFC 8288), as queries of this path"))))
)]
async fn list_tasks(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Response, ApiError> {
    let asked = query::tasks(&params, app.clock.now(), 100, 20)?;
    let fetched = app.tasks(&caller).page(&asked.filter, &asked.order, &asked.window).await?;
    let links = links(&params, &asked, &fetched);
    Ok(counted(fetched.total, links, Page::new(fetched, &asked.window)))
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
    terms: Terms,
    Keyed(Body(body), key): Keyed<Body<TaskCreate>>,
) -> Result<Response, ApiError> {
    let new = body.into_new()?;
    let (now, style) = (app.clock.now(), Style::v1_tasks(&app.config.contract));
    let operation = operations::create(app.clock.new_id(), &new, now);
    let user = caller.user.clone();
    let answer = Arc::new(move |task: &Task| created(style, &user, terms.prefer.minimal, task));
    Once { operation, key, now, style, id: String::new(), answer }.run(&app, &caller).await
}

/// Read a task
#[utoipa::path(
    get, path = "/api/v1/{user_id}/tasks/{id}", tag = "tasks",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The task's `id` or `number`")),
    responses((status = 200, description = "The task", body = Task))
)]
async fn get_task(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
) -> Result<Response, ApiError> {
    let task = app.tasks(&caller).get(TaskKey::parse(&id.0)?).await?;
    read(Style::v1_tasks(&app.config.contract), &terms, task, id.0)
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
    terms: Terms,
    id: PathId,
    Body(body): Body<TaskReplace>,
) -> Result<Response, ApiError> {
    let (put, key) = (body.into_replacement()?, TaskKey::parse(&id.0)?);
    let (contract, now) = (&app.config.contract, app.clock.now());
    let operation = operations::replace(key, &put, terms.expected(contract.require_if_match)?, now);
    let outcome = app.write::<Task>(&caller, operation, now).await?;
    written(Style::v1_tasks(contract), &terms, outcome, id.0)
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
    terms: Terms,
    id: PathId,
    Body(body): Body<TaskPatch>,
) -> Result<Response, ApiError> {
    let (change, key) = (body.into_change()?, TaskKey::parse(&id.0)?);
    let (contract, now) = (&app.config.contract, app.clock.now());
    let operation = operations::change(key, &change, terms.expected(contract.require_if_match)?, now);
    let outcome = app.write::<Task>(&caller, operation, now).await?;
    written(Style::v1_tasks(contract), &terms, outcome, id.0)
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
    terms: Terms,
    id: PathId,
) -> Result<Response, ApiError> {
    let key = TaskKey::parse(&id.0)?;
    let contract = &app.config.contract;
    let operation = operations::remove(key, terms.expected(contract.require_if_match)?);
    let outcome = app.write::<Task>(&caller, operation, app.clock.now()).await?;
    removed(Style::v1_tasks(contract), outcome, id.0)
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
    terms: Terms,
    PathId(id): PathId,
    Keyed(OptionalBody(body), key): Keyed<OptionalBody<TaskCompletion>>,
) -> Result<Response, ApiError> {
    let (completion, task) = (body.unwrap_or_default().into_completion()?, TaskKey::parse(&id)?);
    let (contract, now) = (&app.config.contract, app.clock.now());
    let style = Style::v1_tasks(contract);
    let operation = operations::complete(task, completion, terms.expected(contract.require_if_match)?, now);
    let answer = Arc::new(move |task: &Task| changed(style, terms.prefer.minimal, task));
    Once { operation, key, now, style, id, answer }.run(&app, &caller).await
}

/// Several tasks at once
///
/// At most 100 operations in one transaction, in their order; `update` is a merge patch. With `atomic` nothing is done
/// when one of them fails: the answer is that one's error, with its place in `details.index`. Otherwise each has its own
/// result.
#[utoipa::path(
    post, path = "/api/v1/{user_id}/tasks/batch", tag = "tasks", request_body = Batch,
    params(("user_id" = String, Path, description = "The token's user id, or `me`")),
    responses((status = 200, description = "One result for each operation", body = BatchResults))
)]
async fn batch_tasks(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    Keyed(Body(body), key): Keyed<Body<Batch>>,
) -> Result<Response, ApiError> {
    let (contract, now) = (&app.config.contract, app.clock.now());
    let (if_match_required, strict) = (contract.require_if_match, terms.prefer.strict);
    let asked = body.read::<Task>(Reading { clock: &app.clock, now, if_match_required, strict })?;
    let run = Run { key, now, style: Style::v1_tasks(contract), minimal: terms.prefer.minimal };
    run.run::<Task>(&app, &caller, asked).await
}
