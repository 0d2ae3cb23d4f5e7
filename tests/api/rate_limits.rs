//! Users who ask too fast, strangers who guess, and everybody else, who must not notice.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Answer, Engine, Program, Request, World, on_both, raw};

on_both!(
    the_limit_is_exact_and_ones_own,
    after_its_time_a_user_goes_on,
    whatever_a_valid_token_asks_counts_once,
    what_is_refused_has_not_been_done,
    strangers_count_by_address_and_harm_nobody,
    what_needs_no_token_is_free,
    one_user_at_a_hundred_times_the_limit,
    only_trusted_proxies_say_where_a_request_came_from,
);

const PATHS: [&str; 3] = ["/api/tasks", "/api/v1/ideas", "/api/v1/users/me"];

/// Is a 429 in its contract's form, that says when to come again; so many seconds.
fn is_limited(answer: &Answer) -> u64 {
    answer.refuses(429, "Too many requests: wait as long as Retry-After says");
    let wait = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
    wait.filter(|seconds| *seconds >= 1).unwrap_or_else(|| panic!("Retry-After: {wait:?}"))
}

/// `r` and `t` of `RateLimit` as `whose` has it.
fn standing(answer: &Answer, whose: &str) -> (u64, u64) {
    let header = answer.header("ratelimit").expect("RateLimit");
    let rest =
        header.strip_prefix(&format!("\"{whose}\";r=")).unwrap_or_else(|| panic!("{header} of {whose}"));
    let (left, until) = rest.split_once(";t=").expect("r and t");
    (left.parse().expect("r is a number"), until.parse().expect("t is a number"))
}

async fn the_limit_is_exact_and_ones_own(world: &World) {
    let world = world.another(&[("RATE_LIMIT", "20/day")]).await;
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    for number in 1..=20 {
        let answer = ann.get(PATHS[number % 3]).await;
        answer.is(200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"user\";q=20;w=86400"));
        let (left, until) = standing(&answer, "user");
        let full = 4_320 * number as u64;
        assert_eq!(left, 20 - number as u64);
        assert!((full - 120..=full).contains(&until), "{until} of {full}");
        assert_eq!(answer.header("retry-after"), None);
    }
    for path in PATHS {
        let limited = ann.get(path).await;
        let wait = is_limited(&limited);
        assert!((4_200..=4_320).contains(&wait), "{wait}");
        assert_eq!(standing(&limited, "user").0, 0);
        assert_eq!(limited.header("ratelimit-policy"), Some("\"user\";q=20;w=86400"));
    }
    let problem = Request::new("GET", "/api/v1/tasks").header("Accept", "application/problem+json");
    assert_eq!(ann.send(problem).await.is_a_problem(429)["code"], "RATE_LIMITED");
    let answer = bob.get("/api/tasks").await;
    answer.is(200);
    assert_eq!(standing(&answer, "user").0, 19);
}

