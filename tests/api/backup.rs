//! `creatorvault backup` and `restore`: a SQLite file copied under load, put back, and everything that comes between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::harness::{Dice, Engine, Program, World};

mod broken;
mod refusals;

/// A database file of its own, with or without a server, and a place for backups.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite://{}", self.path(name).display())
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the folder can be read");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    /// A database with so many tasks of ann.
    fn database(&self, name: &str, tasks: usize) -> PathBuf {
        let up = creatorvault(&self.url(name), &["migrate", "up"]).output().expect("the binary runs");
        assert!(up.status.success(), "{up:?}");
        let connection = rusqlite::Connection::open(self.path(name)).expect("it opens");
        let sql = format!(
            "insert into users (id) values ('ann'); \
             with recursive n(n) as (select 1 union all select n + 1 from n where n < {tasks}) \
             insert into tasks (user_id, id, number, title, title_fold, description, description_fold) \
             select 'ann', randomblob(16), n, 'Task', 'task', hex(randomblob(1000)), hex(randomblob(1000)) from n"
        );
        connection.execute_batch(&sql).expect("rows");
        self.path(name)
    }

    /// All that lies beside a file begins with its name.
    fn beside(&self, name: &str) -> Vec<String> {
        self.names().into_iter().filter(|other| other != name && other.starts_with(name)).collect()
    }
}

/// The binary with this database and nothing else set.
fn creatorvault(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creatorvault"));
    command
        .args(args)
        .env_clear()
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))) // a measured build writes there
        .env("DATABASE_URL", url)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(url: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = creatorvault(url, args).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("it says text");
    (status.code(), text(stdout), text(stderr))
}

/// Runs it to a good end; what it has said.
fn done(url: &str, args: &[&str]) -> String {
    let (code, out, err) = run(url, args);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}: {out}");
    out
}

/// Runs it to a bad end; the line that says why.
fn refused(url: &str, args: &[&str]) -> String {
    let (code, out, err) = run(url, args);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{args:?}: {err}");
    err.trim_end().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn variable(world: &World, name: &str) -> String {
    world.vars().into_iter().find(|(variable, _)| variable == name).expect("it is set").1
}

/// Tasks in a file, which must be sound.
fn tasks(file: &Path) -> i64 {
    let connection = rusqlite::Connection::open(file).expect("it opens");
    let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).expect("an answer");
    assert_eq!(ask("pragma integrity_check"), "ok");
    ask("select cast(count(*) as text) from tasks").parse().expect("a number")
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).expect("it is there").permissions().mode() & 0o777
}

