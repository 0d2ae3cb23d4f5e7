use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt;

use super::*;
use crate::config::http::Networks;
use crate::http::around::AroundLayer;
use crate::http::client::Peer;

fn limits(rate: &str) -> RateLimits {
    let vars = [("RATE_LIMIT".to_owned(), rate.to_owned())];
    let config = crate::config::Config::from_vars(vars).unwrap().0;
    RateLimits::new(&config.limits, Clients::new(Networks::default()))
}

/// A request without a valid token, from this address.
async fn stranger(limits: &RateLimits, from: &str) -> Response {
    let asks = async |Extension(AtGate(gate)): Extension<AtGate>| match gate.stranger() {
        Asked::Now(Ok(())) => StatusCode::UNAUTHORIZED,
        Asked::Now(Err(TooMany(_))) => StatusCode::TOO_MANY_REQUESTS,
        Asked::Later(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let router = Router::new().route("/api/tasks", get(asks)).route("/health", get(async || "ok"));
    let mut request = Request::builder().uri("/api/tasks").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Peer(from.parse().unwrap()));
    router.layer(AroundLayer(limits.clone())).oneshot(request).await.unwrap()
}

#[tokio::test]
async fn an_address_is_one_of_ipv4_or_a_64_of_ipv6() {
    let limits = limits("2/day");
    for (from, status) in [
        ("192.0.2.1", 401),
        ("::ffff:192.0.2.1", 401),
        ("192.0.2.1", 429),
        ("192.0.2.2", 401),
        ("2001:db8::1", 401),
        ("2001:db8::ffff:1:2:3", 401),
        ("2001:db8::2", 429),
        ("2001:db8:0:1::2", 401),
    ] {
        assert_eq!(stranger(&limits, from).await.status(), status, "{from}");
    }
}

#[tokio::test]
async fn the_headers_are_structured_fields() {
    let limits = limits("2/hour");
    for (left, until_full) in [(1, 1_800), (0, 3_600), (0, 3_600)] {
        let answer = stranger(&limits, "192.0.2.1").await;
        assert_eq!(answer.headers()["ratelimit-policy"], "\"address\";q=2;w=3600");
        assert_eq!(answer.headers()["ratelimit"], format!("\"address\";r={left};t={until_full}").as_str());
    }
}

#[tokio::test]
async fn off_is_no_limit_and_no_header() {
    let limits = limits("off");
    for _ in 0..5 {
        let answer = stranger(&limits, "192.0.2.1").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(
            !answer.headers().contains_key("ratelimit") && !answer.headers().contains_key("ratelimit-policy")
        );
    }
}
