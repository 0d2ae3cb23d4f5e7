//! Connections that are opened and never used properly, and clients that hang up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Report;
use crate::client::Call;
use crate::dice::Dice;
use crate::ground::Ground;
use crate::load::{Writers, ms, percentile};
use crate::server::{Server, token};
use crate::steady::Steady;

/// Of each kind: nothing sent, half a head.
const IDLE: usize = 1_000;
const HALF_BODIES: usize = 50;

/// The time for a head, and what a busy machine may add.
const CLOSED: Duration = Duration::from_millis(11_500);

/// For a normal client, meanwhile.
const P99: Duration = Duration::from_millis(100);

/// 2,000 sockets that say nothing or half of it, and a normal client beside them.
pub(crate) async fn half_open(ground: Ground) -> Report {
    let mut report = Report::default();
    let folder = ground.folder("server");
    let url = format!("sqlite://{}", folder.join("half.db").display());
    let server = Server::start(&folder, &url, &[("REQUEST_TIMEOUT", "10s")]).await;
    let mut dice = ground.dice("users");
    let whole = Call::new("POST", "/api/v1/tasks").json(&serde_json::json!({"title": "Half of it"}));
    let whole = whole.bytes(server.address, &token("slow"));
    let half_body = whole[..whole.len() - 5].to_vec();
    let (mut times, mut slowest) = (Vec::new(), [Duration::ZERO; 3]);
    while ground.has_time() || report.rounds == 0 {
        let kinds: [(usize, Vec<u8>); 3] = [
            (IDLE, Vec::new()),
            (IDLE, b"GET /api/tasks HTTP/1.1\r\nHost: localhost\r\nAuthor".to_vec()),
            (HALF_BODIES, half_body.clone()),
        ];
        let mut waiting = Vec::new();
        for (kind, (count, bytes)) in kinds.into_iter().enumerate() {
            for _ in 0..count {
                waiting.push((kind, tokio::spawn(until_closed(server.address, bytes.clone()))));
                // No faster than the server accepts: a socket that only waits in the kernel's queue tries nothing.
                if waiting.len().is_multiple_of(100) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let users = Steady::begin("user", server.address, 5, Duration::from_millis(25), &mut dice);
        let mut open = [0; 3];
        for (kind, socket) in waiting {
            match socket.await.expect("a socket") {
                Some(time) => slowest[kind] = slowest[kind].max(time),
                None => open[kind] += 1,
            }
        }
        if open != [0; 3] {
            report.fail(format!("still open after 20 s (silent, half heads, half bodies): {open:?}"));
        }
        let seen = users.end().await;
        if let Some(failure) = seen.failed.first() {
            report.fail(format!("{} failed requests, such as {failure}", seen.failed.len()));
        }
        report.tally.lost += seen.missing.len();
        report.tally.acknowledged += seen.times.len();
        times.extend(seen.times);
        report.rounds += 1;
    }
    let p99 = percentile(&mut times, 99);
    report.gate(p99 < P99, format!("a normal client's p99 beside {} sockets {}", 2 * IDLE, ms(p99)));
    let [idle, head, body] = slowest;
    let text =
        format!("closed: silent ones within {}, half heads {}, half bodies {}", ms(idle), ms(head), ms(body));
    report.gate(idle.max(head).max(body) <= CLOSED, text);
    report
}

/// Opens a socket, sends this and waits until the server closes it: how long that took; None: it did not.
async fn until_closed(address: SocketAddr, bytes: Vec<u8>) -> Option<Duration> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let began = Instant::now();
    stream.write_all(&bytes).await.ok();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.ok()?.ok();
    Some(began.elapsed())
}

/// Load with clients that hang up in the middle: memory and descriptors come back to where they were.
pub(crate) async fn soak(ground: Ground) -> Report {
    let mut report = Report::default();
    let postgres = ground.postgres().await;
    let url = postgres.database("soak").await;
    let file = format!("sqlite://{}", ground.folder("sqlite").join("soak.db").display());
    for (name, url) in [("sqlite", &file), ("postgres", &url)] {
        let server = Server::start(&ground.folder(name), url, &[]).await;
        let mut writers = Writers::new(&ground, name, 8, server.address);
        let mut dice = ground.dice(name);
        // The first quarter warms up: pools, caches and the allocator reach their size.
        let mut levels = Vec::new();
        for hundredths in [12, 33] {
            let part = ground.stretch(hundredths);
            let (stop, stopped) = watch::channel(false);
            let rude: Vec<_> = (0..6)
                .map(|_| tokio::spawn(hang_up(server.address, dice.split(), stopped.clone())))
                .collect();
            writers.begin();
            while part.has_time() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            writers.rest().await;
            stop.send_replace(true);
            for client in rude {
                report.rounds += client.await.expect("a client");
            }
            report.add(&writers.check().await);
            tokio::time::sleep(Duration::from_secs(5)).await;
            levels.push((server.memory(), server.descriptors()));
        }
        if name == "postgres" {
            postgres.is_quiet("soak").await;
        }
        let [(memory, files), (memory_after, files_after)] = levels[..] else {
            unreachable!("two stretches")
        };
        // A tenth and 4 MiB: the allocator keeps pages.
        let met = memory_after <= memory + memory / 10 + 4_096;
        report.gate(
            met,
            format!("{name}: memory {memory} KiB after the warm-up, {memory_after} KiB at the end"),
        );
        report
            .gate(files_after <= files + 2, format!("{name}: descriptors {files}, {files_after} at the end"));
        report.no_panic(&[&server]);
        server.end().await;
    }
    report
}

/// Hangs up in the middle of requests and of answers: how often.
async fn hang_up(address: SocketAddr, mut dice: Dice, stop: watch::Receiver<bool>) -> usize {
    let token = token("rude");
    let create = Call::new("POST", "/api/v1/tasks").json(&serde_json::json!({"title": "And gone"}));
    let wipe = Call::new("DELETE", "/api/v1/users/me");
    let mut times = 0;
    while !*stop.borrow() {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let call = match dice.below(20) {
            0 => wipe.clone(),
            1..10 => create.clone(),
            _ => Call::get("/api/tasks"),
        };
        let bytes = call.bytes(address, &token);
        let much = if dice.below(3) == 0 { dice.below(bytes.len()) } else { bytes.len() };
        stream.write_all(&bytes[..much]).await.ok();
        match dice.below(3) {
            0 => {}
            1 => tokio::time::sleep(Duration::from_millis(dice.below(10) as u64)).await,
            _ => {
                let mut some = [0; 64];
                let reading = stream.read(&mut some);
                tokio::time::timeout(Duration::from_millis(50), reading).await.ok();
            }
        }
        drop(stream);
        times += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    times
}
