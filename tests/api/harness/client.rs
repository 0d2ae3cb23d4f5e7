//! A small HTTP/1.1 client. It sends path, headers and body exactly as given, because the tests are about what a
//! better-mannered client would tidy up; and it takes an answer only when it is whole.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Answer;

/// Nothing a test asks for may take longer than this.
const PATIENCE: Duration = Duration::from_secs(40);

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), headers: Vec::new(), body: None }
    }

    /// Adds a header; one with the same name is kept beside it.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// A body, without any `Content-Type`.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn json(self, value: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json").body(value.to_string())
    }

    /// Sends it on a connection of its own and waits for the whole answer.
    pub(crate) async fn send(self, to: SocketAddr) -> Answer {
        let asked = format!("{} {}", self.method, self.target);
        let bytes = exchange(to, &self.bytes(to)).await;
        Answer::parse(&self.method, &self.target, &bytes)
            .unwrap_or_else(|fault| panic!("{asked}: {fault}\n{}", String::from_utf8_lossy(&bytes)))
    }

    /// Sends it and keeps the connection, for who does not want to hear the answer.
    pub(crate) async fn begin(self, to: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(to).await.expect("the server listens");
        stream.write_all(&self.bytes(to)).await.expect("it reads");
        stream
    }

    fn bytes(&self, to: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {to}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let chunked = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
        if let (Some(body), false) = (&self.body, chunked) {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// Writes `bytes` on a connection of its own and reads until the server closes it.
pub(crate) async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    String::from_utf8_lossy(&exchange(to, bytes).await).into_owned()
}

async fn exchange(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let all = async {
        let (mut from_server, mut to_server) =
            TcpStream::connect(to).await.expect("the server listens").into_split();
        let mut answer = Vec::new();
        // A server that refuses early stops reading: what it has answered until then still counts.
        let write = async { to_server.write_all(bytes).await.ok() };
        let read = async { from_server.read_to_end(&mut answer).await.ok() };
        tokio::join!(write, read);
        answer
    };
    let first = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
    tokio::time::timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("the server hangs on: {first}"))
}
