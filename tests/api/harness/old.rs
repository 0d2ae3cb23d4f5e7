//! The database of another back end, and the command that takes its rows over.

use std::process::{Command, Stdio};

use creatorvault::clock::Clock;

use super::World;
use super::world::{connect, test_server};

/// Another back end's database: a SQLite file, or a schema of PostgreSQL's. Gone when it is dropped.
#[derive(Debug)]
pub(crate) enum Old {
    Sqlite(tempfile::TempDir),
    Postgres { schema: String },
}

impl Old {
    /// One of each engine, empty.
    pub(crate) async fn both() -> [Self; 2] {
        let schema = format!("old_{}", Clock::system().random_id().simple());
        let client = connect(&test_server("TEST_POSTGRES_URL")).await;
        client.batch_execute(&format!("create schema {schema}")).await.expect("a schema of its own");
        [Self::Sqlite(tempfile::tempdir().expect("a temporary folder")), Self::Postgres { schema }]
    }

    /// As the command line takes it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:///{}", folder.path().join("old.db").display()),
            Self::Postgres { schema } => {
                let url = test_server("TEST_POSTGRES_URL").replace("postgresql://", "postgresql+asyncpg://");
                format!("{url}?options=-csearch_path%3D{schema}")
            }
        }
    }

    /// The name of a table as `--table` finds it without a search path.
    pub(crate) fn table(&self, name: &str) -> String {
        match self {
            Self::Sqlite(_) => name.to_owned(),
            Self::Postgres { schema } => format!("{schema}.{name}"),
        }
    }

    /// Runs SQL of that engine: the first text is SQLite's, the second PostgreSQL's.
    pub(crate) async fn run(&self, sqlite: &str, postgres: &str) {
        match self {
            Self::Sqlite(folder) => {
                let file = rusqlite::Connection::open(folder.path().join("old.db")).expect("a file");
                file.execute_batch(sqlite).expect("SQL of SQLite's");
            }
            Self::Postgres { schema } => {
                let client = connect(&test_server("TEST_POSTGRES_URL")).await;
                let sql = format!("set search_path to {schema}; {postgres}");
                client.batch_execute(&sql).await.expect("SQL of PostgreSQL's");
            }
        }
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let Self::Postgres { schema } = self else { return };
        let drop = format!("set lock_timeout = '5s'; drop schema {schema} cascade");
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                connect(&test_server("TEST_POSTGRES_URL")).await.batch_execute(&drop).await.ok()
            });
        })
        .join()
        .ok();
    }
}

/// What a command has said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The sums at the end: read, taken, already there, refused, users made.
    pub(crate) fn sums(&self) -> [i64; 5] {
        let sum = |name: &str| {
            let line = self
                .out
                .lines()
                .find(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ").starts_with(name));
            let number =
                line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok());
            number.unwrap_or_else(|| panic!("no sum of {name}: {self:?}"))
        };
        [sum("rows read"), sum("taken"), sum("already there"), sum("refused"), sum("users made")]
    }

    /// The rows that were refused.
    pub(crate) fn refused(&self) -> Vec<&str> {
        self.out.lines().filter_map(|line| line.strip_prefix("refused ")).collect()
    }
}

/// The command, with a world's settings.
pub(crate) fn command(world: &World, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creatorvault"));
    command
        .args(args)
        .env_clear()
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))) // a measured build writes there
        .envs(world.vars())
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(world: &World, args: &[&str]) -> Ran {
    let output = command(world, args).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("it says text");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// `import` from there, with more arguments.
pub(crate) fn import(world: &World, old: &Old, more: &[&str]) -> Ran {
    let url = old.url();
    let args: Vec<&str> = ["import", "--from", &url].iter().chain(more).copied().collect();
    run(world, &args)
}
