//! What an operator sees on `/metrics`: exactly what was done, in a text that a scraper takes, and nothing of a user's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Engine, Program, Request, Scrape, World, command, on_both, raw};

on_both!(
    every_answer_is_counted_by_its_route,
    refusals_are_counted_by_their_reason,
    strangers_cannot_make_it_longer,
    nothing_of_a_users_is_in_it,
    who_waits_for_the_database_is_seen,
    an_auth_server_that_is_away_is_seen,
);

const TASKS: &str = "/api/{user_id}/tasks";
const TASK: &str = "/api/{user_id}/tasks/{id}";

async fn every_answer_is_counted_by_its_route(world: &World) {
    let ann = world.user("ann");
    let tasks = ann.tasks();
    let mut ids = Vec::new();
    for title in ["One", "Two", "Three"] {
        ids.push(tasks.create(json!({"title": title})).await.is(201)["id"].clone());
    }
    tasks.create(json!({"title": ""})).await.is(422);
    tasks.list("").await.is(200);
    tasks.read(&ids[0]).await.is(200);
    tasks.patch(&ids[1], json!({"title": "Zwei"})).await.is(200);
    assert_eq!(tasks.delete(&ids[2]).await.status, 204);
    assert_eq!(tasks.read(&ids[2]).await.status, 404);
    world.get("/nowhere").await.is(404);

    let scrape = Scrape::of(world.address).await;
    let answers = |route: &str, method: &str, status: &str| {
        scrape.sum("http_requests_total", &[("route", route), ("method", method), ("status", status)])
    };
    assert_eq!((answers(TASKS, "POST", "201"), answers(TASKS, "POST", "422")), (3, 1));
    assert_eq!((answers(TASKS, "GET", "200"), answers(TASK, "GET", "200")), (1, 1));
    assert_eq!((answers(TASK, "GET", "404"), answers(TASK, "PATCH", "200")), (1, 1));
    assert_eq!((answers(TASK, "DELETE", "204"), answers("unmatched", "GET", "404")), (1, 1));
    assert_eq!(scrape.sum("http_requests_total", &[]), 10, "and nothing else was asked");
    let timed = |labels: &[(&str, &str)]| scrape.sum("http_request_duration_seconds_count", labels);
    assert_eq!(timed(&[("route", TASKS), ("method", "POST")]), 4);
    assert_eq!(timed(&[]), 10);
    assert_eq!(scrape.sum("http_requests_in_flight", &[]), 1, "the scrape itself");
    assert!(scrape.sum("http_connections_open", &[]) >= 1);
    assert_eq!(scrape.sum("http_requests_rate_limited_total", &[]), 0);

    let operations = |name: &str| scrape.sum("db_operation_duration_seconds_count", &[("operation", name)]);
    let database = match world.engine {
        Engine::Sqlite => {
            assert!(operations("sqlite_read") >= 3 && operations("sqlite_write") >= 5);
            let commits = operations("sqlite_commit");
            assert_eq!(scrape.sum("sqlite_commit_group_size_count", &[]), commits);
            let shared = scrape.sum("sqlite_commit_group_size_sum", &[]);
            assert!(commits >= 5 && shared >= commits, "{commits} commits of {shared} writes");
            assert_eq!(scrape.sum("db_wait_duration_seconds_count", &[("queue", "sqlite_write")]), shared);
            "sqlite"
        }
        Engine::Postgres | Engine::Pooled => {
            // Behind a pooler, and with row level security, there is no lane.
            let shared = scrape.sum("db_lane_connections_max", &[]);
            let reads = operations(if shared == 0 { "pool_read" } else { "lane_read" });
            assert!(reads >= 3 && operations("pool_write") >= 5);
            assert!(scrape.sum("db_wait_duration_seconds_count", &[("queue", "pool")]) >= 5);
            assert!(scrape.sum("db_pool_connections", &[("state", "idle")]) >= 1);
            assert_eq!(scrape.sum("db_pool_connections", &[("state", "in_use")]), 0);
            assert_eq!(scrape.sum("db_pool_connections_max", &[]) + shared, 8);
            let open = scrape.sum("db_lane_connections", &[]);
            assert!(open <= shared && (open > 0) == (shared > 0), "{open} of {shared}");
            "postgresql"
        }
    };
    assert_eq!(scrape.sum("db_errors_total", &[]), 0);
    assert_eq!(scrape.sum("migrations_pending", &[]), 0);
    let build = [("version", env!("CARGO_PKG_VERSION")), ("database", database)];
    assert_eq!(scrape.sum("creatorvault_build_info", &build), 1);
    let lookups = |result: &str| scrape.sum("auth_token_lookups_total", &[("result", result)]);
    assert_eq!((lookups("miss"), lookups("hit")), (1, 8), "a token costs one signature");
    assert!(scrape.find("process_resident_memory_bytes", &[]).is_some_and(|bytes| bytes > 1e6));
    assert!(scrape.find("process_start_time_seconds", &[]).is_some_and(|time| time > 1.6e9));
}

