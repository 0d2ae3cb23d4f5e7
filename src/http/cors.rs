//! Cross-origin calls (Fetch standard, CORS protocol): with credentials, from named origins only.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{ALLOW, ETAG, HeaderName, HeaderValue, LINK, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::correlation::CORRELATION_HEADER;
use crate::config::http::OriginRule;

/// What a script of another origin may read.
const EXPOSED: [HeaderName; 13] = [
    ETAG,
    LINK,
    LOCATION,
    RETRY_AFTER,
    CORRELATION_HEADER,
    HeaderName::from_static("x-total-count"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("cleared-fields"),
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("preference-applied"),
    WWW_AUTHENTICATE,
    ALLOW,
];

/// Ports on which front-ends run on a developer's machine.
const LOCAL_PORTS: [u16; 5] = [3000, 3001, 3002, 3003, 8000];

/// Which origins may call.
#[derive(Debug, Clone)]
pub(crate) struct Origins(Arc<[OriginRule]>);

impl Origins {
    /// The configured origins, Better Auth's own, and unless in production the usual ones of a developer's machine.
    pub(crate) fn new(configured: &[OriginRule], better_auth: Option<&str>, production: bool) -> Self {
        let local = LOCAL_PORTS.iter().flat_map(|port| ["localhost", "127.0.0.1"].map(|host| (host, port)));
        let local = local
            .filter(|_| !production)
            .map(|(host, port)| OriginRule::exact(&format!("http://{host}:{port}")));
        Self(configured.iter().cloned().chain(better_auth.map(OriginRule::exact)).chain(local).collect())
    }

    /// The rules, in the order in which they are tried.
    pub(crate) fn rules(&self) -> &[OriginRule] {
        &self.0
    }

    fn allow(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.0.iter().any(|rule| rule.allows(origin)))
    }
}

/// The layer; `Vary` is put on with the security headers, since it also speaks of the user.
pub(crate) fn layer(origins: Origins) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.allow(origin)))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .max_age(Duration::from_secs(600))
        .expose_headers(EXPOSED)
        .vary([])
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::response::Response;
    use axum::routing::get;
    use http::StatusCode;
    use http::header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    };
    use tower::{Layer, ServiceExt};

    use super::*;

    fn origins(production: bool) -> Origins {
        let configured =
            ["https://app-*.vercel.app", "https://my.example/"].map(|text| OriginRule::parse(text).unwrap());
        Origins::new(&configured, Some("https://auth.example"), production)
    }

    async fn ask(method: Method, path: &str, origin: &str, production: bool) -> Response {
        let router = Router::new().route("/api/tasks", get(async || StatusCode::UNAUTHORIZED));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(ORIGIN, origin)
            .header(ACCESS_CONTROL_REQUEST_METHOD, "PATCH")
            .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization, x-anything")
            .body(Body::empty())
            .unwrap();
        layer(origins(production)).layer(router).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn only_named_origins_are_allowed() {
        let corpus = [
            ("https://my.example", true),
            ("https://auth.example", true),
            ("https://app-1.vercel.app", true),
            ("https://my.example.evil.test", false),
            ("https://my.example:8443", false),
            ("https://evil.test/https://my.example", false),
            ("http://my.example", false),
            ("https://MY.example", false),
            ("https://app-1.evil.vercel.app", false),
            ("null", false),
            ("*", false),
        ];
        for (origin, allowed) in corpus {
            let response = ask(Method::GET, "/api/tasks", origin, true).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "error answers too");
            let echoed = response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(echoed.map(HeaderValue::as_bytes), allowed.then_some(origin.as_bytes()), "{origin}");
        }
    }

    #[tokio::test]
    async fn a_developers_machine_is_allowed_unless_in_production() {
        for (origin, local) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1:3003", true),
            ("http://localhost:8000", true),
            ("http://localhost:3004", false),
            ("https://localhost:3000", false),
        ] {
            let development = ask(Method::GET, "/api/tasks", origin, false).await;
            assert_eq!(development.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), local, "{origin}");
            let production = ask(Method::GET, "/api/tasks", origin, true).await;
            assert!(!production.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{origin}");
        }
    }

    #[tokio::test]
    async fn a_preflight_needs_no_token_and_no_known_path() {
        for path in ["/api/tasks", "/api/nowhere"] {
            let response = ask(Method::OPTIONS, path, "https://my.example", true).await;
            assert_eq!(response.status(), StatusCode::OK);
            let headers = response.headers();
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://my.example");
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "authorization, x-anything");
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET,POST,PUT,PATCH,DELETE,OPTIONS");
            assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "600");
        }
    }

    #[tokio::test]
    async fn scripts_may_read_the_documented_headers() {
        let response = ask(Method::GET, "/api/tasks", "https://my.example", true).await;
        let exposed = response.headers()[ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert_eq!(
            exposed,
            "etag,link,location,retry-after,x-correlation-id,x-total-count,ratelimit,ratelimit-policy,\
             cleared-fields,idempotency-replayed,preference-applied,www-authenticate,allow"
        );
    }
}
