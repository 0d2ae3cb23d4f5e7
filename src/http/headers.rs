//! Security headers on every answer; user data is private to its user and revalidated.

use axum::extract::Request;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
};
use http::{Method, StatusCode};

use super::around::Around;

/// Headers that every answer carries, whatever the handler said.
const ALWAYS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (X_XSS_PROTECTION, "1; mode=block"),
    (REFERRER_POLICY, "strict-origin-when-cross-origin"),
    (HeaderName::from_static("permissions-policy"), "geolocation=(), microphone=(), camera=()"),
];

/// Puts the security headers on, and what caches must know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecurityHeaders {
    /// In production browsers are told to come back by HTTPS only.
    pub(crate) production: bool,
}

/// What an answer may depend on beside its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A user's rows.
    UserData,
    /// The answer to `OPTIONS`.
    Preflight,
    /// Anything else.
    Public,
}

impl Kind {
    fn of(request: &Request) -> Self {
        let path = request.uri().path();
        if request.method() == Method::OPTIONS {
            Self::Preflight
        } else if path == "/api" || path.starts_with("/api/") {
            Self::UserData
        } else {
            Self::Public
        }
    }

    fn vary(self) -> &'static str {
        match self {
            Self::UserData => "Authorization, Origin",
            Self::Preflight => "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            Self::Public => "Origin",
        }
    }
}

impl Around for SecurityHeaders {
    type Kept = Kind;

    fn inward(&self, request: &mut Request) -> Kind {
        Kind::of(request)
    }

    fn outward(&self, kind: Kind, mut response: Response) -> Response {
        let status = response.status();
        let headers = response.headers_mut();
        headers.reserve(10);
        if status == StatusCode::NOT_MODIFIED {
            // It would be the length of what is not sent (RFC 9110, section 8.6), and that is not 0.
            headers.remove(CONTENT_LENGTH);
        }
        for (name, value) in ALWAYS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // the pages of the documentation say more exactly what they need
        let policy = || HeaderValue::from_static("default-src 'self'");
        headers.entry(CONTENT_SECURITY_POLICY).or_insert_with(policy);
        if self.production {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        if kind == Kind::UserData {
            let private = || HeaderValue::from_static("private, no-cache");
            headers.entry(CACHE_CONTROL).or_insert_with(private);
        }
        headers.append(VARY, HeaderValue::from_static(kind.vary()));
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::{HeaderMap, StatusCode};
    use tower::ServiceExt;

    use super::*;
    use crate::http::around::AroundLayer;

    async fn headers(path: &str, production: bool) -> HeaderMap {
        let own = [(CONTENT_SECURITY_POLICY, "default-src 'self'; img-src data:"), (VARY, "Accept")];
        let router = Router::new()
            .route("/docs", get(async move || own))
            .route("/api/tasks", get(async || StatusCode::IM_A_TEAPOT))
            .layer(AroundLayer(SecurityHeaders { production }));
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap().headers().clone()
    }

    #[tokio::test]
    async fn every_answer_has_them_errors_too() {
        for path in ["/api/tasks", "/docs", "/nowhere"] {
            let headers = headers(path, false).await;
            for (name, value) in ALWAYS {
                assert_eq!(headers[&name], value, "{path}");
            }
            assert!(headers.contains_key(CONTENT_SECURITY_POLICY));
            assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
        }
        assert_eq!(headers("/nowhere", true).await[STRICT_TRANSPORT_SECURITY], "max-age=31536000");
    }

    #[tokio::test]
    async fn user_data_is_private_and_varies_by_its_user() {
        let data = headers("/api/tasks", false).await;
        assert_eq!(data[CACHE_CONTROL], "private, no-cache");
        assert_eq!(data[VARY], "Authorization, Origin");
        assert_eq!(data[CONTENT_SECURITY_POLICY], "default-src 'self'");
        let other = headers("/apiary", false).await;
        assert!(!other.contains_key(CACHE_CONTROL));
        assert_eq!(other[VARY], "Origin");
    }

    #[tokio::test]
    async fn what_a_handler_said_stays() {
        let docs = headers("/docs", false).await;
        assert_eq!(docs[CONTENT_SECURITY_POLICY], "default-src 'self'; img-src data:");
        let vary: Vec<_> = docs.get_all(VARY).iter().collect();
        assert_eq!(vary, ["Accept", "Origin"]);
    }
}