async fn after_its_time_a_user_goes_on(world: &World) {
    let world = world.another(&[("RATE_LIMIT", "30/minute")]).await;
    let ann = world.user("ann");
    let mut limited = None;
    for _ in 0..60 {
        let answer = ann.get("/api/v1/auth/verify").await;
        if answer.status == 429 {
            limited = Some(is_limited(&answer));
            break;
        }
    }
    let wait = limited.expect("sixty in a row are more than thirty a minute");
    assert!(wait <= 2, "{wait}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    ann.get("/api/v1/auth/verify").await.is(200);
}

async fn whatever_a_valid_token_asks_counts_once(world: &World) {
    let world = world.another(&[("RATE_LIMIT", "8/day")]).await;
    let ann = world.user("ann");
    let nowhere = "01890000-0000-7000-8000-000000000000";
    let answers = [
        ann.get("/api/bob/tasks").await,
        ann.get(&format!("/api/tasks/{nowhere}")).await,
        ann.get("/api/tasks/no-id").await,
        ann.post("/api/tasks", json!({})).await,
        ann.send(Request::new("POST", "/api/tasks").header("Content-Type", "text/plain").body("x")).await,
        ann.send(Request::new("HEAD", "/api/tasks")).await,
        ann.post("/api/v1/tasks", json!({"title": "T"})).await,
        ann.get("/api/tasks?limit=x").await,
    ];
    let statuses = answers.each_ref().map(|answer| answer.status);
    assert_eq!(statuses, [403, 404, 422, 422, 415, 200, 201, 422]);
    let left = answers.each_ref().map(|answer| standing(answer, "user").0);
    assert_eq!(left, [7, 6, 5, 4, 3, 2, 1, 0]);
    is_limited(&ann.get("/api/tasks").await);
    // another's path is refused before anything else is said of it
    ann.get("/api/bob/tasks").await.is(403);
}

async fn what_is_refused_has_not_been_done(world: &World) {
    let world = world.another(&[("RATE_LIMIT", "3/day")]).await;
    let ann = world.user("ann");
    for title in ["One", "Two", "Three"] {
        ann.tasks().create(json!({"title": title})).await.is(201);
    }
    for resource in ann.resources() {
        is_limited(&resource.create(json!({"title": "Four"})).await);
    }
    is_limited(&ann.delete("/api/v1/users/me").await);
    // it is said before the body is read
    let promised = format!(
        "POST /api/tasks HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: 1000000\r\n\r\n{{",
        world.address, ann.token
    );
    let answer = raw(world.address, promised.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    let behind = world.behind().await;
    assert_eq!(behind.number("select count(*) from @tasks").await, 3);
    assert_eq!(behind.number("select count(*) from @ideas").await, 0);
}

async fn strangers_count_by_address_and_harm_nobody(world: &World) {
    let world = world.another(&[("RATE_LIMIT", "10/day")]).await;
    let ann = world.user("ann");
    for number in 0..10 {
        let path = PATHS[number % 3];
        let answer = match number % 2 {
            0 => world.get(path).await,
            _ => world.send(Request::new("GET", path).bearer("garbage")).await,
        };
        answer.is(401);
        assert_eq!(standing(&answer, "address").0, 9 - number as u64);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"address\";q=10;w=86400"));
    }
    for path in PATHS {
        let limited = world.get(path).await;
        is_limited(&limited);
        assert_eq!(limited.header("www-authenticate"), None);
        is_limited(&world.expired("ann").get(path).await);
    }
    let answer = ann.get("/api/tasks").await;
    answer.is(200);
    assert_eq!(standing(&answer, "user").0, 9, "refused tokens do not count against whom they name");
}

async fn what_needs_no_token_is_free(world: &World) {
    let world = world.another(&[("RATE_LIMIT", "1/day")]).await;
    let ann = world.user("ann");
    for _ in 0..3 {
        for path in ["/health", "/health/db", "/health/ready", "/", "/docs", "/redoc", "/openapi.json"] {
            let answer = ann.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(
                (answer.header("ratelimit"), answer.header("ratelimit-policy")),
                (None, None),
                "{path}"
            );
        }
        let preflight = Request::new("OPTIONS", "/api/tasks")
            .header("Origin", "https://front.example")
            .header("Access-Control-Request-Method", "POST");
        assert_eq!(world.send(preflight).await.status, 200);
        ann.get("/api/nowhere").await.is(404);
        ann.send(Request::new("PUT", "/api/tasks")).await.is(405);
    }
    let answer = ann.send(Request::new("GET", "/api/tasks").header("Origin", "https://front.example")).await;
    answer.is(200);
    let exposed = answer.listed("access-control-expose-headers");
    for header in ["ratelimit", "ratelimit-policy", "retry-after"] {
        assert!(exposed.iter().any(|name| name == header), "{header}");
    }
    let limited = ann.send(Request::new("GET", "/api/tasks").header("Origin", "https://front.example")).await;
    is_limited(&limited);
    assert_eq!(limited.header("access-control-allow-origin"), Some("https://front.example"));
}

