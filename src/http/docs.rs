//! The pages for people: `/`, `/docs` (Swagger UI), `/redoc` (ReDoc) and the document that both show. Every file
//! comes from this server, no script stands inside a page, and no page names another origin.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use utoipa::openapi::OpenApi;

use crate::app::App;
use crate::config::contract::ContractConfig;

mod asset;
mod demo;
mod welcome;

pub use demo::{Demo, connect, curl};

use asset::Asset;

/// Swagger UI shows pictures that its style sheet carries in itself.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static("default-src 'self'; img-src 'self' data:");

/// ReDoc makes its style sheets as it goes, shows such pictures too, and searches in a worker made from its own text.
const REDOC_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:",
);

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

static WELCOME_JS: Asset = Asset::plain(include_bytes!("../../assets/welcome/welcome.js"), JAVASCRIPT);
static FAVICON: Asset = Asset::plain(include_bytes!("../../assets/favicon.svg"), "image/svg+xml");
static WELCOME_CSS: Asset = Asset::plain(include_bytes!("../../assets/welcome/welcome.css"), CSS);
static DOCS: Asset = Asset::plain(include_bytes!("../../assets/docs/index.html"), HTML);
static REDOC: Asset = Asset::plain(include_bytes!("../../assets/redoc/index.html"), HTML);
static REDOC_CSS: Asset = Asset::plain(include_bytes!("../../assets/redoc/redoc.css"), CSS);
static REDOC_START: Asset = Asset::plain(include_bytes!("../../assets/redoc/start.js"), JAVASCRIPT);
static REDOC_BUNDLE: Asset =
    Asset::gzipped(include_bytes!("../../assets/redoc/redoc.standalone.js.gz"), JAVASCRIPT);
static REDOC_LICENCES: Asset = Asset::plain(
    include_bytes!("../../assets/redoc/redoc.standalone.js.LICENSE.txt"),
    "text/plain; charset=utf-8",
);

/// What starts Swagger UI on the document.
const DOCS_START: &str = include_str!("../../assets/docs/start.js");

/// Makes the document that the pages show.
pub type Make = fn(&ContractConfig) -> OpenApi;

/// The public pages and their files; none asks for a token. A path's trailing slash is the caller's business.
pub fn routes(make: Make) -> Router<Arc<App>> {
    let document = Arc::new(OnceLock::new());
    Router::new()
        .route("/", get(welcome::page))
        .route("/welcome.css", file(&WELCOME_CSS))
        .route("/welcome.js", file(&WELCOME_JS))
        .route("/favicon.svg", file(&FAVICON))
        .route(
            "/openapi.json",
            get(move |State(app): State<Arc<App>>, headers: HeaderMap| async move {
                openapi(|| make(&app.config.contract), &document, &headers)
            }),
        )
        .route("/docs", get(|headers: HeaderMap| async move { under(&DOCS_POLICY, DOCS.answer(&headers)) }))
        .route("/docs/start.js", get(docs_start))
        .route(
            "/docs/swagger-ui.css",
            get(|headers: HeaderMap| async move { asset::swagger("swagger-ui.css", &headers) }),
        )
        .route(
            "/docs/swagger-ui-bundle.js",
            get(|headers: HeaderMap| async move { asset::swagger("swagger-ui-bundle.js", &headers) }),
        )
        .route(
            "/redoc",
            get(|headers: HeaderMap| async move { under(&REDOC_POLICY, REDOC.answer(&headers)) }),
        )
        .route("/redoc/redoc.css", file(&REDOC_CSS))
        .route("/redoc/start.js", file(&REDOC_START))
        .route("/redoc/redoc.standalone.js", file(&REDOC_BUNDLE))
        .route("/redoc/redoc.standalone.js.LICENSE.txt", file(&REDOC_LICENCES))
}

/// A route that answers with one file.
fn file(asset: &'static Asset) -> axum::routing::MethodRouter<Arc<App>> {
    get(move |headers: HeaderMap| async move { asset.answer(&headers) })
}

/// The answer under a policy of its own instead of the general one.
fn under(policy: &HeaderValue, mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy.clone());
    response
}

/// `/openapi.json`: made when it is first asked for, since most servers never are.
fn openapi(make: impl Fn() -> OpenApi, document: &OnceLock<Bytes>, headers: &HeaderMap) -> Response {
    let made = || make().to_json().map(Bytes::from);
    let bytes = match document.get() {
        Some(bytes) => bytes.clone(),
        None => match made() {
            Ok(bytes) => document.get_or_init(|| bytes).clone(),
            Err(error) => {
                tracing::error!(%error, "OpenAPI document does not serialise");
                return crate::http::error::ApiError::Internal.into_response();
            }
        },
    };
    asset::answer(bytes, "application/json", false, headers)
}

/// What starts Swagger UI; in dev mode it signs the demo user in first, so it is made anew for each request and kept
/// by nobody.
async fn docs_start(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match Demo::of(&app.config, &app.clock) {
        None => asset::answer(Bytes::from_static(DOCS_START.as_bytes()), JAVASCRIPT, false, &headers),
        Some(demo) => {
            let token = serde_json::Value::from(demo.token);
            let script = format!("window.demoToken = {token};\n{DOCS_START}");
            let kept_by_nobody = HeaderValue::from_static("no-store");
            ([(CONTENT_TYPE, HeaderValue::from_static(JAVASCRIPT)), (CACHE_CONTROL, kept_by_nobody)], script)
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests;