async fn refusals_are_counted_by_their_reason(world: &World) {
    let ann = world.user("ann");
    world.get("/api/tasks").await.is(401);
    world.get("/api/tasks").await.is(401);
    world.expired("ann").get("/api/tasks").await.is(401);
    world.send(Request::new("GET", "/api/tasks").bearer(&format!("{}x", ann.token))).await.is(401);
    world.send(Request::new("GET", "/api/tasks").header("Authorization", "Basic YTpi")).await.is(401);
    ann.get("/api/bob/tasks").await.is(403);

    let scrape = Scrape::of(world.address).await;
    let refused = |reason: &str| scrape.sum("auth_refusals_total", &[("reason", reason)]);
    assert_eq!((refused("missing_token"), refused("expired"), refused("wrong_scheme")), (2, 1, 1));
    assert_eq!(scrape.sum("auth_refusals_total", &[]), 5, "each has its reason");
    assert_eq!(scrape.sum("auth_forbidden_total", &[]), 1);
    assert_eq!(
        scrape.find("auth_refusals_total", &[("reason", "unknown_kid")]),
        Some(0.0),
        "told from the start"
    );
}

async fn strangers_cannot_make_it_longer(world: &World) {
    let ann = world.user("ann");
    let strange = async |from: usize| {
        for i in from..from + 500 {
            // Most are refused by what reads HTTP, some by the server; none may leave a trace of its own.
            let method =
                ["GET".to_owned(), format!("X{i}"), "DELETE".to_owned(), "TRACE".to_owned()][i % 4].clone();
            let path = [format!("/strange/{i}"), format!("/api/user{i}/tasks"), format!("/api/v1/ideas/{i}")]
                [i % 3]
                .clone();
            let head = format!("{method} {path}?q={i} HTTP/1.1\r\nHost: h{i}\r\nConnection: close\r\n\r\n");
            assert!(raw(world.address, head.as_bytes()).await.starts_with("HTTP/1.1 4"), "{head}");
        }
        ann.get(&format!("/api/user{from}/tasks")).await.is(403);
        Scrape::of(world.address).await
    };
    let (before, after) = (strange(0).await, strange(500).await);
    let unscraped = |scrape: &Scrape| {
        let first = scrape.text.lines().filter(|line| line.contains("route=\"/metrics\""));
        scrape.len() - first.count()
    };
    assert_eq!(unscraped(&after), unscraped(&before), "{}", after.text);
    assert!(after.len() < 1_000, "{} series", after.len());
    assert!(after.sum("http_requests_total", &[("method", "other")]) >= 200);
    assert!(!after.text.contains("strange") && !after.text.contains("X501") && !after.text.contains("user5"));
}

