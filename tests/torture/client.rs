//! A client that knows what it does not know: whether a request was not sent, was answered, or neither.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: &'static str,
    path: String,
    headers: String,
    body: Option<String>,
}

impl Call {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: String::new(), body: None }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn is_read(&self) -> bool {
        self.method == "GET"
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    /// The same with another body.
    pub(crate) fn body(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// What goes over the wire.
    pub(crate) fn bytes(&self, host: SocketAddr, token: &str) -> Vec<u8> {
        let Self { method, path, headers, body } = self;
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{headers}");
        if let Some(body) = body {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body.as_deref().unwrap_or_default());
        text.into_bytes()
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lower case.
    head: String,
    body: Vec<u8>,
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value.trim())
    }

    /// `error.code` of the v1 contract.
    pub(crate) fn code(&self) -> String {
        self.json().pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// In a few words, for a complaint.
    pub(crate) fn summary(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().take(110).collect();
        format!("{} {text}", self.status)
    }
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) enum Silence {
    /// Nothing was sent: nothing can have been done.
    NotSent,
    /// It was sent, perhaps in part: it may have been done.
    Unknown(String),
    /// It was sent, and nothing came for longer than anyone should wait.
    Hang,
}

/// A user's connection, kept from one request to the next.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    token: String,
    stream: Option<BufReader<TcpStream>>,
    patience: Duration,
    /// Whether each request has a connection of its own.
    single: bool,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, token: String) -> Self {
        Self { address, token, stream: None, patience: Duration::from_secs(40), single: false }
    }

    /// The same with a connection for each request.
    pub(crate) fn single(mut self) -> Self {
        self.single = true;
        self
    }

    /// Sends it and waits for the whole answer.
    pub(crate) async fn send(&mut self, call: &Call) -> Result<Answer, Silence> {
        let began = Instant::now();
        let mut reused = self.stream.is_some();
        loop {
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => self.connect().await?,
            };
            let bytes = call.bytes(self.address, &self.token);
            let exchange = tokio::time::timeout(self.patience, exchange(&mut stream, &bytes, began)).await;
            match exchange {
                Ok(Ok(answer)) => {
                    let stays = !self.single && answer.header("connection") != Some("close");
                    self.stream = stays.then_some(stream);
                    return Ok(answer);
                }
                // A kept connection may have been closed before the request came: a read can be sent again.
                Ok(Err(_)) if reused && call.is_read() => reused = false,
                Ok(Err(error)) => return Err(Silence::Unknown(error.to_string())),
                Err(_) => return Err(Silence::Hang),
            }
        }
    }

    async fn connect(&self) -> Result<BufReader<TcpStream>, Silence> {
        let connecting = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(self.address));
        let stream = connecting.await.map_err(|_| Silence::NotSent)?.map_err(|_| Silence::NotSent)?;
        stream.set_nodelay(true).ok();
        Ok(BufReader::new(stream))
    }
}

async fn exchange(
    stream: &mut BufReader<TcpStream>,
    bytes: &[u8],
    began: Instant,
) -> std::io::Result<Answer> {
    stream.write_all(bytes).await?;
    let (status, head) = head(stream).await?;
    let mut answer = Answer { status, head, body: Vec::new(), took: Duration::ZERO };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = chunks(stream).await?;
    } else if let Some(length) = answer.header("content-length").and_then(|text| text.parse().ok()) {
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body).await?;
    }
    answer.took = began.elapsed();
    Ok(answer)
}

async fn head(stream: &mut BufReader<TcpStream>) -> std::io::Result<(u16, String)> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if stream.read_line(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if &head[before..] == "\r\n" {
            break;
        }
    }
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or(std::io::ErrorKind::InvalidData)?;
    Ok((status, head.to_ascii_lowercase()))
}

async fn chunks(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(|_| std::io::ErrorKind::InvalidData)?;
        let begins = body.len();
        body.resize(begins + size + 2, 0);
        stream.read_exact(&mut body[begins..]).await?;
        body.truncate(begins + size);
        if size == 0 {
            return Ok(body);
        }
    }
}
