//! PostgreSQL stopped, frozen, killed and started again under a server that goes on; a SQLite file whose disk is full.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Answer, Engine, Program, Request, Server, User, World, on_both, on_both_and_pooled};

on_both_and_pooled!(a_client_who_goes_away_amid_a_write_leaves_nothing_open);
on_both!(two_servers_on_one_database);

const SHORT: [(&str, &str); 3] =
    [("DATABASE_ACQUIRE_TIMEOUT", "1s"), ("DATABASE_STATEMENT_TIMEOUT", "1s"), ("REQUEST_TIMEOUT", "5s")];

/// Variables that lead to a server of the test's own.
fn to<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut vars = vec![
        ("DATABASE_URL", url),
        ("DATABASE_DIRECT_URL", url),
        ("DATABASE_PREPARED", "on"),
        ("DATABASE_SCHEMA", "public"),
        // the role of that URL is a superuser
        ("DATABASE_RLS", "off"),
    ];
    vars.extend(more);
    vars
}

/// A 503 that says when to come again, in good time.
fn is_unavailable(answer: &Answer, asked: Instant) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some(), "no Retry-After");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

/// Reads and writes are 503, the rest goes on.
async fn is_out(world: &World, user: &User) {
    let tasks = user.tasks();
    for _ in 0..2 {
        let asked = Instant::now();
        let (list, create, ready) =
            tokio::join!(tasks.list(""), tasks.create(json!({"title": "Lost"})), world.get("/health/ready"));
        is_unavailable(&list, asked);
        is_unavailable(&create, asked);
        assert_eq!(ready.status, 503);
        world.is_alive().await;
    }
}

/// A read and a write succeed again; how long after this was asked.
async fn is_back(user: &User) {
    let (tasks, begun) = (user.tasks(), Instant::now());
    loop {
        let (list, create) = tokio::join!(tasks.list(""), tasks.create(json!({"title": "Back"})));
        if list.status == 200 && create.status == 201 {
            return;
        }
        assert!(list.status == 503 || list.status == 200, "{}", list.text());
        assert!(begun.elapsed() < Duration::from_secs(30), "{} {}", list.text(), create.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_killed_and_back_postgres() {
    let server = Server::start();
    let url = server.url();
    let world = World::open(Engine::Postgres, &to(&url, &SHORT)).await;
    let ann = world.user("ann");
    is_back(&ann).await;
    let task = ann.tasks().create(json!({"title": "Kept"})).await.is(201);

    server.freeze();
    is_out(&world, &ann).await;
    server.thaw();
    is_back(&ann).await;

    for _ in 0..2 {
        server.kill();
        is_out(&world, &ann).await;
        server.again();
        is_back(&ann).await;
        assert_eq!(ann.tasks().read(&task["id"]).await.is(200), task);
    }

    // 57P01: nobody notices.
    let tasks = ann.tasks();
    for _ in 0..5 {
        server
            .run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'creatorvault'")
            .await;
        let (one, two, list) =
            tokio::join!(tasks.read(&task["id"]), tasks.read(&task["id"]), tasks.list("search=kept"));
        assert_eq!((one.is(200), two.is(200)), (task.clone(), task.clone()));
        assert_eq!(list.is(200).as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_at_the_start_and_then_there_postgres() {
    let server = Server::start();
    let url = server.url();
    server.kill();
    let mut program = Program::launch(Engine::Postgres, &to(&url, &SHORT)).await;
    let ask = |path: &'static str| Request::new("GET", path).send(program.address);
    assert_eq!(ask("/health").await.status, 200);
    for path in ["/health/ready", "/health/db"] {
        assert_eq!(ask(path).await.status, 503, "{path}");
    }
    let asked = Instant::now();
    is_unavailable(&program.user("ann").tasks().list("").await, asked);
    server.again();
    let begun = Instant::now();
    while ask("/health/ready").await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "not ready after the database is there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    is_back(&program.user("ann")).await;
    program.ask_to_end();
    assert!(program.ended().await.success());
    let log = program.log();
    assert!(log.contains("database not reachable") && log.contains("database reachable again"), "{log}");
}

async fn a_client_who_goes_away_amid_a_write_leaves_nothing_open(world: &World) {
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Before"})).await.is(201);
    let hold = world.hold_tasks().await;
    let path = format!("{}/{}", ann.tasks().base, task["number"]);
    for i in 0..3 {
        let patch = Request::new("PATCH", path.as_str()).json(&json!({"title": format!("Unheard {i}")}));
        let stream = patch.bearer(&ann.token).begin(ann.address).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(stream);
    }
    drop(hold);
    if let Some(schema) = world.behind().await.schema() {
        // What stays open is seen by what it has locked.
        let open = format!(
            "select count(*) from pg_locks l join pg_class c on c.oid = l.relation \
             join pg_namespace n on n.oid = c.relnamespace where n.nspname = '{schema}' and l.pid <> pg_backend_pid()"
        );
        let (behind, begun) = (world.behind().await, Instant::now());
        while behind.number(&open).await > 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "a transaction stays open");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    ann.tasks().patch(&task["id"], json!({"title": "After"})).await.is(200);
}

async fn two_servers_on_one_database(world: &World) {
    let one = Program::start(world.engine, &[]).await;
    let two = one.beside().await;
    let (here, there) = (one.user("ann"), two.user("ann"));
    let create = |user: &User| {
        let user = user.clone();
        async move {
            let mut numbers = Vec::new();
            for _ in 0..20 {
                numbers.push(user.tasks().create(json!({"title": "Shared"})).await.is(201)["number"].clone());
            }
            numbers
        }
    };
    let (a, b) = tokio::join!(create(&here), create(&there));
    let mut all: Vec<_> = a.iter().chain(&b).filter_map(serde_json::Value::as_u64).collect();
    all.sort_unstable();
    assert_eq!(all, (1..=40).collect::<Vec<_>>(), "no number twice, none left out");
    assert_eq!(here.tasks().rows("").await, there.tasks().rows("").await);
}

/// A file system of four megabytes, unmounted when it is dropped.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    /// None where this user may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_sqlite() {
    let Some(disk) = Tmpfs::mount() else {
        println!("not tried: this user may not mount a file system of four megabytes");
        return;
    };
    let url = format!("sqlite://{}", disk.path().join("vault.db").display());
    let world = World::open(Engine::Sqlite, &[("DATABASE_URL", &url)]).await;
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Before"})).await.is(201);
    let large = json!({"title": "Large", "description": "x".repeat(900)});
    let mut written = 1;
    let refused = loop {
        let asked = Instant::now();
        let answer = ann.tasks().create(large.clone()).await;
        if answer.status != 201 {
            is_unavailable(&answer, asked);
            break answer;
        }
        written += 1;
        assert!(written < 10_000, "four megabytes hold no end of rows");
    };
    assert!(!refused.text().contains("disk"), "what is full is told in the log alone: {}", refused.text());
    assert_eq!(world.get("/health/ready").await.status, 503);
    world.is_alive().await;
    assert_eq!(ann.tasks().read(&task["id"]).await.is(200), task);
    let count = ann.get("/api/v1/tasks?limit=1").await.is(200)["total"].as_u64();
    assert_eq!(count, Some(written), "all that was acknowledged is there, and nothing else");

    let more = Command::new("mount").args(["-o", "remount,size=16m"]).arg(disk.path()).status();
    assert!(more.is_ok_and(|status| status.success()), "more room");
    let begun = Instant::now();
    while ann.tasks().create(large.clone()).await.status != 201 {
        assert!(begun.elapsed() < Duration::from_secs(30), "writes do not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    while world.get("/health/ready").await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "not ready again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
