//! A Redis of one's own, to share with, to stop and to kill.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running Redis without a file, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    address: SocketAddr,
    password: &'static str,
    child: Child,
}

impl Redis {
    /// Starts one on a free port; an empty password is none.
    pub(crate) async fn start(password: &'static str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        Self { address, password, child: begin(address, password).await }
    }

    pub(crate) fn url(&self) -> String {
        let password = if self.password.is_empty() { String::new() } else { format!(":{}@", self.password) };
        format!("redis://{password}{}", self.address)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Starts it again, where it was before, with nothing in it.
    pub(crate) async fn again(&mut self) {
        self.child = begin(self.address, self.password).await;
    }

    /// SIGSTOP: it is there and says nothing.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill runs").success());
    }

    /// What it answers to a command in its inline form.
    pub(crate) async fn say(&self, command: &str) -> String {
        exchange(self.address, self.password, command).await.expect("Redis answers")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn begin(address: SocketAddr, password: &str) -> Child {
    let port = address.port().to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    if !password.is_empty() {
        command.args(["--requirepass", password]);
    }
    let command = command.current_dir(std::env::temp_dir()).stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.spawn().expect("redis-server is installed: scripts/test does that");
    let began = Instant::now();
    while exchange(address, password, "PING").await.is_none_or(|answer| !answer.contains("PONG")) {
        assert!(began.elapsed() < Duration::from_secs(20), "Redis does not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child
}

async fn exchange(address: SocketAddr, password: &str, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let auth = if password.is_empty() { String::new() } else { format!("AUTH {password}\r\n") };
    stream.write_all(format!("{auth}{command}\r\nQUIT\r\n").as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}
