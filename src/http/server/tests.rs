//! Connections over real sockets.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::routing::{get, post};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::app::Front;
use crate::clock::Clock;
use crate::config::http::Networks;
use crate::config::limits::LimitsConfig;
use crate::http::client::Clients;
use crate::http::cors::Origins;
use crate::http::limits::Limits;
use crate::http::load::Load;
use crate::http::rate_limit::RateLimits;

const MS: Duration = Duration::from_millis(1);

/// Times that a test can wait for.
fn times() -> Times {
    Times {
        head: 300 * MS,
        idle: 1000 * MS,
        crowded_idle: 100 * MS,
        stall: 600 * MS,
        crowded_stall: 600 * MS,
        last_head: 200 * MS,
        linger: 250 * MS,
        delay: Duration::ZERO,
        grace: 2000 * MS,
    }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    stopping: Flag,
    ended: JoinHandle<()>,
}

impl Running {
    async fn start(times: Times) -> Self {
        Self::with(times, 1_000).await
    }

    /// With so many connections at a time.
    async fn with(times: Times, most: u32) -> Self {
        let routes = Router::new()
            .route("/", get(async || "hello"))
            .route("/slow", get(async || sleep(800 * MS).await))
            .route("/hang", get(async || std::future::pending::<()>().await))
            .route("/echo", post(async |body: String| body))
            .route("/refuse", post(async || http::StatusCode::PAYLOAD_TOO_LARGE))
            .route(
                "/endless",
                get(async || {
                    let chunk = axum::body::Bytes::from(vec![b'x'; 65_536]);
                    axum::body::Body::from_stream(stream::repeat_with(move || {
                        Ok::<_, std::convert::Infallible>(chunk.clone())
                    }))
                }),
            )
            .route("/panic", get(async |_: Request| -> &'static str { panic!("canary") }));
        let front = Front {
            counts: Arc::default(),
            clock: Clock::system(),
            production: false,
            open_refusals: false,
            nested_errors: false,
            origins: Origins::new(&[], None, false),
            limits: Limits { request_timeout: Duration::from_secs(30), body: 1000, only_local_names: false },
            load: Load::new(1000, Arc::default()),
            rates: RateLimits::new(&LimitsConfig::default(), Clients::new(Networks::default())),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stopping = Flag::default();
        let (stop, stopped) = oneshot::channel();
        let bounds = Bounds { times, most, clients: Clients::new(Networks::default()) };
        let server = Server::new(front.before(routes), stopping.clone(), bounds, Counts::default());
        let ended = tokio::spawn(server.run(vec![listener], async {
            let _ = stopped.await;
        }));
        Self { address, stop, stopping, ended }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends the bytes and reads until the server closes; the answers and the time it took.
    async fn say(&self, bytes: impl AsRef<[u8]>) -> (String, Duration) {
        let mut stream = self.connect().await;
        let _ = stream.write_all(bytes.as_ref()).await;
        rest(&mut stream).await
    }

    /// Stops the server; how long it took.
    async fn stop(self) -> Duration {
        let start = Instant::now();
        self.stop.send(()).unwrap();
        timeout(Duration::from_secs(10), self.ended).await.expect("the server ends").unwrap();
        start.elapsed()
    }
}

/// Reads until the end.
async fn rest(stream: &mut TcpStream) -> (String, Duration) {
    let start = Instant::now();
    let mut answer = Vec::new();
    let read =
        timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("the server closes");
    let _ = read;
    (String::from_utf8_lossy(&answer).into_owned(), start.elapsed())
}

/// Reads one answer with a body of a known length.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4096];
        let count =
            timeout(Duration::from_secs(10), stream.read(&mut bytes)).await.expect("an answer").unwrap();
        assert!(count > 0, "closed after {text}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |n| n.parse().unwrap());
        if body.len() >= length {
            return text;
        }
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_half_sent_head_is_closed_in_time() {
    let running = Running::start(times()).await;
    for begin in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: "] {
        let (answer, time) = running.say(begin).await;
        assert_eq!(answer, "", "{begin:?}");
        assert!(time >= 250 * MS && time < 900 * MS, "{begin:?} {time:?}");
    }
}

#[tokio::test]
async fn a_dripping_head_is_closed_in_time() {
    let running = Running::start(times()).await;
    let mut stream = running.connect().await;
    let start = Instant::now();
    for byte in GET.bytes().cycle() {
        if start.elapsed() > 2000 * MS || stream.write_all(&[byte.max(b'a')]).await.is_err() {
            break;
        }
        sleep(40 * MS).await;
    }
    assert!(start.elapsed() < 1000 * MS, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_pause_between_requests_may_be_longer_than_a_head() {
    let running = Running::start(times()).await;
    let mut stream = running.connect().await;
    for _ in 0..2 {
        stream.write_all(GET.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.ends_with("hello"));
        sleep(600 * MS).await;
    }
    let (more, time) = rest(&mut stream).await;
    assert_eq!(more, "");
    assert!(time < 900 * MS, "an idle connection is closed: {time:?}");
}

#[tokio::test]
async fn a_half_sent_head_after_an_answer_is_closed_in_time_too() {
    let running = Running::start(times()).await;
    let mut stream = running.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    answer(&mut stream).await;
    stream.write_all(b"GET / HT").await.unwrap();
    let (more, time) = rest(&mut stream).await;
    assert_eq!(more, "");
    assert!(time < 700 * MS, "{time:?}");
}

#[tokio::test]
async fn heads_in_doubt_are_refused_once_and_closed() {
    let corpus = [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Folded: one\r\n two\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Nul: a\0b\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
    ];
    let running = Running::start(times()).await;
    for bytes in corpus {
        // whatever follows must not be taken as a second request
        let (answer, _) = running.say(format!("{bytes}{GET}")).await;
        assert_eq!(status(&answer), "400", "{bytes:?} {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{bytes:?} {answer}");
    }
}

#[tokio::test]
async fn with_both_lengths_chunks_count_and_the_connection_closes() {
    let running = Running::start(times()).await;
    for lengths in
        ["Content-Length: 3\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3"]
    {
        let request =
            format!("POST /echo HTTP/1.1\r\nHost: a\r\n{lengths}\r\n\r\n5\r\nhello\r\n0\r\n\r\n{GET}");
        let (answer, _) = running.say(request).await;
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.ends_with("hello") && answer.contains("connection: close"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "never two answers: {answer}");
    }
}

#[tokio::test]
async fn heads_are_limited() {
    let running = Running::start(times()).await;
    let head = |size: usize| {
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(size))
    };
    assert_eq!(status(&running.say(head(31 * 1024)).await.0), "200");
    for size in [33 * 1024, 500 * 1024, 4 << 20] {
        assert_eq!(status(&running.say(head(size)).await.0), "431", "{size}");
    }
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(200));
    assert_eq!(status(&running.say(many).await.0), "431");
    let target = format!("GET /?{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "x".repeat(10_000));
    let (answer, _) = running.say(target).await;
    assert!(status(&answer) == "414" && answer.contains("x-correlation-id: "), "{answer}");
}

#[tokio::test]
async fn an_early_refusal_reaches_a_client_that_is_still_sending() {
    let running = Running::start(times()).await;
    let mut request = b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n".to_vec();
    request.resize(request.len() + 8_000_000, b'x');
    let mut stream = running.connect().await;
    stream.write_all(&request).await.expect("the server reads on, so the client is not interrupted");
    assert_eq!(status(&rest(&mut stream).await.0), "413");
}

#[tokio::test]
async fn a_panic_costs_one_answer_not_the_connection() {
    let running = Running::start(times()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /panic HTTP/1.1\r\nHost: a\r\nX-Correlation-ID: id-1\r\n\r\n").await.unwrap();
    let broken = answer(&mut stream).await;
    assert_eq!(status(&broken), "500");
    assert!(
        broken.contains("x-correlation-id: id-1") && broken.contains("x-frame-options: DENY"),
        "{broken}"
    );
    assert!(broken.contains("application/json") && !broken.contains("canary"), "{broken}");
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_correlation_id_with_bad_bytes_is_never_echoed() {
    let running = Running::start(times()).await;
    for bad in
        ["evil\u{1b}[31m".to_owned(), "evil\u{e9}".to_owned(), "evil\tx".to_owned(), "evil".repeat(512)]
    {
        let (answer, _) = running
            .say(format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Correlation-ID: {bad}\r\n\r\n"))
            .await;
        assert!(!answer.contains("evil"), "{bad:?} {answer}");
    }
    for bad in ["evil\0", "evil\r"] {
        let (answer, _) =
            running.say(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Correlation-ID: {bad}x\r\n\r\n")).await;
        assert!(status(&answer) == "400" && !answer.contains("evil"), "{bad:?} {answer}");
    }
}

#[tokio::test]
async fn a_client_that_closes_its_half_still_gets_its_answer() {
    let running = Running::start(times()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let (answer, _) = rest(&mut stream).await;
    assert_eq!(status(&answer), "200", "{answer}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let running = Running::start(times()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    sleep(1500 * MS).await;
    // what is in the buffers still comes, then the end
    let mut sink = vec![0; 1 << 20];
    let end =
        timeout(Duration::from_secs(5), async { while stream.read(&mut sink).await.is_ok_and(|n| n > 0) {} });
    end.await.expect("the server has closed");
}

#[tokio::test]
async fn a_slow_reader_that_takes_enough_is_not_cut_off() {
    let running = Running::start(Times { stall: 1500 * MS, ..times() }).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // four times what it has to take, and far less than the system would like to keep
    let start = Instant::now();
    let mut piece = [0; 8 * 1024];
    for read in 1..120_u32 {
        stream.read_exact(&mut piece).await.unwrap();
        tokio::time::sleep_until(start + 45 * MS * read).await;
    }
    // what is in the buffers comes even if it has been cut off
    for _ in 0..(32 << 20) / piece.len() {
        let more = timeout(Duration::from_secs(10), stream.read_exact(&mut piece)).await.unwrap();
        assert!(more.is_ok(), "it was cut off");
    }
}

#[tokio::test]
async fn idle_connections_leave_their_places_when_few_are_left() {
    let running = Running::with(Times { idle: Duration::from_secs(60), ..times() }, 30).await;
    let mut busy = running.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..40 {
        let mut stream = running.connect().await;
        stream.write_all(GET.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.ends_with("hello"), "whoever comes has a place");
        idle.push(stream);
    }
    assert_eq!(status(&answer(&mut busy).await), "200", "whoever is served is served to the end");
    assert_eq!(rest(&mut idle[0]).await.0, "", "closed long before its minute");
}

#[tokio::test]
async fn answers_end_their_connections_when_few_are_left() {
    let running = Running::with(Times { head: Duration::from_secs(60), ..times() }, 20).await;
    let mut silent = Vec::new();
    for _ in 0..18 {
        silent.push(running.connect().await);
    }
    let (answer, _) = running.say(GET).await;
    assert!(answer.contains("connection: close") && answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn the_end_is_not_held_by_connections_without_a_request() {
    let running =
        Running::start(Times { head: Duration::from_secs(60), idle: Duration::from_secs(60), ..times() })
            .await;
    let silent = running.connect().await;
    let mut half = running.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
    let mut idle = running.connect().await;
    idle.write_all(GET.as_bytes()).await.unwrap();
    answer(&mut idle).await;
    let mut half_body = running.connect().await;
    half_body.write_all(b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab").await.unwrap();
    answer(&mut half_body).await;
    sleep(50 * MS).await;
    let took = running.stop().await;
    assert!(took < 1000 * MS, "{took:?}");
    drop(silent);
}

#[tokio::test]
async fn requests_in_flight_are_finished() {
    let running = Running::start(times()).await;
    let mut slow = running.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // a connection that the client has made, but the server may not have taken yet
    let mut queued = running.connect().await;
    queued.write_all(GET.as_bytes()).await.unwrap();
    sleep(20 * MS).await;
    let address = running.address;
    let took = running.stop().await;
    assert!(took >= 600 * MS && took < 1800 * MS, "{took:?}");
    for stream in [&mut slow, &mut queued] {
        let (answer, _) = rest(stream).await;
        assert_eq!(status(&answer), "200", "{answer}");
    }
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn the_grace_is_the_most_that_a_request_gets() {
    let running = Running::start(Times { grace: 500 * MS, ..times() }).await;
    let mut stuck = running.connect().await;
    stuck.write_all(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    sleep(50 * MS).await;
    let took = running.stop().await;
    assert!(took >= 450 * MS && took < 1500 * MS, "{took:?}");
    assert_eq!(rest(&mut stuck).await.0, "");
}

#[tokio::test]
async fn during_the_delay_the_server_answers_and_asks_to_go() {
    let running = Running::start(Times { delay: 600 * MS, ..times() }).await;
    let mut old = running.connect().await;
    old.write_all(GET.as_bytes()).await.unwrap();
    assert!(!answer(&mut old).await.contains("connection: close"));
    let (address, stopping) = (running.address, running.stopping.clone());
    let stopped = tokio::spawn(running.stop());
    sleep(100 * MS).await;
    assert!(stopping.is_up(), "readiness says so at once");
    let mut new = TcpStream::connect(address).await.unwrap();
    for stream in [&mut old, &mut new] {
        stream.write_all(GET.as_bytes()).await.unwrap();
        let (answer, _) = rest(stream).await;
        assert!(answer.contains("connection: close") && answer.ends_with("hello"), "{answer}");
    }
    let took = stopped.await.unwrap();
    assert!(took >= 550 * MS && took < 1500 * MS, "{took:?}");
}
