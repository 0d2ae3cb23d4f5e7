//! What is not copied, and what is said about it.

use serde_json::json;

use super::{Move, bare, rows, run, strip, variable};
use crate::harness::{Behind, World};

const APPLIED: &str = "select count(*) from @creatorvault_migrations";

/// Takes the newest migration back; how many are left.
async fn take_back(world: &World, behind: &Behind) -> i64 {
    let mut command = bare();
    command.args(["migrate", "down"]);
    for name in ["DATABASE_URL", "DATABASE_SCHEMA"] {
        command.env(name, variable(world, name));
    }
    let before = behind.number(APPLIED).await;
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let left = behind.number(APPLIED).await;
    assert!(left > 0 && left == before - 1, "{left}");
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_with_rows_is_refused() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "Mine"})).await.is(201);
    let kept = pair.to.user("bob").tasks().create(json!({"title": "Kept"})).await.is(201);
    pair.refuses("has rows in");
    let behind = pair.to.behind().await;
    assert_eq!(rows(&behind).await, 2);
    assert_eq!(pair.to.user("bob").tasks().read(&kept["id"]).await.is(200), kept);
    // A single row that is nobody's task.
    behind.run("delete from @tasks").await;
    pair.refuses(".users already");
    // The tables of an older version are not brought up to date either.
    let applied = take_back(&pair.to, &behind).await;
    pair.refuses(".users already");
    assert_eq!(behind.number(APPLIED).await, applied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_target_without_rows_is_brought_up_to_date() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "Mine"})).await.is(201);
    let behind = pair.to.behind().await;
    let applied = take_back(&pair.to, &behind).await;
    assert_eq!(pair.copy()["rows"], 2);
    assert_eq!(behind.number(APPLIED).await, applied + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_of_somebody_else_is_left_alone() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "Mine"})).await.is(201);
    let behind = pair.to.behind().await;
    strip(&behind).await;
    behind.run("create table @tasks (id bigint); insert into @tasks values (7)").await;
    pair.refuses("tasks is there already, and these migrations did not make it");
    assert_eq!(behind.number("select id from @tasks").await, 7);
    assert_eq!(run(pair.command(&["--verify"], "")).code, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_of_another_version_are_refused() {
    for target in [false, true] {
        let pair = Move::new().await;
        pair.from.user("ann").tasks().create(json!({"title": "Mine"})).await.is(201);
        let behind = if target { pair.to.behind().await } else { pair.from.behind().await };
        let later =
            "insert into @creatorvault_migrations (version, name, checksum) values (9000, 'later', '')";
        behind.run(later).await;
        pair.refuses("has the migration 9000_later, which this version does not know");
        behind.run("delete from @creatorvault_migrations where version = 9000").await;
        behind.run("update @creatorvault_migrations set checksum = 'other' where version = 1").await;
        pair.refuses("was applied to this database with another text");
        assert_eq!(rows(&pair.to.behind().await).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_without_its_migrations_is_refused_with_the_cure() {
    let pair = Move::new().await;
    let file = variable(&pair.from, "DATABASE_URL");
    strip(&pair.from.behind().await).await;
    let cure = format!("run `creatorvault migrate up` with DATABASE_URL={file} first");
    pair.refuses(&cure);
    let mut migrate = bare();
    migrate.args(["migrate", "up"]).env("DATABASE_URL", &file);
    assert_eq!(run(migrate).code, Some(0));
    pair.copy();
    pair.from.behind().await.run("drop table @idempotency_texts").await;
    let ran = run(pair.command(&["--verify"], ""));
    assert!(ran.code == Some(1) && ran.err.contains("cannot be read"), "{ran:?}");
}

/// A URL with a password need not stand in the list of processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_out_of_the_environment_is_named_and_its_password_is_not() {
    let file = "sqlite://not-there.db";
    let copy = |args: &[&str], name: &str, value: &str| {
        let mut command = bare();
        command.args(["copy", "--from", file]).args(args).env(name, value);
        let ran = run(command);
        assert!(ran.out.is_empty() && !ran.err.contains("canary"), "{args:?}: {ran:?}");
        (ran.code, ran.err)
    };
    let good = "postgresql://ann:canary@127.0.0.1:1/d";
    let env = ["--to-env", "NEW_URL"];
    for (args, value, text) in [
        (
            &env[..],
            "postgresql://ann:canary@h/d?sslmode=canary",
            "environment variable must have sslmode as one of",
        ),
        (&env[..], "canary", "environment variable must start with postgresql://"),
        (&env[..], "sqlite://canary.db", "from a SQLite file to PostgreSQL only"),
        (&["--to-env", "OTHER"], good, "no such environment variable is set"),
        (&["--to-env", good], good, "no such environment variable is set"),
        (&["--to-env", "NEW_URL", "--to", "postgresql://h/d"], good, "cannot be used with"),
    ] {
        let (code, err) = copy(args, "NEW_URL", value);
        assert!(code == Some(2) && err.contains(text), "{args:?}, {text}: {err}");
    }
    for value in ["sqlite://canary.db", ""] {
        let (code, err) = copy(&[], "DATABASE_URL", value);
        assert!(code == Some(1) && err.contains("DATABASE_URL names no PostgreSQL database"), "{err}");
    }

    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "Mine"})).await.is(201);
    let schema = variable(&pair.to, "DATABASE_SCHEMA");
    let url = variable(&pair.to, "DATABASE_URL");
    let with = |args: &[&str], vars: &[(&str, &str)]| {
        let mut command = bare();
        command
            .args(["copy", "--from", &variable(&pair.from, "DATABASE_URL"), "--schema", &schema])
            .args(args);
        run({
            command.envs(vars.iter().copied());
            command
        })
    };
    // What a message names is what was given.
    for (args, vars, text) in [
        (&env[..], &[("NEW_URL", good)][..], "--to-env NEW_URL: PostgreSQL at 127.0.0.1:1"),
        (&[], &[("DATABASE_URL", good)], "DATABASE_URL: PostgreSQL at 127.0.0.1:1"),
        (&[], &[("DATABASE_URL", &url), ("DATABASE_DIRECT_URL", good)], "DATABASE_DIRECT_URL: PostgreSQL at"),
    ] {
        let ran = with(args, vars);
        assert!(ran.code == Some(1) && ran.err.contains(text) && !ran.err.contains("canary"), "{ran:?}");
    }
    assert_eq!(with(&env, &[("NEW_URL", &url), ("DATABASE_URL", good)]).code, Some(0));
    let verified = with(&["--verify"], &[("DATABASE_URL", &url)]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misuse_is_two_and_no_password_is_told() {
    let secret = "postgresql://ann:canary@127.0.0.1:1/d";
    let copy = |args: &[&str]| {
        let mut command = bare();
        command.arg("copy").args(args);
        let ran = run(command);
        assert!(
            ran.out.is_empty() && !ran.err.is_empty() && !ran.err.contains("canary"),
            "{args:?}: {ran:?}"
        );
        ran
    };
    for (from, to) in [
        (secret, "sqlite://x.db"),
        (secret, secret),
        ("sqlite://x.db", "sqlite://y.db"),
        ("sqlite://x.db", "mysql://ann:canary@h/d"),
        ("sqlite://x.db", "postgresql://ann:canary@h/d?sslmode=canary"),
        ("postgresql://h/d?user=ann&password=canary", "postgresql://h/d"),
    ] {
        assert_eq!(copy(&["--from", from, "--to", to]).code, Some(2), "{from} {to}");
    }
    assert!(
        copy(&["--from", secret, "--to", "sqlite://x.db"])
            .err
            .contains("from a SQLite file to PostgreSQL only")
    );
    assert_eq!(copy(&["--from", "sqlite://x.db", "--to", secret, "--schema", "A b"]).code, Some(2));
    assert_eq!(copy(&[secret]).code, Some(2));
    let missing = copy(&["--from", "sqlite://not-there.db", "--to", secret]);
    assert!(missing.code == Some(1) && missing.err.contains("there is no file not-there.db"), "{missing:?}");

    let pair = Move::new().await;
    let file = variable(&pair.from, "DATABASE_URL");
    let down = copy(&["--from", &file, "--to", secret]);
    assert!(
        down.code == Some(1) && down.err.contains("nothing was copied: see that the server runs"),
        "{down:?}"
    );
}
