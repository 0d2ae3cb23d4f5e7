//! The v1 contract's handlers for numbers about all of a user's rows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::query::names;
use crate::api::with_and_without_user;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::field::Invalid;
use crate::field::params::Params;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::ideas::store::facts::IdeaStats;
use crate::list::facts::{Now, TagCount};
use crate::tasks::store::facts::TaskStats;

/// The routes of the facts, each with and without the user in its path.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(with_and_without_user(routes!(task_stats)))
        .routes(with_and_without_user(routes!(task_tags)))
        .routes(with_and_without_user(routes!(idea_stats)))
        .routes(with_and_without_user(routes!(idea_tags)))
}

/// Where it is today.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its documentation is used")]
pub struct StatsParams {
    /// The IANA time zone that says when today begins and ends; UTC when left out.
    #[param(example = "Asia/Karachi")]
    tz: Option<String>,
}

/// Reads the query of the numbers.
fn now(params: &Params, time: Timestamp) -> Result<Now, ApiError> {
    let mut invalid = Invalid::default();
    params.check_nul(&mut invalid);
    params.check_known(&[names::STATS], &mut invalid);
    let zone = params.zone(&["tz"], &mut invalid);
    invalid.into_result()?;
    Ok(Now { time, today: zone.day(time) })
}

/// Reads the query of the tags, which has nothing to say.
fn nothing(params: &Params) -> Result<(), ApiError> {
    let mut invalid = Invalid::default();
    params.check_nul(&mut invalid);
    params.check_known(&[], &mut invalid);
    Ok(invalid.into_result()?)
}

/// How many tasks there are
///
/// `overdue` and `due_today` count only what is not completed.
#[utoipa::path(
    get, path = "/api/v1/{user_id}/tasks/stats", tag = "tasks",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"), StatsParams),
    responses((status = 200, description = "The numbers", body = TaskStats))
)]
async fn task_stats(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Json<TaskStats>, ApiError> {
    let now = now(&params, app.clock.now())?;
    Ok(Json(app.tasks(&caller).stats(now).await?))
}

/// The tags of the tasks, the most frequent first
#[utoipa::path(
    get, path = "/api/v1/{user_id}/tasks/tags", tag = "tasks",
    params(("user_id" = String, Path, description = "The token's user id, or `me`")),
    responses((status = 200, description = "Every tag, and how many tasks have it; at most the 10,000 most frequent ones", body = Vec<TagCount>))
)]
async fn task_tags(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Json<Vec<TagCount>>, ApiError> {
    nothing(&params)?;
    Ok(Json(app.tasks(&caller).tags().await?))
}

/// How many ideas there are
///
/// `overdue` and `due_today` count only what is not published.
#[utoipa::path(
    get, path = "/api/v1/{user_id}/ideas/stats", tag = "ideas",
    params(("user_id" = String, Path, description = "The token's user id, or `me`"), StatsParams),
    responses((status = 200, description = "The numbers", body = IdeaStats))
)]
async fn idea_stats(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Json<IdeaStats>, ApiError> {
    let now = now(&params, app.clock.now())?;
    Ok(Json(app.ideas(&caller).stats(now).await?))
}

/// The tags of the ideas, the most frequent first
#[utoipa::path(
    get, path = "/api/v1/{user_id}/ideas/tags", tag = "ideas",
    params(("user_id" = String, Path, description = "The token's user id, or `me`")),
    responses((status = 200, description = "Every tag, and how many ideas have it; at most the 10,000 most frequent ones", body = Vec<TagCount>))
)]
async fn idea_tags(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(params): Query,
) -> Result<Json<Vec<TagCount>>, ApiError> {
    nothing(&params)?;
    Ok(Json(app.ideas(&caller).tags().await?))
}