async fn nothing_of_a_users_is_in_it(world: &World) {
    let canary = "Kanarienvogel";
    let ann = world.claiming(canary, Some("kanarienvogel@example.com"), Some(canary));
    for resource in ann.resources() {
        let row = resource.create(json!({"title": canary, "tags": [canary]})).await.is(201);
        resource.list(&format!("search={canary}&tags={canary}&{canary}=1")).await;
        resource.read(&row["id"]).await.is(200);
        resource.read(&json!(canary)).await;
        assert_eq!(resource.create(json!({canary: canary})).await.status, 422);
    }
    for (name, value) in [("X-Correlation-Id", canary), ("Origin", canary), ("Authorization", canary)] {
        world.send(Request::new(canary, format!("/{canary}")).header(name, value)).await;
    }
    let scrape = Scrape::of(world.address).await;
    assert!(scrape.sum("http_requests_total", &[]) >= 18);
    assert!(!scrape.text.to_lowercase().contains(&canary.to_lowercase()), "{}", scrape.text);
}

/// Scrapes until it is as it should be.
async fn until(address: SocketAddr, what: &str, is: impl Fn(&Scrape) -> bool) -> Scrape {
    let asked = Instant::now();
    loop {
        let scrape = Scrape::of(address).await;
        if is(&scrape) {
            return scrape;
        }
        assert!(asked.elapsed() < Duration::from_secs(30), "{what}:\n{}", scrape.text);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn who_waits_for_the_database_is_seen(world: &World) {
    // The user's own row first, so that the writes wait for the tasks alone.
    let ann = world.user("ann");
    ann.tasks().create(json!({"title": "First"})).await.is(201);
    let held = world.hold_tasks().await;
    let writes: Vec<_> = (0..9)
        .map(|i| {
            let user = world.user(&format!("user{i}"));
            tokio::spawn(async move { user.tasks().create(json!({"title": "Waits"})).await.status })
        })
        .collect();
    match world.engine {
        Engine::Sqlite => {
            until(world.address, "writes wait", |scrape| {
                scrape.sum("sqlite_queue_waiting", &[("queue", "writes")]) >= 1
            })
            .await;
        }
        Engine::Postgres | Engine::Pooled => {
            let most = Scrape::of(world.address).await.sum("db_pool_connections_max", &[]);
            let during = until(world.address, "the pool is in use, and the others wait", |scrape| {
                scrape.sum("db_pool_connections", &[("state", "in_use")]) == most
                    && scrape.sum("db_pool_waiting", &[]) == 9 - most
            })
            .await;
            let writing = [("operation", "pool_write")];
            assert_eq!(during.sum("db_operations_in_flight", &writing), most);
            assert_eq!(during.sum("db_pool_connections", &[("state", "idle")]), 0);
        }
    }
    drop(held);
    for write in writes {
        assert_eq!(write.await.expect("a write ends"), 201);
    }
    let after = until(world.address, "nobody waits", |scrape| {
        let waiting = ["sqlite_queue_waiting", "db_pool_waiting", "db_operations_in_flight"];
        waiting.iter().all(|name| scrape.sum(name, &[]) == 0)
    })
    .await;
    let queue = if world.engine == Engine::Sqlite { "sqlite_write" } else { "pool" };
    let waited = after.find("db_wait_duration_seconds_sum", &[("queue", queue)]);
    assert!(waited.is_some_and(|seconds| seconds > 0.0), "{waited:?}");
}

async fn an_auth_server_that_is_away_is_seen(world: &World) {
    // A port that is nobody's.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", nobody.local_addr().expect("it is bound"));
    drop(nobody);
    let away = world.another(&[("BETTER_AUTH_SECRET", ""), ("BETTER_AUTH_URL", &origin)]).await;
    let scrape =
        until(away.address, "a failed fetch", |scrape| scrape.sum("jwks_fetch_failures_total", &[]) >= 1)
            .await;
    assert!(scrape.sum("jwks_fetches_total", &[]) >= 1);
    assert_eq!(scrape.sum("jwks_keys", &[]), 0);
    assert_eq!(scrape.find("jwks_age_seconds", &[]), None, "there never was one");
    let token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    away.send(Request::new("GET", "/api/tasks").bearer(token)).await.is(503);
    assert_eq!(Scrape::of(away.address).await.sum("auth_unavailable_total", &[]), 1);

    // Where no key set is configured nothing is said of one.
    assert_eq!(Scrape::of(world.address).await.find("jwks_fetches_total", &[]), None);
}

/// An address that nobody uses.
fn free() -> SocketAddr {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("it is bound")
}

async fn status(address: SocketAddr, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    raw(address, head.as_bytes()).await.chars().skip(9).take(3).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_production_it_listens_by_itself_and_ends_with_the_server() {
    let own = free();
    let (address, grace) = (own.to_string(), ("SHUTDOWN_GRACE", "5s"));
    let vars = [("ENVIRONMENT", "production"), ("METRICS_ADDRESS", address.as_str()), grace];
    let mut program = Program::start(Engine::Sqlite, &vars).await;
    program.user("ann").tasks().create(json!({"title": "One"})).await.is(201);
    let scrape = Scrape::alone(own).await;
    let created = [("route", TASKS), ("method", "POST"), ("status", "201")];
    assert_eq!(scrape.sum("http_requests_total", &created), 1);
    assert_eq!(scrape.find("http_requests_total", &[("route", "/metrics")]), None, "scrapes are not counted");
    for path in ["/", "/health", "/metrics/", "/api/tasks", "/docs"] {
        assert_eq!(status(own, path).await, "404", "{path}");
    }
    assert_eq!(status(program.address, "/metrics").await, "404");
    assert!(program.log().contains("Listening for /metrics"));

    // Somebody scrapes on one connection, and somebody never says anything: neither holds up the end.
    let mut kept = TcpStream::connect(own).await.expect("a connection");
    kept.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    assert!(kept.read(&mut [0; 1_000]).await.expect("an answer") > 0);
    let silent = TcpStream::connect(own).await.expect("a connection");
    program.ask_to_end();
    let asked = Instant::now();
    assert_eq!(program.ended().await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    drop((kept, silent));
    assert!(TcpStream::connect(own).await.is_err(), "the address is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_development_it_is_beside_the_api_unless_it_is_told_elsewhere() {
    let beside = Program::start(Engine::Sqlite, &[]).await;
    assert_eq!(Scrape::of(beside.address).await.sum("creatorvault_build_info", &[]), 1);
    let off = Program::start(Engine::Sqlite, &[("METRICS_ADDRESS", "off")]).await;
    assert_eq!(status(off.address, "/metrics").await, "404");
    let own = free();
    let elsewhere = Program::start(Engine::Sqlite, &[("METRICS_ADDRESS", &own.to_string())]).await;
    assert_eq!(status(elsewhere.address, "/metrics").await, "404");
    assert_eq!(Scrape::alone(own).await.sum("creatorvault_build_info", &[]), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_cannot_be_had_is_named_with_the_cure() {
    let world = World::open(Engine::Sqlite, &[]).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken_at = taken.local_addr().expect("it is bound").to_string();
    for (value, words) in [
        (taken_at.as_str(), format!("METRICS_ADDRESS {taken_at} is taken by another program")),
        ("192.0.2.1:9090", "METRICS_ADDRESS: cannot listen at 192.0.2.1:9090".to_owned()),
        ("9090", "METRICS_ADDRESS must be an address with a port".to_owned()),
    ] {
        let mut serve = command(&world, &["serve"]);
        serve.env("PORT", "0").env("HOST", "127.0.0.1").env("METRICS_ADDRESS", value);
        let ended = serve.output().expect("it runs");
        let said =
            String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
        assert!(said.contains(&words) && said.contains("off"), "{value}: {said}");
        assert!(!ended.status.success(), "{value}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_nobody_asked_for_is_done_without() {
    // This has it, or whoever has it already.
    let _taken = std::net::TcpListener::bind("127.0.0.1:9090");
    let program =
        Program::start(Engine::Sqlite, &[("ENVIRONMENT", "production"), ("METRICS_ADDRESS", "")]).await;
    program.user("ann").tasks().create(json!({"title": "One"})).await.is(201);
    let log = program.log();
    assert!(log.contains("Metrics are not served: METRICS_ADDRESS 127.0.0.1:9090 is taken"), "{log}");
    assert!(!log.contains("Listening for /metrics"), "{log}");
}
