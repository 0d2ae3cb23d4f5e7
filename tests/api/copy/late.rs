//! What is written while it copies.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Move, Ran, bare, rows, run, variable};
use crate::harness::Behind;

/// Where a copy waits until a test lets it go on.
struct Gate {
    behind: Behind,
}

impl Gate {
    /// Inside the copy: the source's moment has come, and no row is in the target.
    const FILLING: &str =
        "create trigger gate before insert on @users for each statement execute function @gate()";
    /// Inside the commit: everything was compared.
    const COMMITTING: &str = "create constraint trigger gate after insert on @users deferrable initially deferred \
                              for each row execute function @gate()";

    async fn new(pair: &Move, trigger: &str) -> Self {
        let behind = pair.to.behind().await;
        // A sequence moves on at once for everybody, whatever becomes of the transaction.
        let made = "create sequence @reached; create table @opened (at timestamptz); \
                    create function @gate() returns trigger language plpgsql as $$ begin \
                    perform nextval('@reached'); \
                    for i in 1..3000 loop \
                    if exists (select from @opened) then return null; end if; perform pg_sleep(0.01); \
                    end loop; raise exception 'nobody opened the gate'; end $$; ";
        behind.run(&format!("{made}{trigger}")).await;
        Self { behind }
    }

    async fn reached(&self) {
        until(&self.behind, "select is_called::int::bigint from @reached").await;
    }

    async fn open(&self) {
        self.behind.run("insert into @opened values (now())").await;
    }
}

/// Waits until this counts something.
async fn until(behind: &Behind, sql: &str) {
    let begun = Instant::now();
    while behind.number(sql).await == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "still none: {sql}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The end of a copy that has failed, with its JSON.
fn failed(child: Child, text: &str) -> Value {
    let ran = Ran::from(child);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.lines().last().is_some_and(|line| line.contains(text)), "{text}: {ran:?}");
    let nothing = ran.err.contains("nothing was copied");
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(report["copied"], !nothing, "{ran:?}");
    report
}

/// As somebody does who forgot the server: it goes on writing what would be missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_written_to_meanwhile_is_not_copied() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "First"})).await.is(201);
    let gate = Gate::new(&pair, Gate::FILLING).await;
    let child = pair.command(&["--json"], "").spawn().expect("it starts");
    gate.reached().await;
    pair.from.user("ann").tasks().create(json!({"title": "Too late"})).await.is(201);
    gate.open().await;
    let report = failed(
        child,
        "was written to while it was copied; nothing was copied: stop the server that runs on it, and run this again",
    );
    assert_eq!((&report["same"], &report["source_changed"]), (&json!(true), &json!(true)));
    assert_eq!(rows(&gate.behind).await, 0);
    // As text: no report that could pass for a success.
    gate.behind.run("delete from @opened; alter sequence @reached restart").await;
    let child = pair.command(&[], "").spawn().expect("it starts");
    gate.reached().await;
    pair.from.user("ann").tasks().create(json!({"title": "Again"})).await.is(201);
    gate.open().await;
    let ran = Ran::from(child);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");

    assert_eq!(pair.copy()["source_changed"], json!(false));
    assert_eq!(pair.to.user("ann").tasks().rows("").await.len(), 3);
}

/// The file is not locked, so a last moment stays, and is told with its own cure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_during_the_commit_is_told_and_the_cure_helps() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "First", "tags": ["a"]})).await.is(201);
    let gate = Gate::new(&pair, Gate::COMMITTING).await;
    let child = pair.command(&["--json"], "").spawn().expect("it starts");
    gate.reached().await;
    pair.from.user("ann").tasks().create(json!({"title": "Too late"})).await.is(201);
    gate.open().await;
    let cure =
        format!("empty the target (`delete from \"{}\".users`)", gate.behind.schema().expect("a schema"));
    let report = failed(child, &cure);
    assert_eq!((&report["copied"], &report["source_changed"]), (&json!(true), &json!(true)));
    assert_eq!(pair.to.user("ann").tasks().titles("").await, ["First"]);
    gate.behind.run("delete from @users").await;
    pair.copy();
    assert_eq!(pair.to.user("ann").tasks().rows("").await.len(), 2);
}

/// A file that can be read no more once all is done: it must not be said that nothing was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_lost_after_the_commit_undoes_nothing_and_nobody_says_so() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "Mine"})).await.is(201);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("one.db");
    pair.from.behind().await.run(&format!("vacuum into '{}'", file.display())).await;
    let gate = Gate::new(&pair, Gate::COMMITTING).await;
    let mut command = bare();
    command.args(["copy", "--from"]).arg(&file);
    command.args(["--to", &variable(&pair.to, "DATABASE_URL")]);
    command.args(["--schema", &variable(&pair.to, "DATABASE_SCHEMA")]);
    let child = command.spawn().expect("it starts");
    gate.reached().await;
    std::fs::write(&file, [7; 8192]).expect("the file is ours");
    gate.open().await;
    let ran = Ran::from(child);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let told = "everything was copied and compared, and stays";
    assert!(ran.err.contains(told) && !ran.err.contains("nothing was copied"), "{ran:?}");
    assert_eq!(pair.to.user("ann").tasks().titles("").await, ["Mine"]);
}

/// A server was started on the target too early: its writes wait for the end of the copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_the_target_waits() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "First"})).await.is(201);
    let gate = Gate::new(&pair, Gate::FILLING).await;
    // A time limit of the connection's own does not end it.
    let mut command = pair.command(&["--json"], "?options=-c%20statement_timeout%3D700");
    let child = command.spawn().expect("it starts");
    gate.reached().await;
    let ann = pair.to.user("ann");
    let early = tokio::spawn(async move { ann.tasks().create(json!({"title": "Too early"})).await });
    let waits = format!(
        "select count(*) from pg_locks l join pg_class c on c.oid = l.relation \
         where c.relnamespace = '{}'::regnamespace and not l.granted",
        gate.behind.schema().expect("a schema")
    );
    until(&gate.behind, &waits).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    gate.open().await;
    let ran = Ran::from(child);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&report["rows"], &report["source_changed"]), (&json!(2), &json!(false)));
    assert_eq!(early.await.expect("an answer").is(201)["number"], 2, "it waited for the copy");
    let mut titles = pair.to.user("ann").tasks().titles("").await;
    titles.sort();
    assert_eq!(titles, ["First", "Too early"]);
    assert_eq!(run(pair.command(&["--verify"], "")).code, Some(1), "the task that came afterwards");
}
