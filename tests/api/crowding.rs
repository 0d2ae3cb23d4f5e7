//! One user who takes all the room that a user gets, and the others, who have the rest.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Scrape, User, World, on_both};

on_both!(one_users_uploads_leave_room_for_the_others, one_users_unread_answers_are_counted);

/// A body that is nearly there, as long as the stream lives.
async fn upload(user: &User) -> TcpStream {
    let mut stream = TcpStream::connect(user.address).await.expect("the server listens");
    let head = format!(
        "POST /api/tasks HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: 1048576\r\n\r\n",
        user.address, user.token
    );
    // a server that has no room stops reading
    stream.write_all(head.as_bytes()).await.ok();
    stream.write_all(&vec![b' '; 1_048_000]).await.ok();
    stream
}

async fn one_users_uploads_leave_room_for_the_others(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let mut uploads = futures_util::future::join_all((0..24).map(|_| upload(&ann))).await;
    let large =
        json!({"title": "T", "description": "x".repeat(4_000), "tags": [], "unknown": "x".repeat(900_000)});
    let refused = async {
        loop {
            let answer = ann.tasks().create(large.clone()).await;
            if answer.status == 429 {
                break answer;
            }
            answer.is(201);
            // when all came at once, more than necessary may have been refused
            uploads.push(upload(&ann).await);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let refused = tokio::time::timeout(std::time::Duration::from_secs(20), refused).await;
    let refused = refused.expect("her room ends");
    refused.refuses(429, "Too many requests: wait as long as Retry-After says");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let scrape = Scrape::of(world.address).await;
    assert!(scrape.sum("http_requests_shed_total", &[("reason", "share")]) >= 1);
    assert_eq!(scrape.sum("http_requests_rate_limited_total", &[]), 0, "she was not too fast");
    bob.tasks().create(large.clone()).await.is(201);
    // What is small is written even then.
    ann.tasks().create(json!({"title": "Small"})).await.is(201);
    ann.get("/api/tasks?limit=1").await.is(200);
    drop(uploads);
    let again = async {
        while ann.tasks().create(large.clone()).await.status != 201 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), again).await.expect("her room comes back");
}

async fn one_users_unread_answers_are_counted(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let task = json!({"title": "T", "description": "\u{1f34b}".repeat(5_000)});
    let tasks = ann.tasks();
    for _ in 0..25 {
        let ten = futures_util::future::join_all((0..10).map(|_| tasks.create(task.clone()))).await;
        assert!(ten.iter().all(|answer| answer.status == 201));
    }
    let mut unread = Vec::new();
    for _ in 0..3 {
        unread.push(ask_and_wait(&ann, "/api/tasks?limit=1000").await);
    }
    ann.get("/api/tasks?limit=1000")
        .await
        .refuses(429, "Too many requests: wait as long as Retry-After says");
    ann.get("/api/tasks?limit=1").await.is(200);
    bob.get("/api/tasks?limit=1000").await.is(200);
    drop(unread);
    let again = async {
        while ann.get("/api/tasks?limit=1000").await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), again).await.expect("her room comes back");
}

/// Asks, and reads no more than the first byte of the answer.
async fn ask_and_wait(user: &User, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(user.address).await.expect("the server listens");
    let (address, token) = (user.address, &user.token);
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    assert_eq!(stream.read_u8().await.expect("it is answered"), b'H');
    stream
}
