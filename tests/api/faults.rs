//! A database that is away, cut off or stuck: 503 in good time, never a hang, never a false 404; and then it is back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Answer, Engine, Request, User, Wire, World, on_both, test_server};

on_both!(a_stuck_write_is_503_and_the_rest_goes_on, a_key_beside_a_lock_on_the_user_is_503);

/// Short times, so that a test of them is short too.
const SHORT: [(&str, &str); 3] =
    [("DATABASE_ACQUIRE_TIMEOUT", "1s"), ("DATABASE_STATEMENT_TIMEOUT", "1s"), ("REQUEST_TIMEOUT", "3s")];

/// A 503 that says when to come again, within ten seconds of the asking.
fn is_unavailable(answer: &Answer, asked: Instant) {
    answer.is(503);
    let wait = answer.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(wait.is_some_and(|seconds| seconds >= 1), "Retry-After: {wait:?}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

/// Every way to ask for a row or to write one is a 503.
async fn everything_is_unavailable(user: &User) {
    let nowhere = json!("01890000-0000-7000-8000-000000000000");
    for resource in user.resources() {
        let asked = Instant::now();
        let body = || json!({"title": "T", "completed": true});
        is_unavailable(&resource.list("").await, asked);
        let asked = Instant::now();
        is_unavailable(&resource.read(&nowhere).await, asked);
        let asked = Instant::now();
        is_unavailable(&resource.create(body()).await, asked);
        let asked = Instant::now();
        is_unavailable(&resource.put(&nowhere, body()).await, asked);
        let asked = Instant::now();
        is_unavailable(&resource.delete(&nowhere).await, asked);
    }
}

/// What needs no database works, and refusals come before it is asked.
async fn the_rest_works(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    world.is_alive().await;
    ann.get("/api/v1/auth/verify").await.is(200);
    world.get("/api/ann/tasks").await.is(401);
    bob.get("/api/ann/tasks").await.is(403);
    ann.get("/api/ann/tasks/no-id").await.is(422);
    ann.post("/api/ann/tasks", json!({})).await.is(422);
}

async fn until_ready(world: &World) {
    let began = Instant::now();
    while world.get("/health/ready").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "not ready again after 30 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_that_is_not_there() {
    // A port that was free a moment ago: nobody answers there.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = gone.local_addr().expect("it is bound").port();
    drop(gone);
    let url = format!("postgresql://nobody@127.0.0.1:{port}/nothing");
    let mut vars = vec![("DATABASE_URL", url.as_str())];
    vars.extend(SHORT);
    let world = World::open(Engine::Postgres, &vars).await;
    the_rest_works(&world).await;
    for path in ["/health/db", "/health/ready"] {
        let asked = Instant::now();
        let answer = world.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{path}: {:?}", asked.elapsed());
        assert!(
            !answer.text().contains(&port.to_string()),
            "{path} tells what only the log may: {}",
            answer.text()
        );
    }
    everything_is_unavailable(&world.user("ann")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_that_is_cut_off_and_comes_back() {
    let real: tokio_postgres::Config = test_server("TEST_POSTGRES_URL").parse().expect("a URL");
    let port = real.get_ports().first().copied().expect("a port");
    let wire = Wire::to(([127, 0, 0, 1], port).into()).await;
    let url =
        test_server("TEST_POSTGRES_URL").replace(&format!(":{port}/"), &format!(":{}/", wire.address.port()));
    let mut vars = vec![("DATABASE_URL", url.as_str())];
    vars.extend(SHORT);
    let world = World::open(Engine::Postgres, &vars).await;
    until_ready(&world).await;
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Kept"})).await.is(201);

    for _ in 0..2 {
        wire.cut();
        the_rest_works(&world).await;
        everything_is_unavailable(&ann).await;
        assert_eq!(world.get("/health/db").await.status, 503);
        assert_eq!(world.get("/health/ready").await.status, 503);
        wire.mend();
        until_ready(&world).await;
        assert_eq!(
            ann.tasks().list("").await.is(200),
            json!([task]),
            "nothing was written, nothing was lost"
        );
    }

    // A short break between two requests is nobody's business: a read is sent once more.
    wire.cut();
    wire.mend();
    assert_eq!(ann.tasks().read(&task["id"]).await.is(200), task);
}

async fn a_stuck_write_is_503_and_the_rest_goes_on(world: &World) {
    let world = world.another(&SHORT).await;
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Before"})).await.is(201);
    let hold = world.hold_tasks().await;
    let asked = Instant::now();
    let tasks = ann.tasks();
    let (create, patch, delete) = tokio::join!(
        tasks.create(json!({"title": "Stuck"})),
        tasks.patch(&task["id"], json!({"title": "Stuck"})),
        tasks.delete(&task["id"]),
    );
    for answer in [create, patch, delete] {
        is_unavailable(&answer, asked);
    }
    the_rest_works(&world).await;
    drop(hold);
    until_ready(&world).await;
    assert_eq!(ann.tasks().list("").await.is(200), json!([task]), "what was answered 503 was not done");
    tasks.patch(&task["id"], json!({"title": "After"})).await.is(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_with_more_requests_than_connections() {
    let vars = [("DATABASE_POOL_SIZE", "3"), ("DATABASE_POOL_OVERFLOW", "0"), SHORT[0], SHORT[1], SHORT[2]];
    let world = World::open(Engine::Postgres, &vars).await;
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Contested"})).await.is(201);
    let hold = world.hold_tasks().await;
    let asked = Instant::now();
    let tasks = ann.tasks();
    let all =
        futures_util::future::join_all((0..100).map(|_| tasks.patch(&task["id"], json!({"title": "Now"}))))
            .await;
    for answer in &all {
        is_unavailable(answer, asked);
    }
    world.is_alive().await;
    drop(hold);
    until_ready(&world).await;
    assert_eq!(tasks.read(&task["id"]).await.is(200), task);
    let unread = Request::new("GET", "/health/db");
    world.send(unread).await.is(200);
}

/// Two seconds for a connection and two for a statement.
const TWO: [(&str, &str); 2] = [("DATABASE_ACQUIRE_TIMEOUT", "2s"), ("DATABASE_STATEMENT_TIMEOUT", "2s")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_users_locked_row_and_500_requests_postgres() {
    let world = World::open(Engine::Postgres, &TWO).await;
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let task = ann.tasks().create(json!({"title": "Locked"})).await.is(201);
    let theirs = bob.tasks().create(json!({"title": "Free"})).await.is(201);
    let stranger = world.behind().await;
    stranger.begin().await;
    stranger.run("update @tasks set version = version where user_id = 'ann'").await;
    let asked = Instant::now();
    let tasks = ann.tasks();
    let flood =
        futures_util::future::join_all((0..500).map(|_| tasks.patch(&task["id"], json!({"title": "Now"}))));
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.is_alive().await;
        bob.tasks().read(&theirs["id"]).await.is(200);
        for title in ["One", "Two", "Three"] {
            bob.tasks().create(json!({"title": title})).await.is(201);
            bob.tasks().patch(&theirs["id"], json!({"title": title})).await.is(200);
        }
    };
    let (answers, ()) = tokio::join!(flood, others);
    answers.iter().for_each(|answer| is_unavailable(answer, asked));
    stranger.run("rollback").await;
    until_ready(&world).await;
    assert_eq!(tasks.read(&task["id"]).await.is(200), task, "what was answered 503 was not done");
    tasks.patch(&task["id"], json!({"title": "After"})).await.is(200);
    bob.tasks().patch(&theirs["id"], json!({"title": "After"})).await.is(200);
}

/// A pooler of two server connections serves nobody else meanwhile, and says so as fast.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_users_locked_row_and_500_requests_postgres_pooled() {
    let world = World::open(Engine::Pooled, &TWO).await;
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let task = ann.tasks().create(json!({"title": "Locked"})).await.is(201);
    let stranger = world.behind().await;
    stranger.begin().await;
    stranger.run("update @tasks set version = version where user_id = 'ann'").await;
    let asked = Instant::now();
    let tasks = ann.tasks();
    let flood =
        futures_util::future::join_all((0..500).map(|_| tasks.patch(&task["id"], json!({"title": "Now"}))));
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.is_alive().await;
        let asked = Instant::now();
        let answer = bob.tasks().create(json!({"title": "Beside"})).await;
        assert!(matches!(answer.status, 201 | 503), "{}", answer.text());
        assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    };
    let (answers, ()) = tokio::join!(flood, others);
    answers.iter().for_each(|answer| is_unavailable(answer, asked));
    stranger.run("rollback").await;
    until_ready(&world).await;
    tasks.patch(&task["id"], json!({"title": "After"})).await.is(200);
    bob.tasks().create(json!({"title": "After"})).await.is(201);
}

/// It is not another request under the same key that holds the row, so 409 would be a lie.
async fn a_key_beside_a_lock_on_the_user_is_503(world: &World) {
    let vars = [("DATABASE_ACQUIRE_TIMEOUT", "3s"), ("DATABASE_STATEMENT_TIMEOUT", "3s")];
    let world = world.another(&vars).await;
    let ann = world.user("ann");
    ann.tasks().create(json!({"title": "Before"})).await.is(201);
    let post = || {
        let request = Request::new("POST", "/api/tasks").header("Idempotency-Key", "one");
        ann.send(request.json(&json!({"title": "Under a key"})))
    };
    let hold = world.hold_user("ann").await;
    let asked = Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        post().await
    };
    let (first, second) = tokio::join!(post(), later);
    for answer in [first, second] {
        is_unavailable(&answer, asked);
    }
    drop(hold);
    until_ready(&world).await;
    post().await.is(201);
    assert_eq!(ann.tasks().rows("").await.len(), 2);
}

/// Requests under one key wait for each other, and for nobody else's connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_equal_posts_under_a_key_hold_up_nobody_postgres() {
    let world = World::open(Engine::Postgres, &TWO).await;
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    ann.tasks().create(json!({"title": "Before"})).await.is(201);
    let hold = world.hold_user("ann").await;
    let post = || {
        let request = Request::new("POST", "/api/tasks").header("Idempotency-Key", "one");
        ann.send(request.json(&json!({"title": "Under a key"})))
    };
    let asked = Instant::now();
    let all = futures_util::future::join_all((0..30).map(|_| post()));
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for title in ["One", "Two", "Three"] {
            bob.tasks().create(json!({"title": title})).await.is(201);
        }
    };
    let (all, ()) = tokio::join!(all, others);
    all.iter().for_each(|answer| is_unavailable(answer, asked));
    drop(hold);
    until_ready(&world).await;
    let again = futures_util::future::join_all((0..30).map(|_| post())).await;
    let first = again[0].is(201);
    assert!(again.iter().all(|answer| answer.is(201) == first), "one row for all of them");
    assert_eq!(ann.tasks().rows("").await.len(), 2);
}
