//! `kill -9` while clients write: what was acknowledged is there afterwards.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Dice, Engine, Program, Request, User};

const ROUNDS: usize = 5;

/// Creates one after the other until the server is gone; the numbers of those that it acknowledged.
async fn write_until_the_end(user: User) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    loop {
        let body = json!({"title": "Acknowledged", "tags": ["kept"]}).to_string();
        let request = format!(
            "POST /api/tasks HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            user.address,
            user.token,
            body.len()
        );
        let asked = async {
            let mut stream = TcpStream::connect(user.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let Ok(answer) = asked.await else { return acknowledged };
        let Some((head, body)) = answer.split_once("\r\n\r\n") else { return acknowledged };
        assert!(head.starts_with("HTTP/1.1 201 "), "{answer}");
        let Ok(row) = serde_json::from_str::<serde_json::Value>(body) else { return acknowledged };
        acknowledged.push(row["number"].as_u64().expect("a number"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_create_survives_sqlite() {
    let mut dice = Dice::new();
    let mut program = Program::start(Engine::Sqlite, &[]).await;
    let names = ["ann", "bob", "cleo", "dan"];
    let mut all: [Vec<u64>; 4] = Default::default();
    for round in 0..ROUNDS {
        let writers: Vec<_> =
            names.map(|name| tokio::spawn(write_until_the_end(program.user(name)))).into_iter().collect();
        tokio::time::sleep(Duration::from_millis(200 + u64::try_from(dice.below(500)).expect("few"))).await;
        program.kill();
        let mut acknowledged = 0;
        for (known, writer) in all.iter_mut().zip(writers) {
            let new = writer.await.expect("a writer");
            acknowledged += new.len();
            known.extend(new);
        }
        assert!(acknowledged > 0, "round {round}: nothing was acknowledged before the end");
        program.again().await;
        for (name, known) in names.iter().zip(&all) {
            let rows = program.user(name).tasks().rows("tags=kept").await;
            let there: Vec<_> = rows.iter().filter_map(|row| row["number"].as_u64()).collect();
            let lost: Vec<_> = known.iter().filter(|number| !there.contains(number)).collect();
            assert!(lost.is_empty(), "round {round}: {name} lost {lost:?}");
            // What was under way may be there too, but no more than one a round.
            assert!(
                there.len() <= known.len() + round + 1,
                "round {round}: {} of {}",
                there.len(),
                known.len()
            );
        }
    }
    program.kill();
    let behind = program.behind().await;
    let sound =
        behind.number("select count(*) from pragma_integrity_check where integrity_check = 'ok'").await;
    assert_eq!(sound, 1, "the file is sound");
    assert_eq!(behind.number("select count(*) from pragma_foreign_key_check").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_after_the_answer_was_lost_makes_no_second_row_sqlite() {
    a_retry_makes_no_second_row(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_after_the_answer_was_lost_makes_no_second_row_postgres() {
    a_retry_makes_no_second_row(Engine::Postgres).await;
}

/// A client that sends and never reads, and a server that is killed as soon as the row is there: committed, and nobody
/// has heard of it.
async fn a_retry_makes_no_second_row(engine: Engine) {
    let mut program = Program::start(engine, &[]).await;
    let behind = program.behind().await;
    for round in 1..=3 {
        let key = format!("round {round}");
        let body = json!({"title": key, "tags": ["once"]});
        let user = program.user("ann");
        let post = || Request::new("POST", "/api/tasks").header("Idempotency-Key", &key).json(&body);
        let unheard = tokio::spawn(post().bearer(&user.token).begin(user.address));
        let begun = Instant::now();
        while behind.number("select count(*) from @tasks").await < round {
            assert!(begun.elapsed() < Duration::from_secs(20), "round {round}: the row is not there");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        program.kill();
        drop(unheard.await);
        program.again().await;
        let ann = program.user("ann");
        for _ in 0..2 {
            let answer = ann.send(post()).await;
            let row = answer.is(201);
            assert_eq!(answer.header("idempotency-replayed"), Some("true"), "{row}");
            assert_eq!(row["number"], round, "no number was used twice or skipped");
            assert_eq!(ann.get(answer.header("location").expect("a Location")).await.is(200), row);
        }
        assert_eq!(behind.number("select count(*) from @tasks").await, round);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_known_to_every_server_on_the_database() {
    let one = Program::start(Engine::Postgres, &[]).await;
    let two = one.beside().await;
    let (ann, other) = (one.user("ann"), two.user("ann"));
    let post = |user: &User, i: usize| {
        let request = Request::new("POST", "/api/v1/ideas").header("Idempotency-Key", format!("key {i}"));
        let (request, user) = (request.json(&json!({"title": format!("Idea {i}")})), user.clone());
        async move { user.send(request).await }
    };
    let mut ids = Vec::new();
    for i in 0..10 {
        let (a, b) = tokio::join!(post(&ann, i), post(&other, i));
        let (a, b) = (a.is(201), b.is(201));
        assert_eq!(a, b, "{i}");
        ids.push(a["id"].clone());
    }
    assert_eq!(ann.ideas().rows("limit=100").await.len(), ids.len());
}
