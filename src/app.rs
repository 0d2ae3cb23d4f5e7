//! What handlers share, and the middleware in one list, outermost first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::FromRef;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;
use tower::ServiceBuilder;

use crate::api::{self, unwritten::UnwrittenErrors};
use crate::auth::dev::dev_secret;
use crate::auth::verifier::Verifier;
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::db::Db;
use crate::field::timestamp::Timestamp;
use crate::http::around::AroundLayer;
use crate::http::client::Clients;
use crate::http::correlation::Correlation;
use crate::http::cors::{self, Origins};
use crate::http::error::ApiError;
use crate::http::headers::SecurityHeaders;
use crate::http::limits::Limits;
use crate::http::load::Load;
use crate::http::log::requests::{RequestLog, TellRoute};
use crate::http::panic::CatchPanic;
use crate::http::rate_limit::RateLimits;
use crate::http::strict::StrictHandling;
use crate::http::{docs, health, metrics};
use crate::metrics::{Metrics, Requests};
use crate::users::KnownClaims;

/// What handlers share.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The verifier of tokens.
    pub verifier: Verifier,
    /// Time and chance.
    pub clock: Clock,
    /// The claims that are known to be in the database.
    pub known_claims: KnownClaims,
    /// The server is on its way out.
    pub stopping: Flag,
    /// The tables are not what this version needs: migrations wait for the database, or for somebody to run them.
    pub migrations_pending: Flag,
    /// What is counted.
    pub metrics: Metrics,
    /// When it was opened.
    pub started: Timestamp,
    /// Turns for long windows.
    pub long_windows: LongWindows,
}

/// Lets few long windows of a list be made at a time: with the longest texts one takes tens of MB, which are counted
/// ([`crate::http`]'s load) only when the answer is there.
#[derive(Debug)]
pub struct LongWindows(Semaphore);

impl LongWindows {
    /// As many as are made at a time.
    const AT_A_TIME: usize = 4;
    /// Up to so many rows a window waits for nobody.
    const SHORT: u32 = 100;

    /// A turn for a window of so many rows, held until its answer is made.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] when none came until the deadline.
    pub async fn turn(&self, rows: u32, deadline: Instant) -> Result<Option<SemaphorePermit<'_>>, ApiError> {
        if rows <= Self::SHORT {
            return Ok(None);
        }
        let turn = timeout_at(deadline.into(), self.0.acquire()).await;
        // the semaphore is never closed
        turn.ok().and_then(Result::ok).map(Some).ok_or_else(ApiError::unavailable)
    }
}

impl Default for LongWindows {
    fn default() -> Self {
        Self(Semaphore::new(Self::AT_A_TIME))
    }
}

/// A switch that several tasks see; down at first. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Flag(Arc<AtomicBool>);

impl Flag {
    /// Turns it on.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Turns it off.
    pub fn lower(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it is on.
    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl FromRef<Arc<App>> for Verifier {
    fn from_ref(app: &Arc<App>) -> Self {
        app.verifier.clone()
    }
}

impl FromRef<Arc<App>> for Clock {
    fn from_ref(app: &Arc<App>) -> Self {
        app.clock.clone()
    }
}

impl App {
    /// Opens what the settings name: the database (down is no failure: it is tried again in the background), the keys.
    ///
    /// # Errors
    /// One line that names the variable and the cure.
    pub async fn open(config: Config, clock: Clock) -> Result<Arc<Self>, String> {
        let dev_secret = match config.auth.dev_mode() {
            true => Some(dev_secret(config.data_dir())?),
            false => None,
        };
        let verifier = Verifier::new(&config.auth, dev_secret)?;
        verifier.start();
        let db = Db::open(&config.database).await?;
        let (stopping, migrations_pending) = (Flag::default(), Flag::default());
        let known_claims = KnownClaims::default();
        let metrics =
            Metrics { auth: verifier.counts().clone(), database: db.counts().clone(), ..Metrics::default() };
        let started = clock.now();
        Ok(Arc::new(Self {
            config,
            db,
            verifier,
            clock,
            known_claims,
            stopping,
            migrations_pending,
            metrics,
            started,
            long_windows: LongWindows::default(),
        }))
    }
}

/// Every route, inside every layer.
pub fn router(app: Arc<App>) -> Router {
    let front = Front::of(&app);
    let routes = Router::from(api::routes().merge(health::routes()))
        .merge(docs::routes(api::openapi))
        .merge(metrics::beside(&app.config.metrics.place))
        .with_state(app);
    front.before(routes)
}

/// What the middleware needs of the settings.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) counts: Arc<Requests>,
    pub(crate) clock: Clock,
    pub(crate) production: bool,
    /// Whether a body may say why a token was refused.
    pub(crate) open_refusals: bool,
    /// Whether the todo contract's errors have v1's form.
    pub(crate) nested_errors: bool,
    pub(crate) origins: Origins,
    pub(crate) limits: Limits,
    pub(crate) load: Load,
    pub(crate) rates: RateLimits,
}

impl Front {
    fn of(app: &App) -> Self {
        let config = &app.config;
        let production = config.environment == Environment::Production;
        let better_auth = config.auth.better_auth_origin();
        Self {
            counts: app.metrics.requests.clone(),
            clock: app.clock.clone(),
            production,
            open_refusals: config.auth.dev_mode() || config.log.debug,
            nested_errors: config.contract.todo.nested_errors,
            origins: Origins::new(&config.http.allowed_origins, better_auth, production),
            limits: Limits {
                request_timeout: config.limits.request_timeout,
                body: config.limits.body,
                only_local_names: config.auth.dev_mode(),
            },
            load: Load::new(config.limits.body, Arc::clone(&app.metrics.requests)),
            rates: RateLimits::new(&config.limits, Clients::new(config.http.trusted_proxies.clone())),
        }
    }

    /// The middleware, outermost first, before `routes`. It stands before the router, not in it, because it decides
    /// what is routed.
    pub(crate) fn before(self, routes: Router) -> Router {
        let layers = ServiceBuilder::new()
            .layer(AroundLayer(Correlation::new(self.clock)))
            .layer(RequestLog(self.counts))
            .layer(AroundLayer(SecurityHeaders { production: self.production }))
            .layer(cors::layer(self.origins))
            .layer(AroundLayer(StrictHandling))
            .layer(AroundLayer(UnwrittenErrors { open: self.open_refusals, nested: self.nested_errors }))
            .layer(CatchPanic)
            .layer(self.load)
            .layer(AroundLayer(self.rates))
            .layer(self.limits);
        Router::new().fallback_service(layers.service(routes.layer(AroundLayer(TellRoute))))
    }
}

#[cfg(test)]
mod tests;