async fn one_user_at_a_hundred_times_the_limit(world: &World) {
    let world = world.another(&[("RATE_LIMIT", "20/minute")]).await;
    let greedy = world.user("greedy");
    let flood = async {
        let mut let_through = 0;
        for _ in 0..100 {
            let wave = (0..20).map(|_| greedy.get("/api/tasks"));
            for answer in futures_util::future::join_all(wave).await {
                assert!(matches!(answer.status, 200 | 429), "{}", answer.status);
                let_through += u64::from(answer.status == 200);
            }
        }
        let_through
    };
    let others = async {
        for number in 0..15 {
            let user = world.user(&format!("quiet-{number}"));
            user.tasks().create(json!({"title": "Mine"})).await.is(201);
            assert_eq!(user.tasks().titles("").await, ["Mine"]);
        }
    };
    let began = Instant::now();
    let (let_through, ()) = tokio::join!(flood, others);
    let most = 20 + began.elapsed().as_secs() / 3 + 1;
    assert!((20..=most).contains(&let_through), "{let_through} of at most {most}");
}

async fn only_trusted_proxies_say_where_a_request_came_from(world: &World) {
    let ask = async |world: &World, header: &str, value: &str| {
        world.send(Request::new("GET", "/api/tasks").header(header, value)).await.status
    };
    let untrusting = world.another(&[("RATE_LIMIT", "2/day")]).await;
    for (from, status) in [("203.0.113.1", 401), ("203.0.113.2", 401), ("203.0.113.3", 429)] {
        assert_eq!(ask(&untrusting, "X-Forwarded-For", from).await, status);
    }
    let trusting =
        world.another(&[("RATE_LIMIT", "1/day"), ("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")]).await;
    for (header, value, status) in [
        ("X-Forwarded-For", "203.0.113.1", 401),
        ("X-Forwarded-For", "203.0.113.1", 429),
        ("X-Forwarded-For", "203.0.113.2, 10.0.0.7", 401),
        ("X-Forwarded-For", "9.9.9.9, 203.0.113.2, 10.0.0.7", 429),
        ("Forwarded", "for=203.0.113.3;proto=https", 401),
        ("Forwarded", "for=9.9.9.9, for=\"203.0.113.3:80\"", 429),
        ("X-Forwarded-For", "2001:db8::1", 401),
        ("Forwarded", "for=\"[2001:db8::2]:4711\"", 429),
        // unreadable: the proxy itself
        ("X-Forwarded-For", "unknown", 401),
        ("X-Forwarded-For", "?", 429),
        ("X-Forwarded-For", "203.0.113.4", 401),
    ] {
        assert_eq!(ask(&trusting, header, value).await, status, "{header}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_from_where_a_refused_token_came() {
    let mut program =
        Program::start(Engine::Sqlite, &[("TRUSTED_PROXIES", "127.0.0.1"), ("RATE_LIMIT", "1/day")]).await;
    for _ in 0..2 {
        let asked = Request::new("GET", "/api/tasks").header("X-Forwarded-For", "203.0.113.77");
        asked.send(program.address).await;
    }
    // the log is written beside the requests, and whole at the end
    program.ask_to_end();
    program.ended().await;
    let log = program.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("Authentication failed")).collect();
    assert_eq!(lines.len(), 1, "past the limit a stranger fills no log: {log}");
    assert!(lines.iter().all(|line| line.contains(r#""client":"203.0.113.77""#)), "{log}");
    assert!(log.lines().any(|line| line.contains(r#""status":429"#)), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_own_limit_is_600_a_minute() {
    let program = Program::start(Engine::Sqlite, &[("RATE_LIMIT", "")]).await;
    let answer = program.user("ann").get("/api/tasks").await;
    answer.is(200);
    assert_eq!(answer.header("ratelimit-policy"), Some("\"user\";q=600;w=60"));
    assert_eq!(answer.header("ratelimit"), Some("\"user\";r=599;t=1"));
}
