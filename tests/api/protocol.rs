//! HTTP itself, byte by byte: what a client or a proxy may get wrong, and never two answers to one request.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Engine, Request, World, on_both, raw};

on_both!(
    requests_that_are_no_http_are_400,
    bodies_with_two_lengths_are_answered_once,
    heads_have_a_limit,
    connections_are_reused,
    a_faulty_chunk_ends_the_connection,
);

/// The status of the one answer in `bytes`.
fn only_status(bytes: &str) -> u16 {
    let answers = bytes.matches("HTTP/1.1 ").count();
    assert_eq!(answers, 1, "one answer, not {answers}: {bytes}");
    bytes
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status: {bytes}"))
}

async fn requests_that_are_no_http_are_400(world: &World) {
    for request in [
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Folded: one\r\n two\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-\0: b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Nul: a\0b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Correlation-ID: a\rb\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Correlation-ID: a\nb\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Correlation-ID: a\0b\r\n\r\n",
        "GET  /health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /hea lth HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /health HTTP/3.7\r\nHost: a\r\n\r\n",
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 3\r\n\r\n{} ",
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n{}",
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\n{}",
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
        "hello\r\n\r\n",
    ] {
        // A second request behind it must never be taken for one: the connection is closed.
        let bytes = format!("{request}GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(only_status(&raw(world.address, bytes.as_bytes()).await), 400, "{request:?}");
    }
    world.is_alive().await;
}

async fn bodies_with_two_lengths_are_answered_once(world: &World) {
    let ann = world.user("ann");
    let body = r#"{"title":"Smuggled?"}"#;
    let head = format!(
        "POST /api/tasks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n",
        ann.token
    );
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for lengths in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 500\r\n",
    ] {
        let bytes = format!("{head}{lengths}\r\n{chunked}GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = raw(world.address, bytes.as_bytes()).await;
        let status = only_status(&answer);
        assert!(matches!(status, 201 | 400), "{answer}");
        let expected = usize::from(status == 201);
        assert_eq!(ann.tasks().rows("search=Smuggled").await.len(), expected);
        for row in ann.tasks().rows("").await {
            ann.tasks().delete(&row["id"]).await.is(204);
        }
    }
}

async fn heads_have_a_limit(world: &World) {
    let long = |size: usize| Request::new("GET", "/health").header("X-Long", "a".repeat(size));
    world.send(long(16 * 1024)).await.is(200);
    for bytes in [
        format!("GET /health HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "a".repeat(33 * 1024)),
        format!(
            "GET /health HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X-Many: aaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(1_200)
        ),
    ] {
        assert_eq!(only_status(&raw(world.address, bytes.as_bytes()).await), 431);
    }
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000));
    let status = only_status(&raw(world.address, target.as_bytes()).await);
    assert!(matches!(status, 414 | 431), "{status}");
    let token = Request::new("GET", "/api/tasks").bearer(&"a".repeat(17 * 1024));
    world.send(token).await.is(401);
}

async fn connections_are_reused(world: &World) {
    let pair =
        "GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = raw(world.address, pair.as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    let old = raw(world.address, b"GET /health HTTP/1.0\r\n\r\n").await;
    assert!(old.contains(" 200 "), "{old}");
}

async fn a_faulty_chunk_ends_the_connection(world: &World) {
    let ann = world.user("ann");
    for chunks in [
        "x\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}xx0\r\n\r\n",
        "fffffffffffffffff\r\n{}\r\n",
        "2;\n{}\r\n0\r\n\r\n",
    ] {
        let bytes = format!(
            "POST /api/tasks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunks}GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
            ann.token
        );
        let answer = raw(world.address, bytes.as_bytes()).await;
        assert_eq!(only_status(&answer), 400, "{chunks:?}");
    }
    assert_eq!(ann.tasks().list("").await.is(200), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_comes_is_408() {
    let world = World::open(Engine::Sqlite, &[("REQUEST_TIMEOUT", "1s")]).await;
    let ann = world.user("ann");
    for (path, form) in [("/api/tasks", "Request Timeout"), ("/api/v1/ideas", "REQUEST_TIMEOUT")] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: 100\r\n\r\n{{\"title\":",
            ann.token
        );
        let asked = Instant::now();
        let answer = raw(world.address, head.as_bytes()).await;
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert_eq!(only_status(&answer), 408);
        assert!(answer.contains(form), "{answer}");
    }
    assert_eq!(ann.tasks().list("").await.is(200), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_never_ends_is_closed() {
    let world = World::open(Engine::Sqlite, &[]).await;
    let mut socket = TcpStream::connect(world.address).await.expect("the server listens");
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\nX-Half").await.expect("it takes it");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(13), socket.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "still open after 13 s");
    world.is_alive().await;
}
