//! The extractors as a router calls them.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body as HttpBody;
use axum::routing::{any, get};
use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::auth::caller::Deadline;
use crate::field::patch::Sent;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Task {
    title: Sent,
}

impl FromBody for Task {
    fn complaints(self) -> Invalid {
        Invalid::default()
    }
}

fn router() -> Router {
    Router::new()
        .route("/body", any(|Body(task): Body<Task>| async move { format!("{:?}", task.title) }))
        .route(
            "/optional",
            any(|OptionalBody(task): OptionalBody<Task>| async move { format!("{}", task.is_some()) }),
        )
        .route(
            "/query",
            get(|Query(params): Query| async move { params.names().collect::<Vec<_>>().join("|") }),
        )
        .route("/{user_id}/tasks/{id}", get(|PathId(id): PathId| async move { id }))
        .route("/tasks/{id}", get(|PathId(id): PathId| async move { id }))
        .route("/none", get(|PathId(id): PathId| async move { id }))
}

fn post(path: &str, body: impl Into<HttpBody>) -> Request {
    Request::post(path).body(body.into()).unwrap()
}

async fn answer(request: Request) -> Response<HttpBody> {
    router().oneshot(request).await.unwrap()
}

async fn status(request: Request) -> u16 {
    answer(request).await.status().as_u16()
}

async fn text(request: Request) -> String {
    let response = answer(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// A body in pieces, without a length.
fn chunked(chunks: impl IntoIterator<Item = &'static str, IntoIter: Send + 'static>) -> HttpBody {
    HttpBody::from_stream(stream::iter(
        chunks.into_iter().map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk))),
    ))
}

#[tokio::test]
async fn a_body_is_read_whole_or_in_pieces() {
    let expected = format!("{:?}", Sent::from(serde_json::json!("abc")));
    assert_eq!(text(post("/body", r#"{"title": "abc"}"#)).await, expected);
    assert_eq!(text(post("/body", chunked([r#"{"tit"#, "", r#"le": "ab"#, r#"c"}"#]))).await, expected);
    assert_eq!(status(post("/body", "[]")).await, 422);
    assert_eq!(status(post("/body", "{")).await, 400);
}

#[tokio::test]
async fn an_empty_body_is_a_missing_value() {
    for body in [HttpBody::empty(), chunked([]), chunked([""])] {
        let response = answer(post("/body", body)).await;
        let error = response.extensions().get::<ApiError>().unwrap().clone();
        let ApiError::Validation(invalid) = error else { panic!("{error:?}") };
        assert_eq!(invalid, Invalid::one("body", "Request body is required"));
    }
    for body in [HttpBody::empty(), chunked([])] {
        assert_eq!(text(post("/optional", body)).await, "false");
    }
    assert_eq!(text(post("/optional", "{}")).await, "true");
    assert_eq!(status(post("/optional", "null")).await, 422);
    assert_eq!(status(post("/optional", " ")).await, 400);
}

#[tokio::test]
async fn the_type_counts_beside_a_body() {
    let typed = |path: &str, kind: &str, body: &'static str| {
        Request::patch(path).header(CONTENT_TYPE, kind).body(HttpBody::from(body)).unwrap()
    };
    for (path, kind, body, expected) in [
        ("/body", "application/json", "{}", 200),
        ("/body", "application/merge-patch+json", "{}", 200),
        ("/body", "text/plain", "{}", 415),
        ("/body", "application/json; charset=utf-16", "{}", 415),
        ("/optional", "text/plain", "{}", 415),
        ("/optional", "text/plain", "", 200),
        ("/optional", "application/x-www-form-urlencoded", "", 200),
    ] {
        assert_eq!(status(typed(path, kind, body)).await, expected, "{path} {kind}");
    }
}

#[tokio::test]
async fn over_the_limit_is_refused_announced_or_not() {
    let limited = |body: HttpBody| {
        let mut request = post("/body", body);
        request.extensions_mut().insert(BodyLimit(16));
        request
    };
    assert_eq!(status(limited(format!("{:16}", "{}").into())).await, 200);
    assert_eq!(status(limited(format!("{:17}", "{}").into())).await, 413);
    assert_eq!(status(limited(chunked(["{}      ", "        "]))).await, 200);
    assert_eq!(status(limited(chunked(["{}      ", "        ", " "]))).await, 413);
    // Endless, so it must be left before its end.
    assert_eq!(status(limited(chunked(std::iter::repeat(" ")))).await, 413);
    assert_eq!(status(post("/body", format!("{{}}{}", " ".repeat((1 << 20) - 2)))).await, 200);
    let response = answer(post("/body", format!("{{}}{}", " ".repeat((1 << 20) - 1)))).await;
    assert!(matches!(response.extensions().get(), Some(ApiError::PayloadTooLarge(1_048_576))));
}

#[tokio::test]
async fn a_body_that_never_ends_meets_the_deadline() {
    for path in ["/body", "/optional"] {
        let mut request = post(path, HttpBody::from_stream(stream::pending::<Result<Bytes, Infallible>>()));
        request.extensions_mut().insert(Deadline(Instant::now() + Duration::from_millis(20)));
        let answer = tokio::time::timeout(Duration::from_secs(5), status(request));
        assert_eq!(answer.await.unwrap(), 408);
    }
}

#[tokio::test]
async fn a_broken_body_is_a_400() {
    let pieces = [Ok(Bytes::from("{")), Err(std::io::Error::other("reset"))];
    assert_eq!(status(post("/body", HttpBody::from_stream(stream::iter(pieces)))).await, 400);
}

#[tokio::test]
async fn the_query_is_decoded_strictly() {
    let get = |path: &str| Request::get(path).body(HttpBody::empty()).unwrap();
    assert_eq!(text(get("/query")).await, "");
    assert_eq!(text(get("/query?a%20b=1&c")).await, "a b|c");
    assert_eq!(status(get("/query?a=%zz")).await, 400);
    assert_eq!(status(get("/query?a=%ff")).await, 400);
}

#[tokio::test]
async fn the_id_is_decoded_once_and_not_judged() {
    let get = |path: &str| Request::get(path).body(HttpBody::empty()).unwrap();
    assert_eq!(text(get("/ann/tasks/12")).await, "12");
    assert_eq!(text(get("/tasks/a%2Fb%252F+c")).await, "a/b%2F+c");
    assert_eq!(status(get("/tasks/%ff")).await, 400);
    assert_eq!(status(get("/none")).await, 500);
}
