//! An auth server for tests: it plays what it is told to play.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(in crate::auth) enum Play {
    /// Answers with this status, these header lines and this body.
    Answer(u16, String, String),
    /// Takes the request and never answers.
    Hang,
    /// Sends the head of an answer and then a byte of the body now and then.
    Drip,
    /// Answers, but only after this time.
    Late(Duration, Box<Play>),
    /// Follows the first of these whose path begins the request's, else 404.
    Paths(Vec<(String, Play)>),
}

impl Play {
    /// A key set of these keys.
    pub(in crate::auth) fn keys(keys: &[Value]) -> Self {
        Self::json(&json!({ "keys": keys }))
    }

    pub(in crate::auth) fn json(body: &Value) -> Self {
        Self::body(body.to_string())
    }

    pub(in crate::auth) fn body(body: impl Into<String>) -> Self {
        Self::Answer(200, "Content-Type: application/json\r\n".to_owned(), body.into())
    }

    pub(in crate::auth) fn status(status: u16) -> Self {
        Self::Answer(status, String::new(), "<html>".to_owned())
    }

    pub(in crate::auth) fn redirect(to: &str) -> Self {
        Self::Answer(302, format!("Location: {to}\r\n"), String::new())
    }
}

/// A server on a loopback port of its own; it ends with its test.
pub(in crate::auth) struct AuthServer {
    port: u16,
    stage: Arc<Stage>,
    accepting: Mutex<Option<AbortHandle>>,
}

struct Stage {
    play: Mutex<Play>,
    requests: Mutex<Vec<(Instant, String)>>,
}

impl AuthServer {
    /// A server that plays this.
    pub(in crate::auth) async fn start(play: Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stage = Arc::new(Stage { play: Mutex::new(play), requests: Mutex::default() });
        let server = Self { port, stage, accepting: Mutex::default() };
        server.accept(listener);
        server
    }

    fn accept(&self, listener: TcpListener) {
        let stage = Arc::clone(&self.stage);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&stage)));
            }
        });
        *self.accepting.lock().unwrap() = Some(accepting.abort_handle());
    }

    pub(in crate::auth) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(in crate::auth) fn port(&self) -> u16 {
        self.port
    }

    pub(in crate::auth) fn play(&self, play: Play) {
        *self.stage.play.lock().unwrap() = play;
    }

    /// Closes the port.
    pub(in crate::auth) async fn down(&self) {
        let accepting = self.accepting.lock().unwrap().take().unwrap();
        accepting.abort();
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Opens it again.
    pub(in crate::auth) async fn up(&self) {
        self.accept(TcpListener::bind(("127.0.0.1", self.port)).await.unwrap());
    }

    /// The heads of all requests so far.
    pub(in crate::auth) fn requests(&self) -> Vec<String> {
        self.stage.requests.lock().unwrap().iter().map(|(_, head)| head.clone()).collect()
    }

    pub(in crate::auth) fn count(&self) -> usize {
        self.stage.requests.lock().unwrap().len()
    }

    /// When the requests came.
    pub(in crate::auth) fn times(&self) -> Vec<Instant> {
        self.stage.requests.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }
}

/// One request, one answer, and the connection is closed.
async fn serve(mut stream: TcpStream, stage: Arc<Stage>) {
    let mut head = Vec::new();
    let mut buffer = [0; 4_096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    stage.requests.lock().unwrap().push((Instant::now(), head));
    let play = stage.play.lock().unwrap().clone();
    answer(&mut stream, play, &path).await;
}

async fn answer(stream: &mut TcpStream, play: Play, path: &str) {
    let mut play = play;
    loop {
        play = match play {
            Play::Answer(status, headers, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(body.as_bytes()).await;
                let _ = stream.shutdown().await;
                return;
            }
            Play::Hang => return std::future::pending().await,
            Play::Drip => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n").await;
                loop {
                    let _ = stream.write_all(b" ").await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Play::Late(after, play) => {
                tokio::time::sleep(after).await;
                *play
            }
            Play::Paths(paths) => {
                let found = paths.into_iter().find(|(start, _)| path.starts_with(start.as_str()));
                found.map_or_else(|| Play::status(404), |(_, play)| play)
            }
        };
    }
}
