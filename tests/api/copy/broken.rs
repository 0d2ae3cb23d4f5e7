//! What breaks a copy leaves nothing behind, and what was changed afterwards is found.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Move, Ran, rows};
use crate::harness::World;

impl Ran {
    pub(super) fn from(child: Child) -> Self {
        let output = child.wait_with_output().expect("it ends");
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// So many long tasks of seven users.
async fn fill(world: &World, count: usize) {
    let sql = format!(
        "insert into @users (id) values ('u0'), ('u1'), ('u2'), ('u3'), ('u4'), ('u5'), ('u6'); \
         with recursive n(n) as (select 1 union all select n + 1 from n where n < {count}) \
         insert into @tasks (user_id, id, number, title, title_fold, description, description_fold, tags) \
         select 'u' || (n % 7), randomblob(16), n, 'Task', 'task', hex(zeroblob(1000)), hex(zeroblob(1000)), '[\"t\"]' from n; \
         insert into @task_tags (user_id, tag, task_id) select user_id, 't', id from @tasks"
    );
    world.behind().await.run(&sql).await;
}

/// The most memory that the process has had, in KiB.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_leaves_nothing_and_the_next_one_is_whole_in_little_memory() {
    const ROWS: usize = 12_000;
    let pair = Move::new().await;
    fill(&pair.from, ROWS).await;
    let behind = pair.to.behind().await;
    // All tasks are there, and the kill comes before the rest.
    behind
        .run(
            "create function @slow() returns trigger language plpgsql as 'begin perform pg_sleep(3); return null; end'; \
             create trigger slow after insert on @tasks for each statement execute function @slow()",
        )
        .await;
    let mut child = pair.command(&[], "").spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(lines.any(|line| line.expect("a line").starts_with("copying users: 7 rows")));
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    child.kill().expect("it runs");
    let ended = child.wait().expect("it ends");
    assert_eq!(ended.code(), None, "it was killed before its end");
    assert_eq!(rows(&behind).await, 0);
    behind.run("drop trigger slow on @tasks").await;
    assert_eq!(rows(&behind).await, 0);

    let folder = tempfile::tempdir().expect("a folder");
    let mut command = pair.command(&["--json", "--users"], "");
    let mut child = command.arg(folder.path().join("users.jsonl")).spawn().expect("it starts");
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        most = most.max(peak(&child).unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ran = Ran::from(child);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(rows(&behind).await, 7 + 2 * i64::try_from(ROWS).expect("few"));
    // The rows are some 50 MB.
    assert!((1_000..48_000).contains(&most), "{most} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_was_changed_afterwards_is_found_by_user_and_table() {
    let pair = Move::new().await;
    for name in ["ann", "bob"] {
        for title in ["One", "Two"] {
            pair.from.user(name).tasks().create(json!({"title": title, "tags": ["a", "b"]})).await.is(201);
        }
        pair.from.user(name).ideas().create(json!({"title": "canary"})).await.is(201);
    }
    pair.copy();
    let verify = |json: bool| {
        let ran = pair.run(if json { &["--verify", "--json"] } else { &["--verify"] });
        assert!(!ran.err.contains("canary"), "{ran:?}");
        ran
    };
    assert_eq!(verify(false).code, Some(0));
    let behind = pair.to.behind().await;
    behind.run("update @tasks set tags = '[\"b\", \"a\"]' where user_id = 'ann' and number = 2").await;
    behind
        .run("update @ideas set updated_at = updated_at + interval '1 microsecond' where user_id = 'bob'")
        .await;
    behind.run("delete from @tasks where user_id = 'bob' and number = 1").await;
    behind.run("insert into @users (id) values ('cleo')").await;
    let ran = verify(false);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    for line in [
        "user ann, tasks: 2 rows on both sides, and not the same",
        "user bob, ideas: 1 row on both sides, and not the same",
        "user bob, tasks: 2 rows in the source, 1 in the target",
        "user bob, task_tags: 4 rows in the source, 2 in the target",
        "user cleo, users: 0 rows in the source, 1 in the target",
    ] {
        assert!(ran.err.lines().any(|said| said == line), "{line}: {ran:?}");
    }
    let ran = verify(true);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&report["same"], &report["differing"]), (&json!(false), &json!(5)));
    assert!(
        report["differences"]
            .as_array()
            .expect("a list")
            .contains(&json!({"user": "bob", "table": "tasks", "rows": 2, "target_rows": 1}))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_read_back_as_it_was_written_does_not_stay() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "canary"})).await.is(201);
    let behind = pair.to.behind().await;
    behind
        .run(
            "create function @odd() returns trigger language plpgsql as 'begin new.title := lower(new.title) || ''!''; \
             return new; end'; create trigger odd before insert on @tasks for each row execute function @odd()",
        )
        .await;
    let ran = pair.refuses("do not read back as they were written");
    assert!(
        ran.err.contains("user ann, tasks: 1 row on both sides") && !ran.err.contains("canary"),
        "{ran:?}"
    );
    assert_eq!(rows(&behind).await, 0);
    behind.run("drop trigger odd on @tasks").await;
    pair.copy();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_postgresql_cannot_hold_are_named_and_nothing_is_copied() {
    let pair = Move::new().await;
    let ann = pair.from.user("ann");
    let mut ids = Vec::new();
    for _ in 0..5 {
        let task = ann.tasks().create(json!({"title": "canary"})).await.is(201);
        ids.push(task["id"].as_str().expect("an id").to_owned());
    }
    ann.ideas().create(json!({"title": "canary"})).await.is(201);
    let source = pair.from.behind().await;
    let change = async |number: usize, what: &str| {
        source.run(&format!("update @tasks set {what} where number = {number}")).await;
    };
    change(1, "title_fold = 'canary' || char(0)").await;
    change(2, "due_date = -9223372036854775807").await;
    change(3, "tags = '[1]'").await;
    change(4, "title = cast(x'ff' as text)").await;
    source.run("update @ideas set updated_at = -9000000000000000000").await;
    let ran = pair.refuses("PostgreSQL cannot hold 5 rows");
    for (id, what) in [
        (&ids[0], "title_fold holds the character U+0000, which PostgreSQL cannot"),
        (&ids[1], "due_date is a time before those that PostgreSQL holds"),
        (&ids[2], "tags does not read as array of strings"),
        (&ids[3], "title does not read as text"),
    ] {
        let line = format!("tasks, user ann, id {id}: {what}");
        assert!(ran.err.lines().any(|said| said == line), "{line}: {ran:?}");
    }
    assert!(ran.err.contains("\nideas, user ann, id ") && !ran.err.contains("canary"), "{ran:?}");
    assert_eq!(rows(&pair.to.behind().await).await, 0);

    source.run("delete from @tasks where number < 5; delete from @ideas").await;
    // A year that the API does not take, and PostgreSQL does: the last that SQLite holds.
    change(5, "due_date = 9223372036854775807").await;
    pair.copy();
    assert_eq!(pair.to.user("ann").tasks().rows("").await, pair.from.user("ann").tasks().rows("").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_without_its_user_is_told() {
    let pair = Move::new().await;
    let source = pair.from.behind().await;
    source.run("pragma foreign_keys = off; insert into @task_tags values ('ann', 't', zeroblob(16))").await;
    let ran = pair.refuses("`pragma foreign_key_check` in sqlite3 names it");
    assert!(ran.err.contains("task_tags"), "{ran:?}");
    assert_eq!(rows(&pair.to.behind().await).await, 0);
}
