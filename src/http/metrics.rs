//! `/metrics`: what the server counts, for Prometheus. On an address of its own, or beside the API; never in the
//! document, since it is no part of either contract.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::app::App;
use crate::config::metrics::Place;
use crate::metrics::{self, Build, Keys, Readings};

/// The route beside the API's, where the settings have it there.
pub(crate) fn beside(place: &Place) -> Router<Arc<App>> {
    match place {
        Place::Beside => Router::new().route("/metrics", get(page)),
        Place::Own(_) | Place::Off => Router::new(),
    }
}

/// The route alone; whatever else is asked for is not there.
pub(crate) fn alone(app: Arc<App>) -> Router {
    Router::new().route("/metrics", get(page)).fallback(async || StatusCode::NOT_FOUND).with_state(app)
}

async fn page(State(app): State<Arc<App>>) -> Response {
    let text = app.metrics.text(readings(&app));
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE), (CACHE_CONTROL, "no-store")], text).into_response()
}

/// What can be asked.
fn readings(app: &App) -> Readings {
    Readings {
        build: Build {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("GIT_COMMIT").unwrap_or("unknown"),
            database: app.db.engine().name(),
        },
        started: app.started.micros() as f64 / 1e6,
        migrations_pending: app.migrations_pending.is_up(),
        stopping: app.stopping.is_up(),
        load: app.db.load(),
        keys: app.verifier.key_set_state().map(|set| Keys {
            age: set.age,
            keys: set.keys,
            fetches: set.fetches,
            failures: set.failures,
        }),
    }
}
