//! The signed-in user.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::caller::Caller;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;

/// The routes of the user.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_me, erase_me)).routes(routes!(verify_token))
}

/// The signed-in user.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The token's user id.
    pub id: String,
    /// The same id again, for front-ends that look here.
    pub user_id: String,
    /// The token's `email` claim, else the last one that a write carried.
    pub email: Option<String>,
    /// The token's `name` claim, else the last one that a write carried.
    pub name: Option<String>,
    /// Always true.
    pub authenticated: bool,
    /// When the token's time is over.
    #[schema(value_type = String, format = DateTime)]
    pub token_expires_at: Timestamp,
    /// The user's first write; null before it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
}

impl Me {
    /// What the token alone says.
    fn of_token(caller: Caller) -> Self {
        let Caller { user, email, name, token_expires_at, deadline: _ } = caller;
        Self {
            id: user.as_str().to_owned(),
            user_id: user.as_str().to_owned(),
            email,
            name,
            authenticated: true,
            token_expires_at,
            created_at: None,
        }
    }
}

/// Who am I
#[utoipa::path(get, path = "/api/v1/users/me", tag = "users",
    responses((status = 200, description = "The signed-in user", body = Me)))]
async fn get_me(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Me>, ApiError> {
    let row = app.users(&caller).get().await?;
    let mut me = Me::of_token(caller);
    if let Some(row) = row {
        me.email = me.email.or(row.email);
        me.name = me.name.or(row.name);
        me.created_at = Some(row.created_at);
    }
    Ok(Json(me))
}

/// Erase everything of the signed-in user
#[utoipa::path(delete, path = "/api/v1/users/me", tag = "users",
    responses((status = 204, description = "Tasks, ideas and the user's row are gone")))]
async fn erase_me(State(app): State<Arc<App>>, caller: Caller) -> Result<StatusCode, ApiError> {
    app.users(&caller).erase().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What my token says
///
/// As `GET /api/v1/users/me`, from the token alone.
#[utoipa::path(get, path = "/api/v1/auth/verify", tag = "users",
    responses((status = 200, description = "The token is good", body = Me)))]
async fn verify_token(caller: Caller) -> Json<Me> {
    Json(Me::of_token(caller))
}
