//! The v1 contract's handlers for ideas.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Page;
use crate::api::answer::{counted, created, read, removed, written};
use crate::api::batch::{Batch, BatchResults, Reading, Run};
use crate::api::body::{IdeaPatch, IdeaWrite};
use crate::api::links::links;
use crate::api::look::Style;
use crate::api::once::Once;
use crate::api::query::{self, IdeaListParams, PageParams, SharedListParams};
use crate::api::with_and_without_user;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Keyed, PathId, Query};
use crate::http::terms::Terms;
use crate::ideas::operations;
use crate::ideas::{Idea, parse_id};

/// The routes of the ideas, each with and without the user in its path.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(with_and_without_user(routes!(list_ideas, create_idea)))
        .routes(with_and_without_user(routes!(get_idea, replace_idea, change_idea, delete_idea)))
        .routes(with_and_without_user(routes!(batch_ideas)))
}

/// A page of the ideas
#[utoipa::path(
    get, path = "/api/v1/{user_id}/ideas", tag = "ideas",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"), IdeaListParams, SharedListParams, PageParams),
    responses((status = 200, description = "A page", body = Page<Idea>,
        headers(("X-Total-Count" = u64, description = "The total; not with `count=false`"),
                ("Link" = String, description = "The pages `next`, `prev` and `first` (RFC 8288), as queries of this path"))))
)]
async fn list_ideas(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Response, ApiError> {
    let asked = query::ideas(&params, app.clock.now())?;
    let fetched = app.ideas(&caller).page(&asked.filter, &asked.order, &asked.window).await?;
    let links = links(&params, &asked, &fetched);
    Ok(counted(fetched.total, links, Page::new(fetched, &asked.window)))
}

/// Make an idea
#[utoipa::path(
    post, path = "/api/v1/{user_id}/ideas", tag = "ideas", request_body = IdeaWrite,
    params(("user_id" = String, Path, description = "The token's user id, or `me`")),
    responses((status = 201, description = "The new idea", body = Idea,
        headers(("Location" = String, description = "The idea's address"))))
)]
async fn create_idea(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    Keyed(Body(body), key): Keyed<Body<IdeaWrite>>,
) -> Result<Response, ApiError> {
    let new = body.into_new()?;
    let (now, style) = (app.clock.now(), Style::ideas(&app.config.contract));
    let operation = operations::create(app.clock.new_id(), &new);
    let user = caller.user.clone();
    let answer = Arc::new(move |idea: &Idea| created(style, &user, terms.prefer.minimal, idea));
    Once { operation, key, now, style, id: String::new(), answer }.run(&app, &caller).await
}

/// Read an idea
#[utoipa::path(
    get, path = "/api/v1/{user_id}/ideas/{id}", tag = "ideas",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The idea's `id`")),
    responses((status = 200, description = "The idea", body = Idea))
)]
async fn get_idea(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
) -> Result<Response, ApiError> {
    let idea = app.ideas(&caller).get(parse_id(&id.0)?).await?;
    read(Style::ideas(&app.config.contract), &terms, idea, id.0)
}

/// Replace an idea
///
/// `title` is required, what is left out goes to its default. What the replacement cleared is named in
/// `Cleared-Fields`.
#[utoipa::path(
    put, path = "/api/v1/{user_id}/ideas/{id}", tag = "ideas", request_body = IdeaWrite,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The idea's `id`")),
    responses((status = 200, description = "The idea as it is now", body = Idea,
        headers(("Cleared-Fields" = String, description = "Fields that had a value and were cleared"))))
)]
async fn replace_idea(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
    Body(body): Body<IdeaWrite>,
) -> Result<Response, ApiError> {
    let (put, key) = (body.into_new()?, parse_id(&id.0)?);
    let contract = &app.config.contract;
    let operation = operations::replace(key, &put, terms.expected(contract.require_if_match)?);
    let outcome = app.write::<Idea>(&caller, operation, app.clock.now()).await?;
    written(Style::ideas(contract), &terms, outcome, id.0)
}

/// Change some fields of an idea
#[utoipa::path(
    patch, path = "/api/v1/{user_id}/ideas/{id}", tag = "ideas", request_body = IdeaPatch,
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The idea's `id`")),
    responses((status = 200, description = "The idea as it is now", body = Idea))
)]
async fn change_idea(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
    Body(body): Body<IdeaPatch>,
) -> Result<Response, ApiError> {
    let (change, key) = (body.into_change()?, parse_id(&id.0)?);
    let contract = &app.config.contract;
    let operation = operations::change(key, &change, terms.expected(contract.require_if_match)?);
    let outcome = app.write::<Idea>(&caller, operation, app.clock.now()).await?;
    written(Style::ideas(contract), &terms, outcome, id.0)
}

/// Remove an idea for good
#[utoipa::path(
    delete, path = "/api/v1/{user_id}/ideas/{id}", tag = "ideas",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The idea's `id`")),
    responses((status = 204, description = "It is gone"))
)]
async fn delete_idea(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    id: PathId,
) -> Result<Response, ApiError> {
    let key = parse_id(&id.0)?;
    let contract = &app.config.contract;
    let operation = operations::remove(key, terms.expected(contract.require_if_match)?);
    let outcome = app.write::<Idea>(&caller, operation, app.clock.now()).await?;
    removed(Style::ideas(contract), outcome, id.0)
}

/// Several ideas at once
///
/// At most 100 operations in one transaction, in their order; `update` is a merge patch. With `atomic` nothing is done
/// when one of them fails: the answer is that one's error, with its place in `details.index`. Otherwise each has its own
/// result.
#[utoipa::path(
    post, path = "/api/v1/{user_id}/ideas/batch", tag = "ideas", request_body = Batch,
    params(("user_id" = String, Path, description = "The token's user id, or `me`")),
    responses((status = 200, description = "One result for each operation", body = BatchResults))
)]
async fn batch_ideas(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    Keyed(Body(body), key): Keyed<Body<Batch>>,
) -> Result<Response, ApiError> {
    let (contract, now) = (&app.config.contract, app.clock.now());
    let (if_match_required, strict) = (contract.require_if_match, terms.prefer.strict);
    let asked = body.read::<Idea>(Reading { clock: &app.clock, now, if_match_required, strict })?;
    let run = Run { key, now, style: Style::ideas(contract), minimal: terms.prefer.minimal };
    run.run::<Idea>(&app, &caller, asked).await
}
