//! `creatorvault copy`: from a SQLite file, with a server on it, into PostgreSQL.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Behind, Engine, World};

mod broken;
mod guarded;
mod late;
mod refusals;
mod same;
mod users;

/// A server on a SQLite file, and one on an empty PostgreSQL schema.
struct Move {
    from: World,
    to: World,
}

/// What a run left behind.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Move {
    async fn new() -> Self {
        Self::to(Engine::Postgres).await
    }

    async fn to(engine: Engine) -> Self {
        Self { from: World::open(Engine::Sqlite, &[]).await, to: World::open(engine, &[]).await }
    }

    /// The command with both ends named, the target's URL with this at its end.
    fn command(&self, args: &[&str], keys: &str) -> Command {
        let url = |world: &World| variable(world, "DATABASE_URL");
        let mut command = bare();
        command
            .args(["copy", "--from", &url(&self.from), "--to", &format!("{}{keys}", url(&self.to))])
            .args(["--schema", &variable(&self.to, "DATABASE_SCHEMA")])
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        run(self.command(args, ""))
    }

    /// Copies, and reads the report.
    fn copy(&self) -> Value {
        let ran = self.run(&["--json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str(&ran.out).expect("JSON")
    }

    /// Fails with one line, which says this, and leaves the target as it is.
    fn refuses(&self, text: &str) -> Ran {
        let ran = self.run(&[]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.err.lines().last().is_some_and(|line| line.contains(text)), "{text}: {ran:?}");
        ran
    }
}

/// The binary in an environment of its own.
fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creatorvault"));
    command
        .env_clear()
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))) // a measured build writes there
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(mut command: Command) -> Ran {
    let output = command.output().expect("the binary runs");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn variable(world: &World, name: &str) -> String {
    let vars = world.vars();
    let found = vars.into_iter().find(|(variable, _)| variable == name);
    found.unwrap_or_else(|| panic!("{name} is not set")).1
}

/// Rows in all tables of ours.
async fn rows(behind: &Behind) -> i64 {
    let mut rows = 0;
    for table in
        ["users", "tasks", "task_tags", "ideas", "idea_tags", "idempotency_keys", "idempotency_texts"]
    {
        rows += behind.number(&format!("select count(*) from @{table}")).await;
    }
    rows
}

/// Takes all tables out of a schema, with the book of migrations.
async fn strip(behind: &Behind) {
    behind
        .run(
            "drop table @idempotency_texts; drop table @idempotency_keys; drop table @idea_tags; drop table @ideas; \
             drop table @task_tags; drop table @tasks; drop table @users; drop table @creatorvault_migrations",
        )
        .await;
}
