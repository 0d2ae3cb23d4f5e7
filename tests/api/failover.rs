//! A primary with its standby: when the standby takes over, writes go on there, and nothing acknowledged is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Engine, Server, User, World, command};

/// A primary and a standby that has every commit before it is acknowledged.
async fn pair() -> (Server, Server) {
    let primary = Server::start();
    let standby = primary.standby();
    primary.run("alter system set synchronous_standby_names = 'standby'").await;
    primary.reload().await;
    let begun = Instant::now();
    while primary.number("select count(*) from pg_stat_replication where sync_state = 'sync'").await == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (primary, standby)
}

async fn world(hosts: &str, keys: &str) -> World {
    let url = format!("postgresql://creatorvault@{hosts}/postgres?{keys}");
    let vars =
        [("DATABASE_URL", url.as_str()), ("DATABASE_DIRECT_URL", url.as_str()), ("DATABASE_PREPARED", "on")];
    let more = [
        ("DATABASE_SCHEMA", "public"),
        ("DATABASE_ACQUIRE_TIMEOUT", "2s"),
        ("DATABASE_STATEMENT_TIMEOUT", "2s"),
    ];
    World::open(Engine::Postgres, &[&vars[..], &more].concat()).await
}

/// Creates one after the other until it is over; the numbers of those that were acknowledged.
async fn create_until(user: User, over: &AtomicBool) -> BTreeSet<u64> {
    let mut acknowledged = BTreeSet::new();
    while !over.load(Ordering::Relaxed) {
        let answer = user.tasks().create(json!({"title": "Acknowledged"})).await;
        match answer.status {
            201 => assert!(acknowledged.insert(answer.is(201)["number"].as_u64().expect("a number"))),
            503 => tokio::time::sleep(Duration::from_millis(20)).await,
            other => panic!("{other}: {}", answer.text()),
        }
    }
    acknowledged
}

/// Writes until one is acknowledged.
async fn until_written(user: &User) -> Value {
    let begun = Instant::now();
    loop {
        let answer = user.tasks().create(json!({"title": "After"})).await;
        if answer.status == 201 {
            return answer.is(201);
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(begun.elapsed() < Duration::from_secs(30), "no write succeeds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_and_nothing_acknowledged_is_lost_postgres() {
    let (primary, standby) = pair().await;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port, standby.port);
    let world = world(&hosts, "target_session_attrs=read-write").await;
    let (over, names) = (AtomicBool::new(false), ["ann", "bob", "cleo", "dan"]);
    let writers = names.map(|name| create_until(world.user(name), &over));
    let failover = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        primary.kill();
        world.is_alive().await;
        standby.run("select pg_promote()").await;
        until_written(&world.user("eve")).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        over.store(true, Ordering::Relaxed);
    };
    let (acknowledged, ()) = tokio::join!(futures_util::future::join_all(writers), failover);
    for (name, known) in names.iter().zip(&acknowledged) {
        assert!(known.len() > 2, "{name} wrote {} only", known.len());
        let rows = world.user(name).tasks().rows("").await;
        let there: BTreeSet<u64> = rows.iter().filter_map(|row| row["number"].as_u64()).collect();
        let lost: Vec<_> = known.difference(&there).collect();
        assert!(lost.is_empty(), "{name} lost {lost:?}");
        assert!(there.len() <= known.len() + 1, "what was told as not done was done: {name}");
    }
    assert_eq!(world.get("/health/ready").await.status, 200);
    let url = format!("postgresql://creatorvault@{hosts}/postgres?target_session_attrs=read-write");
    let doctor = command(&world, &["doctor"]).env("DATABASE_URL", url).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&doctor.stdout);
    let down = format!("127.0.0.1:{} cannot be used", primary.port);
    let up = format!("127.0.0.1:{} takes writes", standby.port);
    assert!(said.contains(&down) && said.contains(&up), "{said}");
}

/// Its connections stay, and it takes no writes any more: nobody notices, and reads leave it too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_becomes_read_only_is_left_postgres() {
    let (primary, standby) = pair().await;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port, standby.port);
    let world = world(&hosts, "target_session_attrs=read-write").await;
    let ann = world.user("ann");
    let before = ann.tasks().create(json!({"title": "Before"})).await.is(201);
    assert_eq!(ann.tasks().read(&before["id"]).await.is(200), before);
    primary.run("alter system set synchronous_standby_names = ''; alter system set default_transaction_read_only = on").await;
    primary.reload().await;
    standby.run("select pg_promote()").await;
    let after = ann.tasks().create(json!({"title": "After"})).await.is(201);
    let begun = Instant::now();
    while ann.tasks().read(&after["id"]).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "reads stay at the old primary");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..20 {
        assert_eq!(ann.tasks().read(&after["id"]).await.is(200), after, "every connection has moved");
        ann.tasks().create(json!({"title": "More"})).await.is(201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_host_does_not_use_up_the_time_postgres() {
    let server = Server::start();
    // It takes connections in and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let hosts = format!("127.0.0.1:{port},127.0.0.1:{}", server.port);
    for keys in ["target_session_attrs=read-write", "target_session_attrs=primary&load_balance_hosts=random"]
    {
        let world = world(&hosts, keys).await;
        let row = until_written(&world.user("ann")).await;
        assert_eq!(world.user("ann").tasks().read(&row["id"]).await.is(200), row);
    }
}
