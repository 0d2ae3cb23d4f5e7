//! The v1 contract's handlers for ideas.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Page;
use crate::api::answer::{counted, created, replaced};
use crate::api::body::{IdeaPatch, IdeaWrite};
use crate::api::query::{self, IdeaListParams, ListQuery, PageParams, SharedListParams};
use crate::api::with_and_without_user;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::error::{ApiError, Missing};
use crate::http::extract::{Body, PathId, Query};
use crate::ideas::{Idea, parse_id};

/// The routes of the ideas, each with and without the user in its path.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(with_and_without_user(routes!(list_ideas, create_idea)))
        .routes(with_and_without_user(routes!(get_idea, replace_idea, change_idea, delete_idea)))
}

fn missing(id: PathId) -> ApiError {
    ApiError::NotFound(Missing::Idea(id.0))
}

/// A page of the ideas
#[utoipa::path(
    get, path = "/api/v1/{user_id}/ideas", tag = "ideas",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"), IdeaListParams, SharedListParams, PageParams),
    responses((status = 200, description = "A page", body = Page<Idea>,
        headers(("X-Total-Count" = u64, description = "The total"))))
)]
async fn list_ideas(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Response, ApiError> {
    let ListQuery { filter, order, window } = query::ideas(&params, app.clock.now())?;
    let fetched = app.ideas(&caller).page(&filter, &order, window).await?;
    Ok(counted(fetched.total, Page::new(fetched, window)))
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
    Body(body): Body<IdeaWrite>,
) -> Result<Response, ApiError> {
    let new = body.into_new()?;
    let idea = app.ideas(&caller).create(app.clock.new_id(), &new, app.clock.now()).await?;
    Ok(created("/api/v1", &caller.user, "ideas", idea.id, idea))
}

/// Read an idea
#[utoipa::path(
    get, path = "/api/v1/{user_id}/ideas/{id}", tag = "ideas",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"),
           ("id" = String, Path, description = "The idea's `id`")),
    responses((status = 200, description = "The idea", body = Idea))
)]
async fn get_idea(State(app): State<Arc<App>>, caller: Caller, id: PathId) -> Result<Json<Idea>, ApiError> {
    let idea = app.ideas(&caller).get(parse_id(&id.0)?).await?;
    idea.map(Json).ok_or_else(|| missing(id))
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
    id: PathId,
    Body(body): Body<IdeaWrite>,
) -> Result<Response, ApiError> {
    let put = body.into_new()?;
    let idea = app.ideas(&caller).replace(parse_id(&id.0)?, &put, app.clock.now()).await?;
    idea.map(replaced).ok_or_else(|| missing(id))
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
    id: PathId,
    Body(body): Body<IdeaPatch>,
) -> Result<Json<Idea>, ApiError> {
    let change = body.into_change()?;
    let idea = app.ideas(&caller).change(parse_id(&id.0)?, change, app.clock.now()).await?;
    idea.map(Json).ok_or_else(|| missing(id))
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
    id: PathId,
) -> Result<StatusCode, ApiError> {
    let removed = app.ideas(&caller).remove(parse_id(&id.0)?, app.clock.now()).await?;
    removed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| missing(id))
}
