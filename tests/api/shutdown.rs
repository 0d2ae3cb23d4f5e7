//! The end of the real program: not ready any more, but still answering, until its delay is over.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Engine, Program, Request};

async fn not_ready_but_answering(engine: Engine) {
    let mut program = Program::start(engine, &[("SHUTDOWN_DELAY", "3s")]).await;
    let ann = program.user("ann");
    let task = ann.tasks().create(json!({"title": "Before"})).await.is(201);
    let ask = async |path: &str| Request::new("GET", path).send(program.address).await;
    assert_eq!(ask("/health/ready").await.is(200)["ready"], true);

    program.ask_to_end();
    let asked = Instant::now();
    while ask("/health/ready").await.status == 200 {
        assert!(asked.elapsed() < Duration::from_secs(2), "still ready after the signal");
    }
    let mut rounds = 0;
    while asked.elapsed() < Duration::from_millis(2_000) {
        let ready = ask("/health/ready").await;
        assert_eq!(ready.status, 503);
        let ready = ready.value();
        assert_eq!((&ready["ready"], &ready["checks"]["shutdown"]), (&json!(false), &json!("failed")));
        assert_eq!(ready["checks"]["database"], "ok");
        ask("/health").await.is(200);
        let read = ann.tasks().read(&task["id"]).await;
        assert_eq!(read.header("connection"), Some("close"));
        assert_eq!(read.is(200)["title"], "Before");
        ann.tasks().create(json!({"title": "During"})).await.is(201);
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(rounds >= 3, "only {rounds} rounds");
    assert_eq!(program.ended().await.code(), Some(0));
    let took = asked.elapsed();
    assert!(took > Duration::from_millis(2_800) && took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    not_ready_but_answering(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    not_ready_but_answering(Engine::Postgres).await;
}

/// Connections that go on coming do not keep the server from ending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_under_load() {
    for _ in 0..3 {
        let mut program = Program::start(Engine::Sqlite, &[]).await;
        let address = program.address;
        let over = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let over = over.clone();
                std::thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let Ok(mut stream) = std::net::TcpStream::connect(address) else { continue };
                        let request = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
                        stream.write_all(request).and_then(|()| stream.read_to_end(&mut Vec::new())).ok();
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        program.ask_to_end();
        let asked = Instant::now();
        assert_eq!(program.ended().await.code(), Some(0));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().expect("a client"));
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    }
}