/// Eight users write without a pause; whatever was acknowledged before a backup began is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_everything_that_was_acknowledged_before() {
    let place = Place::new();
    let (first, again) = (place.path("first.db"), place.url("again.db"));
    let server =
        Program::start(Engine::Sqlite, &[("RATE_LIMIT", "off"), ("DATABASE_URL", &place.url("live.db"))])
            .await;
    let writers: Vec<_> = (0..8)
        .map(|i| {
            let (user, (told, heard)) =
                (server.user(&format!("user{i}")), tokio::sync::watch::channel(0_usize));
            let writer = tokio::spawn(async move {
                let mut made = 0;
                while !told.is_closed() {
                    user.tasks().create(json!({"title": "Kept", "tags": ["a"]})).await.is(201);
                    made += 1;
                    told.send_replace(made);
                }
            });
            (writer, heard)
        })
        .collect();
    for (_, heard) in &writers {
        let mut heard = heard.clone();
        heard.wait_for(|made| *made >= 3).await.expect("it writes");
    }
    let mut before = Vec::new();
    for round in 0..3 {
        before = writers.iter().map(|(_, heard)| *heard.borrow()).collect();
        let url = place.url("live.db");
        let first = first.clone();
        let said =
            tokio::task::spawn_blocking(move || done(&url, &["backup", "--force", text(&first)])).await;
        assert!(said.expect("it ran").contains("integrity ok"), "round {round}");
    }
    let after: Vec<_> = writers.iter().map(|(_, heard)| *heard.borrow()).collect();
    assert!(after.iter().sum::<usize>() > before.iter().sum(), "the writers went on meanwhile");
    for (writer, heard) in writers {
        drop(heard);
        writer.await.expect("every write was taken");
    }
    drop(server);
    assert_eq!(mode(&first), 0o600);
    assert!(place.beside("first.db").is_empty(), "{:?}", place.names());

    let said = done(&again, &["restore", text(&first)]);
    assert!(said.contains("users 8") && !said.contains("pending") && !said.contains("before:"), "{said}");
    let server = Program::start(Engine::Sqlite, &[("DATABASE_URL", &again)]).await;
    for (i, before) in before.iter().enumerate() {
        let user = server.user(&format!("user{i}"));
        let stats = user.get("/api/v1/tasks/stats").await;
        let total = stats.is(200)["total"].as_u64().expect("a number");
        assert!(total >= u64::try_from(*before).expect("few"), "user{i} had {before}, has {total}");
        user.tasks().create(json!({"title": "And on"})).await.is(201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_keeps_the_old_file_and_its_log_goes_nowhere_near_the_new_one() {
    let place = Place::new();
    let url = place.url("live.db");
    let mut server = Program::start(Engine::Sqlite, &[("DATABASE_URL", &url)]).await;
    server.user("ann").tasks().create(json!({"title": "Then"})).await.is(201);
    done(&url, &["backup", text(&place.path("then.db"))]);
    let etag = server.user("ann").get("/api/tasks/1").await.header("etag").expect("an ETag").to_owned();
    server.user("ann").tasks().create(json!({"title": "Later"})).await.is(201);
    // Killed, it leaves a log with rows in it.
    server.kill();
    assert!(fs::metadata(place.path("live.db-wal")).expect("a log").len() > 0);
    let why = refused(&url, &["restore", text(&place.path("then.db"))]);
    assert!(why.contains("has rows already") && why.contains("--force"), "{why}");

    let said = done(&url, &["restore", "--force", text(&place.path("then.db"))]);
    let aside = said.lines().find_map(|line| line.strip_prefix("the database that was there before: "));
    let aside = PathBuf::from(aside.unwrap_or_else(|| panic!("{said}")));
    assert_eq!((tasks(&aside), mode(&place.path("live.db"))), (2, 0o600));
    assert_eq!(place.beside("live.db"), [aside.file_name().and_then(|name| name.to_str()).expect("a name")]);
    server.again().await;
    let ann = server.user("ann");
    assert_eq!(ann.tasks().titles("").await, ["Then"]);
    assert_eq!(ann.get("/api/tasks/1").await.header("etag"), Some(etag.as_str()), "the row is as it was");
}

/// Numbers and versions go back with the rows, so an ETag of the time after the backup can fit another state: documented.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_was_answered_is_in_the_backup() {
    let place = Place::new();
    let server = Program::start(Engine::Sqlite, &[("DATABASE_URL", &place.url("live.db"))]).await;
    let post = || {
        crate::harness::Request::new("POST", "/api/tasks")
            .header("Idempotency-Key", "k")
            .json(&json!({"title": "Once"}))
    };
    let row = server.user("ann").send(post()).await.is(201);
    done(&place.url("live.db"), &["backup", text(&place.path("b.db"))]);
    done(&place.url("new.db"), &["restore", text(&place.path("b.db"))]);
    let server = Program::start(Engine::Sqlite, &[("DATABASE_URL", &place.url("new.db"))]).await;
    let answer = server.user("ann").send(post()).await;
    assert_eq!(answer.is(201), row);
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    assert_eq!(server.user("ann").tasks().titles("").await, ["Once"]);
}

/// An erased user's texts are not in the free pages of a copy either.
#[test]
fn what_was_deleted_is_not_in_a_backup() {
    let place = Place::new();
    let file = place.database("live.db", 50);
    let sql = "update tasks set title = 'canary', description = 'canary', description_fold = 'canary'; delete from users";
    let connection = rusqlite::Connection::open(&file).expect("it opens");
    connection
        .execute_batch(&format!("pragma foreign_keys = on; {sql}; pragma wal_checkpoint(truncate)"))
        .expect("gone");
    let holds = |file: &Path| fs::read(file).expect("bytes").windows(6).any(|part| part == b"canary");
    assert!(holds(&file), "the file itself still has it in a free page");
    done(&place.url("live.db"), &["backup", text(&place.path("b.db"))]);
    assert!(!holds(&place.path("b.db")));
}
