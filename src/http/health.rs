//! Is the server alive, does it reach its database, may it get traffic: public, without a token, and never with the
//! text of an internal error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::clock::Clock;

/// How long the database may take for a sign of life.
const PATIENCE: Duration = Duration::from_secs(2);

/// The health endpoints with their documentation.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(health_db)).routes(routes!(health_ready))
}

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// Now, RFC 3339 in UTC.
    #[schema(example = "2026-11-20T12:00:00.000000Z")]
    timestamp: String,
    /// The service's name.
    #[schema(example = "creatorvault")]
    service: &'static str,
    /// The service's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// Whether the database answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseHealth {
    /// `healthy` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// `connected` or `unavailable`.
    #[schema(example = "connected")]
    database: &'static str,
}

/// Whether the server may get traffic.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// The same as a boolean.
    ready: bool,
    /// Each check with its outcome.
    checks: Checks,
}

/// The checks of readiness.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Checks {
    /// `ok`, or `failed` when the database does not answer or has no room to write.
    #[schema(example = "ok")]
    database: &'static str,
    /// `ok`, or `failed` when the tables are not what this version needs.
    #[schema(example = "ok")]
    migrations: &'static str,
    /// `ok`, or `failed` when tokens can be checked by the auth server's key set alone and it was never loaded.
    #[schema(example = "ok")]
    keys: &'static str,
    /// `ok`, or `failed` when the server is shutting down.
    #[schema(example = "ok")]
    shutdown: &'static str,
}

impl Readiness {
    fn of(database: bool, migrations: bool, keys: bool, stays: bool) -> Self {
        let ready = database && migrations && keys && stays;
        let [database, migrations, keys, shutdown] =
            [database, migrations, keys, stays].map(|good| if good { "ok" } else { "failed" });
        let status = if ready { "ready" } else { "not_ready" };
        Self { status, ready, checks: Checks { database, migrations, keys, shutdown } }
    }
}

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        answer(self.ready, self)
    }
}

/// 200 or 503; never from a cache.
fn answer(good: bool, body: impl Serialize) -> Response {
    let mut response = ([(CACHE_CONTROL, "no-store")], Json(body)).into_response();
    if !good {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}

/// The process is alive
///
/// Asks nothing of the database.
#[utoipa::path(
    get, path = "/health", tag = "health", operation_id = "health", security(),
    responses((status = 200, description = "The process is alive", body = Health))
)]
async fn health(State(clock): State<Clock>) -> Response {
    let now = jiff::Timestamp::from_microsecond(clock.now().micros()).unwrap_or_default();
    let health = Health {
        status: "healthy",
        timestamp: format!("{now:.6}"),
        service: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
    answer(true, health)
}

/// The database answers
#[utoipa::path(
    get, path = "/health/db", tag = "health", operation_id = "health_db", security(),
    responses(
        (status = 200, description = "The database answers", body = DatabaseHealth),
        (status = 503, description = "The database does not answer", body = DatabaseHealth),
    )
)]
async fn health_db(State(app): State<Arc<App>>) -> Response {
    let good = database_answers(&app).await;
    let (status, database) = if good { ("healthy", "connected") } else { ("unhealthy", "unavailable") };
    answer(good, DatabaseHealth { status, database })
}

/// The server may get traffic
///
/// 503 while the database does not answer, its migrations are not applied, no key can check a token, or the server is
/// shutting down.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", operation_id = "health_ready", security(),
    responses(
        (status = 200, description = "The server may get traffic", body = Readiness),
        (status = 503, description = "It may not; the failing check says why", body = Readiness),
    )
)]
async fn health_ready(State(app): State<Arc<App>>) -> Readiness {
    let keys = app.verifier.key_set_state().is_none_or(|set| set.loaded || !set.sole_source);
    Readiness::of(database_answers(&app).await, !app.migrations_pending.is_up(), keys, !app.stopping.is_up())
}

async fn database_answers(app: &App) -> bool {
    let deadline = Instant::now() + PATIENCE;
    match tokio::time::timeout(PATIENCE, app.db.ping(deadline)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(target: "creatorvault::health", %error, "Database check failed");
            false
        }
        Err(_) => {
            tracing::warn!(target: "creatorvault::health", "Database check timed out");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    async fn taken_apart(response: Response) -> (StatusCode, Value) {
        let status = response.status();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn health_says_who_and_when() {
        let clock = Clock::held(crate::field::timestamp::Timestamp::from_micros(1_700_000_000_000_001));
        let (status, body) = taken_apart(health(State(clock)).await).await;
        assert_eq!(status, StatusCode::OK);
        let version = env!("CARGO_PKG_VERSION");
        let timestamp = "2023-11-14T22:13:20.000001Z";
        let expected = json!({"status": "healthy", "timestamp": timestamp, "service": "creatorvault", "version": version});
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn readiness_names_the_failing_check() {
        let (status, body) = taken_apart(Readiness::of(true, true, true, true).into_response()).await;
        assert_eq!(status, StatusCode::OK);
        let checks = json!({"database": "ok", "migrations": "ok", "keys": "ok", "shutdown": "ok"});
        assert_eq!(body, json!({"status": "ready", "ready": true, "checks": checks}));
        let failing = [
            (Readiness::of(false, true, true, true), "database"),
            (Readiness::of(true, false, true, true), "migrations"),
            (Readiness::of(true, true, false, true), "keys"),
            (Readiness::of(true, true, true, false), "shutdown"),
        ];
        for (readiness, failing) in failing {
            let response = readiness.into_response();
            assert!(response.headers().contains_key(RETRY_AFTER));
            let (status, body) = taken_apart(response).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!((&body["ready"], &body["checks"][failing]), (&json!(false), &json!("failed")));
            assert_eq!(
                body["checks"].as_object().unwrap().values().filter(|check| **check == "ok").count(),
                3
            );
        }
    }
}
