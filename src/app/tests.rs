//! The whole of the middleware before a small router.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Path, Request};
use axum::response::Response;
use axum::routing::get;
use http::header::{
    ACCEPT, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
};
use http::{Method, StatusCode, Version};
use tower::ServiceExt;

use super::*;
use crate::auth::caller::{Deadline, SeenUser};
use crate::config::http::Networks;
use crate::config::http::OriginRule;
use crate::config::limits::LimitsConfig;
use crate::http::correlation::{CORRELATION_HEADER, CorrelationId};
use crate::http::error::ApiError;
use crate::http::extract::BodyLimit;

fn front(only_local_names: bool) -> Router {
    let routes = Router::new()
        .route("/api/tasks", get(async || "rows").post(async || ApiError::Forbidden))
        .route("/api/panic", get(async || -> &'static str { panic!("canary") }))
        .route("/api/v1/panic", get(async || -> &'static str { panic!("canary") }))
        .route("/api/echo/{id}", get(async |Path(id): Path<String>| id))
        .route(
            "/api/extensions",
            get(
                async |_: Extension<CorrelationId>,
                       _: Extension<Deadline>,
                       _: Extension<BodyLimit>,
                       _: Extension<SeenUser>| (),
            ),
        );
    let origins = Origins::new(&[OriginRule::exact("https://my.example")], None, true);
    let limits = Limits { request_timeout: Duration::from_secs(30), body: 1000, only_local_names };
    Front {
        counts: Arc::default(),
        clock: Clock::system(),
        production: true,
        open_refusals: false,
        nested_errors: false,
        origins,
        limits,
        load: Load::new(1000, Arc::default()),
        rates: RateLimits::new(&LimitsConfig::default(), Clients::new(Networks::default())),
    }
    .before(routes)
}

fn request(method: Method, path: &str) -> Request {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .header(ORIGIN, "https://my.example");
    request.header(CORRELATION_HEADER, "id-1").body(Body::empty()).unwrap()
}

async fn body(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 10_000).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn every_error_has_a_body_and_all_headers() {
    let corpus = [
        (Method::GET, "/nowhere", StatusCode::NOT_FOUND),
        (Method::GET, "/api//tasks", StatusCode::NOT_FOUND),
        (Method::GET, "/api/%zz", StatusCode::BAD_REQUEST),
        (Method::PUT, "/api/tasks", StatusCode::METHOD_NOT_ALLOWED),
        (Method::from_bytes(b"BREW").unwrap(), "/api/tasks/", StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "/api/tasks", StatusCode::FORBIDDEN),
        (Method::GET, "/api/panic", StatusCode::INTERNAL_SERVER_ERROR),
    ];
    for (method, path, status) in corpus {
        let response = front(false).oneshot(request(method, path)).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let headers = response.headers().clone();
        assert_eq!(headers[CORRELATION_HEADER], "id-1", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["strict-transport-security"], "max-age=31536000", "{path}");
        assert_eq!(headers["access-control-allow-origin"], "https://my.example", "{path}");
        assert!(headers.contains_key(CONTENT_SECURITY_POLICY), "{path}");
        assert!(headers[CONTENT_TYPE].to_str().unwrap().starts_with("application/"), "{path}");
        let body = body(response).await;
        assert!(
            serde_json::from_str::<serde_json::Value>(&body).unwrap().to_string().contains("id-1"),
            "{body}"
        );
        assert!(!body.contains("canary"));
        assert_eq!(headers[CONTENT_LENGTH].to_str().unwrap(), body.len().to_string(), "{path}");
        assert_eq!(headers.contains_key(ALLOW), status == StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_for_those_who_ask() {
    let mut asked = request(Method::GET, "/api/v1/panic");
    asked.headers_mut().insert(ACCEPT, "application/problem+json".parse().unwrap());
    let response = front(false).oneshot(asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let length = response.headers()[CONTENT_LENGTH].clone();
    let body = body(response).await;
    assert_eq!(length, body.len().to_string());
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&problem["code"], &problem["correlation_id"]), (&"INTERNAL_ERROR".into(), &"id-1".into()));
    assert!(!body.contains("canary"));
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let response = front(false).oneshot(request(Method::HEAD, "/api/tasks/")).await.unwrap();
    assert_eq!((response.status(), &response.headers()[CONTENT_LENGTH]), (StatusCode::OK, &4.into()));
    assert_eq!(body(response).await, "");
    let response = front(false).oneshot(request(Method::HEAD, "/nowhere")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(body(response).await, "");
}

#[tokio::test]
async fn a_path_is_decoded_once_and_an_encoded_slash_stays_in_its_segment() {
    for (path, id) in [("/api/echo/a%2Fb", "a/b"), ("/api/echo/a%252Fb/", "a%2Fb"), ("/api/echo/a+b", "a+b")]
    {
        let response = front(false).oneshot(request(Method::GET, path)).await.unwrap();
        assert_eq!(body(response).await, id, "{path}");
    }
}

#[tokio::test]
async fn handlers_find_what_the_layers_promise() {
    let response = front(false).oneshot(request(Method::GET, "/api/extensions")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn hosts_in_doubt_are_refused() {
    let mut missing = request(Method::GET, "/api/tasks");
    missing.headers_mut().remove(HOST);
    let mut double = request(Method::GET, "/api/tasks");
    double.headers_mut().append(HOST, "localhost".parse().unwrap());
    for doubtful in [missing, double] {
        assert_eq!(doubtful.version(), Version::HTTP_11);
        let response = front(false).oneshot(doubtful).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[CONNECTION], "close");
        assert!(response.headers().contains_key(CORRELATION_HEADER));
    }
    let mut foreign = request(Method::GET, "/api/tasks");
    foreign.headers_mut().insert(HOST, "rebound.evil.test".parse().unwrap());
    let response = front(true).oneshot(foreign).await.unwrap();
    assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
    assert!(!body(response).await.contains("rows"));
    let response = front(true).oneshot(request(Method::GET, "/api/tasks")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_answer_to_options_needs_nothing() {
    let response = front(false).oneshot(request(Method::OPTIONS, "/api/nowhere")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers()["vary"],
        "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    );
    let response = front(false).oneshot(request(Method::GET, "/api/tasks")).await.unwrap();
    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["Authorization, Origin"]);
    assert_eq!(response.headers()["cache-control"], "private, no-cache");
}

#[tokio::test(start_paused = true)]
async fn few_long_windows_are_made_at_a_time() {
    let windows = LongWindows::default();
    let soon = || (tokio::time::Instant::now() + std::time::Duration::from_secs(5)).into_std();
    let mut turns = Vec::new();
    for _ in 0..LongWindows::AT_A_TIME {
        turns.push(windows.turn(1_000, soon()).await.unwrap().unwrap());
    }
    assert!(matches!(windows.turn(101, soon()).await, Err(ApiError::Unavailable { .. })));
    assert!(windows.turn(100, soon()).await.unwrap().is_none(), "a short one waits for nobody");
    turns.pop();
    assert!(windows.turn(1_000, soon()).await.unwrap().is_some());
}
