//! The program under trial, as it is released.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use creatorvault::auth::mint::{NewToken, mint};
use creatorvault::clock::Clock;
use creatorvault::config::Secret;

use crate::client::{Call, Client};
use crate::process;

const SECRET: &str = "torture-hQ2v7Lr9TzW4mB8nYs5cUh1dFg6jPa0oIiEeRt";

/// The release build.
pub(crate) fn program() -> PathBuf {
    let path = std::env::var_os("TORTURE_PROGRAM").map(PathBuf::from);
    path.expect("TORTURE_PROGRAM is set by scripts/torture")
}

/// A token for a user that is good as long as any run.
pub(crate) fn token(user: &str) -> String {
    let ttl = Duration::from_secs(3 * 3_600);
    let claims = NewToken { user: user.to_owned(), email: None, name: None, ttl };
    mint(&Secret::new(SECRET), claims, Clock::system().now())
}

/// A server on a port that it keeps over its restarts.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    vars: Vec<(String, String)>,
    id: u32,
}

impl Server {
    /// Starts one and waits until it is ready.
    pub(crate) async fn start(folder: &Path, url: &str, vars: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare(folder, url, vars);
        server.launch();
        server.until_ready().await;
        server
    }

    /// One that is not started yet.
    fn prepare(folder: &Path, url: &str, vars: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("DATABASE_URL", url),
            ("BETTER_AUTH_SECRET", SECRET),
            ("HOST", "127.0.0.1"),
            ("LOG_LEVEL", "warning"),
            ("RATE_LIMIT", "off"),
        ];
        all.extend(vars);
        Self {
            address: ([127, 0, 0, 1], free_port()).into(),
            folder: folder.to_owned(),
            vars: all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            id: 0,
        }
    }

    /// Starts the process and does not wait.
    fn launch(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let mut command = Command::new(program());
        command
            .env_clear()
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .env("PORT", self.address.port().to_string())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log twice"))
            .stderr(log);
        self.id = process::spawn(&mut command);
    }

    /// Starts it again after its end and waits until it is ready: how long that took.
    pub(crate) async fn again(&mut self) -> Duration {
        let began = Instant::now();
        self.launch();
        self.until_ready().await;
        began.elapsed()
    }

    async fn until_ready(&self) {
        let began = Instant::now();
        while !self.is_ready().await {
            if let Some(status) = process::ended(self.id) {
                panic!("the server ended while it started: {status}\n{}", self.end_of_log());
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the server is not ready\n{}",
                self.end_of_log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let mut client = self.client("nobody");
        client.send(&Call::get("/health/ready")).await.is_ok_and(|answer| answer.status == 200)
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn kill(&self) {
        process::kill(self.id);
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn end(&self) -> ExitStatus {
        process::signal("TERM", &[self.id]);
        let began = Instant::now();
        loop {
            if let Some(status) = process::ended(self.id) {
                return status;
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the server does not end\n{}",
                self.end_of_log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn client(&self, user: &str) -> Client {
        Client::new(self.address, token(user))
    }

    /// Resident memory in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id)).expect("it runs").count()
    }

    /// Whether the log tells of a panic.
    pub(crate) fn panicked(&self) -> bool {
        std::fs::read_to_string(self.log()).unwrap_or_default().contains("panicked")
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("log-{}", self.address.port()))
    }

    fn end_of_log(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// A port below the range that outgoing connections take, so that it stays free while its server is down.
fn free_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let own = u16::try_from(std::process::id() % 7_000).expect("small");
        let port = 12_000 + (own + step) % 8_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
