//! Several servers that count together in a Redis, which comes and goes.

use std::time::{Duration, Instant};

use crate::harness::{Engine, Program, Redis, User};

const LIMIT: (&str, &str) = ("RATE_LIMIT", "10/day");
const SHARED: &str = "Rate limits are shared through Redis";
const ALONE: &str = "Redis does not answer: rate limits are counted in memory";

/// Waits until the log has said so many times what it says.
async fn until_said(program: &Program, what: &str, times: usize) {
    let began = Instant::now();
    while program.log().matches(what).count() < times {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{what} is not said {times} times: {}",
            program.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn status(user: &User) -> u16 {
    user.get("/api/v1/auth/verify").await.status
}

async fn left(user: &User) -> Option<u64> {
    let answer = user.get("/api/v1/auth/verify").await;
    answer.header("ratelimit")?.strip_prefix("\"user\";r=")?.split(';').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_one_bucket() {
    let redis = Redis::start("canary-password").await;
    let one = Program::start(Engine::Sqlite, &[LIMIT, ("REDIS_URL", &redis.url())]).await;
    let two = one.beside().await;
    for program in [&one, &two] {
        until_said(program, SHARED, 1).await;
    }
    let (here, there) = (one.user("canary-ann"), two.user("canary-ann"));
    for taken in 1..=10 {
        assert_eq!(left(if taken % 2 == 0 { &here } else { &there }).await, Some(10 - taken));
    }
    assert_eq!((status(&here).await, status(&there).await), (429, 429));
    assert_eq!(status(&two.user("bob")).await, 200, "another user is another bucket");

    let keys = redis.say("KEYS *").await;
    assert!(keys.contains("creatorvault:rate:10:86400:user:") && !keys.contains("canary"), "{keys}");
    let name = keys.lines().find(|line| line.contains(":user:")).expect("a user's key");
    let lives: i64 = {
        let answer = redis.say(&format!("TTL {name}")).await;
        let number = answer.lines().find_map(|line| line.strip_prefix(':').map(str::to_owned));
        number.and_then(|number| number.parse().ok()).expect("a number of seconds")
    };
    assert!((1..=86_402).contains(&lives), "{lives}");
    assert!(!one.log().contains("canary-password"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_is_done_without_until_it_is_back() {
    let mut redis = Redis::start("").await;
    let program = Program::start(Engine::Sqlite, &[LIMIT, ("REDIS_URL", &redis.url())]).await;
    until_said(&program, SHARED, 1).await;
    let ann = program.user("ann");
    assert_eq!(left(&ann).await, Some(9));
    redis.kill();
    for taken in 1..=10 {
        assert_eq!(left(&ann).await, Some(10 - taken), "she has a bucket in memory, exact as well");
    }
    assert_eq!(status(&ann).await, 429);
    assert_eq!(program.log().matches(ALONE).count(), 1, "said once for each outage: {}", program.log());
    redis.again().await;
    until_said(&program, SHARED, 2).await;
    assert_eq!(left(&ann).await, Some(9), "the new Redis has an empty memory");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_says_nothing_keeps_nobody_waiting() {
    let redis = Redis::start("").await;
    let program =
        Program::start(Engine::Sqlite, &[("RATE_LIMIT", "100/day"), ("REDIS_URL", &redis.url())]).await;
    until_said(&program, SHARED, 1).await;
    let ann = program.user("ann");
    assert_eq!(left(&ann).await, Some(99));
    redis.freeze();
    let began = Instant::now();
    for taken in 1..=60 {
        assert_eq!(left(&ann).await, Some(100 - taken));
    }
    // had each waited as long as the first, it would have been 6 s and more
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(program.log().matches(ALONE).count(), 1);
    redis.thaw();
    until_said(&program, SHARED, 2).await;
    // it may still do what it was asked just before it froze
    let left = left(&ann).await.expect("RateLimit");
    assert!((97..=98).contains(&left), "its memory is as it was: {left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_or_not_ours_is_no_reason_not_to_serve() {
    let redis = Redis::start("right").await;
    let wrong = redis.url().replace(":right@", ":wrong@");
    let nobody = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("redis://{}", free.local_addr().expect("it is bound"))
    };
    for url in [wrong, nobody] {
        let program = Program::start(Engine::Sqlite, &[LIMIT, ("REDIS_URL", &url)]).await;
        until_said(&program, ALONE, 1).await;
        let ann = program.user("ann");
        for taken in 1..=10 {
            assert_eq!(left(&ann).await, Some(10 - taken));
        }
        assert_eq!(status(&ann).await, 429);
        assert!(!program.log().contains("wrong@"), "{}", program.log());
        assert_eq!(program.log().matches(ALONE).count(), 1, "{}", program.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_back_locks_nobody_out() {
    let redis = Redis::start("").await;
    let vars = [("RATE_LIMIT", "10/second"), ("REDIS_URL", &redis.url())];
    let program = Program::start(Engine::Sqlite, &vars).await;
    until_said(&program, SHARED, 1).await;
    let ann = program.user("ann");
    assert_eq!(status(&ann).await, 200);
    let keys = redis.say("KEYS *:user:*").await;
    let name = keys.lines().find(|line| line.contains(":user:")).expect("a user's key");
    // As the key is after a day's jump: its bucket is full long after this time. It would not expire either.
    redis.say(&format!("SET {name} 9000000000000000")).await;
    let refused = ann.get("/api/v1/auth/verify").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert!(!redis.say(&format!("PTTL {name}")).await.contains(":-1"), "it expires again");
    let began = Instant::now();
    while status(&ann).await != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "she is locked out");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
