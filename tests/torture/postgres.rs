//! A PostgreSQL of the run's own, with fsync on, and a PgBouncer before it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use crate::process;

#[derive(Debug)]
pub(crate) struct Postgres {
    folder: PathBuf,
    url: String,
    pub(crate) port: u16,
}

/// Runs `scripts/postgres`; what it prints.
fn script(arguments: &[&str]) -> String {
    let mut command = Command::new("scripts/postgres");
    command.args(arguments).env("POSTGRES_OPTIONS", "-c fsync=on -c full_page_writes=on");
    // What it starts lives on: it must not hold a pipe of ours open, so the output goes to a file.
    let place = tempfile::NamedTempFile::new().expect("a temporary file");
    let file = place.reopen().expect("the same file");
    let status = command.stdin(Stdio::null()).stdout(file).status().expect("scripts/postgres runs");
    let text = std::fs::read_to_string(place.path()).expect("the output is text");
    assert!(status.success(), "scripts/postgres {arguments:?}: {status}");
    text.trim().to_owned()
}

fn port(url: &str) -> u16 {
    let parsed: tokio_postgres::Config =
        url.split('?').next().unwrap_or_default().parse().expect("a URL that the script prints");
    parsed.get_ports().first().copied().expect("a port")
}

impl Postgres {
    pub(crate) async fn start(folder: &Path) -> Self {
        process::remember_folder(folder);
        let text = folder.display().to_string();
        let url = script(&["start", "distribution", &text]);
        let postgres = Self { folder: folder.to_owned(), port: port(&url), url };
        let fsync = postgres.client().await.query_one("show fsync", &[]).await.expect("an answer");
        assert_eq!(fsync.get::<_, String>(0), "on", "losses would prove nothing");
        postgres
    }

    /// The server's own database.
    pub(crate) async fn client(&self) -> tokio_postgres::Client {
        connect(&self.url).await.expect("PostgreSQL answers")
    }

    /// An empty database of its own: its URL.
    pub(crate) async fn database(&self, name: &str) -> String {
        let client = self.client().await;
        let drop = format!("drop database if exists \"{name}\" with (force)");
        client.batch_execute(&drop).await.expect("the old one goes");
        client.batch_execute(&format!("create database \"{name}\"")).await.expect("a database");
        self.url.replace("/postgres", &format!("/{name}"))
    }

    /// Waits until no statement runs in this database: one whose client was killed goes on to its end, and may commit.
    pub(crate) async fn is_quiet(&self, database: &str) {
        let client = self.client().await;
        let sql = "select count(*) from pg_stat_activity where datname = $1 and state <> 'idle'";
        let began = Instant::now();
        while client.query_one(sql, &[&database]).await.expect("a number").get::<_, i64>(0) > 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "a statement in {database} does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The server's process and all of its children.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let first = first_line(&self.folder.join("data/postmaster.pid"));
        let mut ids = vec![first];
        for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // "id (name) state parent …", where the name may hold anything.
            let parent =
                stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
            if parent == Some(first) {
                ids.push(id);
            }
        }
        ids
    }

    /// `kill -9` of every process of it.
    pub(crate) fn kill(&self) {
        let ids = self.processes();
        process::signal("KILL", &ids);
        let began = Instant::now();
        // The postmaster's parent, PID 1 or a keeper, has to have seen its end.
        while ids.iter().any(|id| is_running(*id)) && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Starts it again, on its port, with its data. Does not wait for its recovery: see [`Self::answers`].
    pub(crate) async fn again(&self) {
        let folder = self.folder.display().to_string();
        tokio::task::spawn_blocking(move || script(&["again", &folder])).await.expect("it starts again");
    }

    /// When it answers again, looked at every few milliseconds.
    pub(crate) async fn answers(&self) -> Instant {
        let began = Instant::now();
        loop {
            if let Ok(client) = connect(&self.url).await
                && client.query_one("select 1", &[]).await.is_ok()
            {
                return Instant::now();
            }
            assert!(began.elapsed() < Duration::from_secs(60), "PostgreSQL does not come back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Whether a process is there and not only waiting to be looked after.
fn is_running(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn first_line(file: &Path) -> u32 {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().next().and_then(|line| line.trim().parse().ok()).expect("a process id")
}

pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[derive(Debug)]
pub(crate) struct Pooler {
    folder: PathBuf,
    port: u16,
}

impl Pooler {
    pub(crate) fn start(folder: &Path, postgres: &Postgres) -> Self {
        process::remember_folder(folder);
        let url = script(&["pool", &folder.display().to_string(), &postgres.url]);
        Self { folder: folder.to_owned(), port: port(&url) }
    }

    /// The same database, through the pooler.
    pub(crate) fn url(&self, direct: &str) -> String {
        let (scheme_and_user, rest) = direct.split_once('@').expect("a user");
        let (_, database) = rest.split_once('/').expect("a database");
        format!("{scheme_and_user}@127.0.0.1:{}/{database}?pgbouncer=true", self.port)
    }

    pub(crate) fn process(&self) -> u32 {
        first_line(&self.folder.join("pgbouncer.pid"))
    }
}
