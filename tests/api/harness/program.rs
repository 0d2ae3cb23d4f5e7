//! The real binary as a process of its own, for what only a process shows: its end and its log.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use creatorvault::clock::Clock;
use tokio::net::TcpStream;

use super::world::{Home, claim};
use super::{Behind, Engine, Request, User};

/// A running server, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    child: Child,
    vars: Vec<(String, String)>,
    folder: tempfile::TempDir,
    /// None for a server beside another one, in whose home it lives.
    home: Option<Home>,
}

impl Program {
    /// Starts one with an empty database, with these variables beside (or instead of) the usual ones.
    pub(crate) async fn start(engine: Engine, vars: &[(&str, &str)]) -> Self {
        Self::until(engine, vars, true).await
    }

    /// As [`Program::start`], but waits only until it listens.
    pub(crate) async fn launch(engine: Engine, vars: &[(&str, &str)]) -> Self {
        Self::until(engine, vars, false).await
    }

    async fn until(engine: Engine, vars: &[(&str, &str)], ready: bool) -> Self {
        let home = Home::make(engine).await;
        let mut all = home.vars(engine);
        all.push(("HOST".to_owned(), "127.0.0.1".to_owned()));
        all.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (child, address) = begin(&all, folder.path().join("log"), ready).await;
        Self { address, child, vars: all, folder, home: Some(home) }
    }

    /// Another server on the same database, which must not outlive this one.
    pub(crate) async fn beside(&self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (child, address) = begin(&self.vars, folder.path().join("log"), true).await;
        Self { address, child, vars: self.vars.clone(), folder, home: None }
    }

    /// Starts it again, where it has ended.
    pub(crate) async fn again(&mut self) {
        assert!(self.child.try_wait().expect("a child").is_some(), "it still runs");
        let log = self.log_file();
        (self.child, self.address) = begin(&self.vars, log, true).await;
    }

    /// SIGKILL: it ends where it stands.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// SIGTERM: it is asked to end.
    pub(crate) fn ask_to_end(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    }

    /// How it ended, once it has.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All that it has written to its output and to its errors.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).expect("the log is text")
    }

    /// A user with a token that claims just this.
    pub(crate) fn claiming(&self, id: &str, email: Option<&str>, name: Option<&str>) -> User {
        let secret = self.vars.iter().rev().find(|(name, _)| name == "BETTER_AUTH_SECRET");
        let secret = &secret.expect("a secret is always set").1;
        let token = claim(secret, id, email, name, Duration::from_secs(3_600), &Clock::system());
        User { id: id.to_owned(), token, address: self.address }
    }

    /// A user with a token.
    pub(crate) fn user(&self, id: &str) -> User {
        self.claiming(id, None, None)
    }

    /// The database, past the server.
    pub(crate) async fn behind(&self) -> Behind {
        self.home.as_ref().expect("a home of its own").behind().await
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts the process on a free port and waits until it listens, or also until it is ready.
async fn begin(vars: &[(String, String)], log: PathBuf, ready: bool) -> (Child, SocketAddr) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("it is bound");
    drop(free);
    let log = File::options().create(true).append(true).open(log).expect("a file for the log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_creatorvault"))
        .env_clear()
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))) // a measured build writes there
        .envs(vars.iter().map(|(name, value)| (name, value)))
        .env("PORT", address.port().to_string())
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log twice"))
        .stderr(log)
        .spawn()
        .expect("the binary starts");
    let began = Instant::now();
    loop {
        let listens = TcpStream::connect(address).await.is_ok();
        if listens && (!ready || Request::new("GET", "/health/ready").send(address).await.status == 200) {
            return (child, address);
        }
        assert!(child.try_wait().expect("a child").is_none(), "it has ended");
        assert!(began.elapsed() < Duration::from_secs(30), "not ready in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
