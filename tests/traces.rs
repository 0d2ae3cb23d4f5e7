//! Traces, as a collector gets them from the real program: one span for each request, below its caller's, and one for
//! each thing that it asks of the database; and a collector that is away harms nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use creatorvault::auth::mint::{NewToken, mint};
use creatorvault::clock::Clock;
use creatorvault::config::Secret;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

const SECRET: &str = "kX3v9Qe7LrT2mWzB8nYs5cUh1dFg6jPa0oIiEeRt";
const CANARY: &str = "Kanarienvogel";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// What a collector got: heads of requests, and their bodies.
type Got = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector on a port of its own.
fn collector() -> (SocketAddr, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let got = Got::default();
    let kept = Arc::clone(&got);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || collect(stream, &kept));
        }
    });
    (address, got)
}

/// Takes requests on one connection until its end.
fn collect(mut stream: TcpStream, got: &Got) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4_096];
    while let Ok(1..) = stream.read(&mut chunk).inspect(|read| bytes.extend_from_slice(&chunk[..*read])) {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a length").trim().parse().expect("a number");
        if bytes.len() >= end + 4 + length {
            let body = bytes[end + 4..end + 4 + length].to_vec();
            got.lock().expect("nobody panicked").push((head, body));
            bytes.drain(..end + 4 + length);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("it is answered");
        }
    }
}

