//! Whether a write is on the disk before it is acknowledged, as strace sees it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use creatorvault::clock::Clock;
use serde_json::json;

use crate::client::Call;
use crate::ground::Ground;
use crate::postgres::Postgres;
use crate::process;
use crate::report::Report;
use crate::server::Server;

const WRITES: usize = 10;

/// Writes one row after the other, each with an fsync or fdatasync between its request and its answer: of the server on
/// SQLite, of PostgreSQL's processes otherwise.
pub(crate) async fn before_the_answer(
    ground: &Ground,
    url: &str,
    postgres: Option<&Postgres>,
    report: &mut Report,
) {
    let trace = ground.folder("strace").join("trace");
    if let Err(why) = attempt(&trace) {
        report.note(format!("fsync before the answer: not looked at, {why}"));
        return;
    }
    let folder = ground.folder("sync");
    let server = Server::start(&folder, url, &[]).await;
    writes(&server).await; // connections are open from now on
    let watched = postgres.map_or_else(|| vec![server.id()], Postgres::processes);
    let errors = folder.join("strace-errors");
    let ids: Vec<_> = watched.iter().map(u32::to_string).collect();
    let mut command = Command::new("strace");
    command.args(&arguments(&trace)[1..]).args(["-p", &ids.join(",")]);
    let tracer = process::spawn(command.stderr(std::fs::File::create(&errors).expect("a file")));
    let attached = Instant::now();
    let told = || std::fs::read_to_string(&errors).unwrap_or_default();
    while told().matches("attached").count() < ids.len() && attached.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seen = writes(&server).await;
    process::signal("INT", &[tracer]);
    while process::ended(tracer).is_none() && attached.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let times = synced(&std::fs::read_to_string(&trace).expect("a trace"));
    let covered =
        seen.iter().filter(|(sent, answered)| times.iter().any(|time| time > sent && time < answered));
    let covered = covered.count();
    report.gate(covered == WRITES, format!("fsync before {covered} of {WRITES} answers (strace)"));
}

/// strace with what it shall look at: only completed calls, with the time of their begin.
fn arguments(trace: &Path) -> Vec<String> {
    let trace = trace.display().to_string();
    ["strace", "-f", "-ttt", "-e", "trace=fsync,fdatasync", "-o", &trace].map(str::to_owned).to_vec()
}

/// Whether strace is there and may look.
fn attempt(trace: &Path) -> Result<(), String> {
    let arguments = arguments(trace);
    let tried = Command::new(&arguments[0]).args(&arguments[1..]).arg("true").output();
    match tried {
        Err(error) => Err(format!("strace does not start: {error}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("strace may not look: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// When each write was sent and when it was answered, in seconds since 1970.
async fn writes(server: &Server) -> Vec<(f64, f64)> {
    let clock = Clock::system();
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit into the 53 bits")]
    let now = || clock.now().micros() as f64 / 1_000_000.0;
    let mut client = server.client("writer");
    let mut times = Vec::new();
    for i in 0..WRITES {
        let sent = now();
        let call = Call::new("POST", "/api/v1/tasks").json(&json!({"title": format!("Synced {i}")}));
        let answer = client.send(&call).await.expect("an answer");
        assert_eq!(answer.status, 201, "{}", answer.summary());
        times.push((sent, now()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times
}

/// The times at which a call to fsync or fdatasync began.
fn synced(trace: &str) -> Vec<f64> {
    let calls = trace.lines().filter(|line| line.contains("sync("));
    calls.filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect()
}