/// The program, killed when it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(vars: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
        let log = std::fs::File::create(folder.path().join("log")).expect("a file for the log");
        let file = format!("sqlite://{}", folder.path().join("test.db").display());
        let child = Command::new(env!("CARGO_BIN_EXE_creatorvault"))
            .env_clear()
            .envs([("HOST", "127.0.0.1"), ("BETTER_AUTH_SECRET", SECRET), ("DATABASE_URL", &file)])
            .env("PORT", free.port().to_string())
            .envs(vars.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log twice"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let mut server = Self { child, address: free, folder };
        let began = Instant::now();
        while TcpStream::connect(free).is_err()
            || !server.ask("GET", "/health/ready", "", "").starts_with("HTTP/1.1 200")
        {
            assert!(server.child.try_wait().expect("a child").is_none(), "it has ended: {}", server.log());
            assert!(began.elapsed() < Duration::from_secs(30), "not ready in time");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let token =
            NewToken { user: CANARY.to_owned(), email: None, name: None, ttl: Duration::from_secs(600) };
        let token = mint(&Secret::new(SECRET), token, Clock::system().now());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("a whole answer");
        answer
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("the log is text")
    }

    /// Asks it to end, and waits until it has.
    fn end(&mut self) -> (Option<i32>, Duration) {
        let (asked, id) = (Instant::now(), self.child.id().to_string());
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return (status.code(), asked.elapsed());
            }
            assert!(asked.elapsed() < Duration::from_secs(40), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An attribute as text.
fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}

/// Two requests and the end of the server; every span that a collector got.
fn spans_of(database: &[(&str, &str)]) -> Vec<Span> {
    let (address, got) = collector();
    let endpoint = format!("http://{address}/");
    let mut vars = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=open%20sesame"),
        ("OTEL_SERVICE_NAME", "vault-under-test"),
    ];
    vars.extend(database);
    let mut server = Server::start(&vars);
    let path = format!("/api/{CANARY}/tasks");
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\nX-Correlation-Id: corr-1\r\n");
    let created = server.ask("POST", &path, &parent, &format!("{{\"title\": \"{CANARY}\"}}"));
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let strange = server.ask("STRANGE", &format!("/{CANARY}?q={CANARY}"), "", "");
    assert!(strange.starts_with("HTTP/1.1 4"), "{strange}");
    let (code, _) = server.end();
    assert_eq!(code, Some(0), "{}", server.log());

    let got = got.lock().expect("nobody panicked");
    assert!(!got.is_empty(), "{}", server.log());
    let mut spans = Vec::new();
    for (head, body) in got.iter() {
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        assert!(head.contains("x-api-key: open sesame"), "{head}");
        assert!(!String::from_utf8_lossy(body).contains(CANARY), "a user's text was sent");
        assert!(!String::from_utf8_lossy(body).contains("eyJ"), "a token was sent");
        for of_service in ExportTraceServiceRequest::decode(&body[..]).expect("it is OTLP").resource_spans {
            let service = of_service.resource.expect("a resource").attributes;
            let name = service.iter().find(|attribute| attribute.key == "service.name").expect("a name");
            let name = name.value.as_ref().and_then(|value| value.value.clone());
            assert_eq!(name, Some(Value::StringValue("vault-under-test".to_owned())));
            spans.extend(of_service.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

fn a_request_is_below_its_caller_and_above_the_database(system: &str, database: &[(&str, &str)]) {
    let spans = spans_of(database);
    let created: Vec<_> = spans.iter().filter(|span| span.name == "POST /api/{user_id}/tasks").collect();
    let [created] = created[..] else { panic!("{spans:#?}") };
    assert_eq!((hex(&created.trace_id), hex(&created.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(created.kind, 2, "a server's");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/{user_id}/tasks"),
        ("http.response.status_code", "201"),
        ("correlation_id", "corr-1"),
    ] {
        assert_eq!(attribute(created, name).as_deref(), Some(value), "{name}");
    }
    let below: Vec<_> = spans.iter().filter(|span| span.parent_span_id == created.span_id).collect();
    assert!(!below.is_empty(), "{spans:#?}");
    for span in &below {
        assert_eq!((span.kind, &span.trace_id), (3, &created.trace_id), "a client's, of the same trace");
        assert_eq!(attribute(span, "db.system.name").as_deref(), Some(system));
        assert!(created.start_time_unix_nano <= span.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= created.end_time_unix_nano);
    }
    let wrote = |span: &&Span| attribute(span, "db.operation.name").as_deref() == Some("write");
    assert!(below.iter().copied().any(|span| wrote(&span)), "{below:#?}");

    let strange = spans.iter().find(|span| span.name == "other").expect("the strange one");
    assert!(strange.parent_span_id.is_empty() && hex(&strange.trace_id) != TRACE);
    assert_eq!(attribute(strange, "http.route"), None);
}

#[test]
fn on_sqlite_a_request_is_below_its_caller_and_above_the_database() {
    a_request_is_below_its_caller_and_above_the_database("sqlite", &[]);
}

#[test]
fn on_postgres_a_request_is_below_its_caller_and_above_the_database() {
    let url = std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL: scripts/test sets it");
    let schema = format!("test_{}", Clock::system().random_id().simple());
    run(&url, &format!("create schema \"{schema}\""));
    let database = [("DATABASE_URL", url.as_str()), ("DATABASE_SCHEMA", schema.as_str())];
    a_request_is_below_its_caller_and_above_the_database("postgresql", &database);
    run(&url, &format!("drop schema \"{schema}\" cascade"));
}

fn run(url: &str, text: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("the test's PostgreSQL answers");
        tokio::spawn(connection);
        client.batch_execute(text).await.expect("it is done");
    });
}

#[test]
fn a_collector_that_is_away_or_silent_harms_nobody() {
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let away = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
    for collector in [silent.local_addr().expect("it is bound"), away] {
        let endpoint = format!("http://{collector}");
        let vars = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("SHUTDOWN_GRACE", "3s")];
        let mut server = Server::start(&vars);
        let path = format!("/api/{CANARY}/tasks");
        for _ in 0..20 {
            let listed = server.ask("GET", &path, "", "");
            assert!(listed.starts_with("HTTP/1.1 200"), "{listed}");
        }
        let (code, took) = server.end();
        assert_eq!(code, Some(0), "{}", server.log());
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert!(server.log().contains("races") && !server.log().contains("Panic"), "{}", server.log());
    }
}
