//! PostgreSQL behind a broken wire, and PostgreSQL and PgBouncer that stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Report;
use crate::client::{Call, Client};
use crate::dice::Dice;
use crate::ground::Ground;
use crate::load::{Writers, ms, percentile};
use crate::process;
use crate::server::Server;
use crate::wire::{Fault, Wire};

/// Short bounds, so that many rounds fit.
pub(super) const BOUNDS: [(&str, &str); 2] =
    [("DATABASE_ACQUIRE_TIMEOUT", "1s"), ("DATABASE_STATEMENT_TIMEOUT", "1s")];

/// By when a request has its 503: a second for a connection and one for the statement, half a second for the database to
/// say so, a second to learn what became of a write, and half a second for a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(4);

/// By when both reads and writes have success again.
const RECOVERY: Duration = Duration::from_secs(5);

/// What `/health` may take meanwhile.
const HEALTH: Duration = Duration::from_millis(50);

/// Asks `/health` over and over beside everything else.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    asking: tokio::task::JoinHandle<(Vec<Duration>, usize)>,
}

impl Watch {
    pub(super) fn over(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut client: Client = server.client("nobody");
        let asking = tokio::spawn(async move {
            let (mut times, mut failed) = (Vec::new(), 0);
            while !stopped.load(Ordering::Relaxed) {
                match client.send(&Call::get("/health")).await {
                    Ok(answer) if answer.status == 200 => times.push(answer.took),
                    _ => failed += 1,
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            (times, failed)
        });
        Self { stop, asking }
    }

    pub(super) async fn end(self, report: &mut Report) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut times, failed) = self.asking.await.expect("it asks");
        let (p99, worst) = (percentile(&mut times, 99), percentile(&mut times, 100));
        let count = times.len();
        let text = format!("/health {count} times, {failed} failed, p99 {}, worst {}", ms(p99), ms(worst));
        report.gate(failed == 0 && p99 <= HEALTH, text);
    }
}

/// The slowest recovery so far, as (writes, reads).
#[derive(Debug, Default)]
struct Recovery(Duration, Duration);

impl Recovery {
    /// Waits for success after a fault that has just ended.
    async fn wait(&mut self, writers: &Writers, report: &mut Report, fault: &str) {
        writers.pulse.mark(Instant::now());
        match writers.pulse.firsts(Duration::from_secs(30)).await {
            Some((write, read)) => *self = Self(self.0.max(write), self.1.max(read)),
            None => report.fail(format!("{fault}: no recovery within 30 s")),
        }
    }

    fn tell(&self, report: &mut Report) {
        let text = format!("recovery: writes within {}, reads within {}", ms(self.0), ms(self.1));
        report.gate(self.0.max(self.1) <= RECOVERY, text);
    }
}

fn tell_answers(report: &mut Report) {
    let tally = &report.tally;
    let text = format!("{} times 503, the slowest after {}", tally.refused, ms(tally.slowest_refusal));
    let met = tally.slowest_refusal <= DEADLINE;
    let unknown = format!("{} of unknown outcome, {} of them done", tally.unknown, tally.unknown_done);
    report.gate(met, text);
    report.note(unknown);
}

fn fault(round: usize, dice: &mut Dice) -> Fault {
    match round % 4 {
        0 => Fault::CutAfter(i64::try_from(dice.below(20_000)).expect("small")),
        1 => Fault::BlackHole,
        2 => Fault::Delay(Duration::from_millis(50 + dice.below(400) as u64)),
        _ => Fault::HalfClosed,
    }
}

/// The wire to PostgreSQL is cut at a byte, swallows everything, delays, is closed in one direction.
pub(crate) async fn on_the_wire(ground: Ground) -> Report {
    let postgres = ground.postgres().await;
    let direct = postgres.database("wire").await;
    let wire = Wire::to(postgres.port).await;
    let url = direct.replace(&format!(":{}/", postgres.port), &format!(":{}/", wire.address.port()));
    let mut vars = BOUNDS.to_vec();
    vars.push(("DATABASE_DIRECT_URL", &direct));
    let server = Server::start(&ground.folder("server"), &url, &vars).await;
    let mut writers = Writers::new(&ground, "writer", 8, server.address);
    let mut dice = ground.dice("faults");
    let mut report = Report::default();
    let mut recovery = Recovery::default();
    let watch = Watch::over(&server);
    while ground.has_time() || report.rounds < 4 {
        let fault = fault(report.rounds, &mut dice);
        writers.begin();
        tokio::time::sleep(Duration::from_millis(100 + dice.below(300) as u64)).await;
        wire.set(fault);
        tokio::time::sleep(Duration::from_millis(500 + dice.below(2_500) as u64)).await;
        wire.set(Fault::Whole);
        recovery.wait(&writers, &mut report, &format!("{fault:?}")).await;
        writers.rest().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        postgres.is_quiet("wire").await;
        report.add(&writers.check().await);
        report.rounds += 1;
    }
    watch.end(&mut report).await;
    tell_answers(&mut report);
    recovery.tell(&mut report);
    report.no_panic(&[&server]);
    report
}

/// SIGSTOP of PostgreSQL, and of PgBouncer before it.
pub(crate) async fn standstill(ground: Ground) -> Report {
    let mut report = Report::default();
    let postgres = ground.postgres().await;
    let pooler = ground.pooler().await;
    let direct = postgres.database("standstill").await;
    let pooled = pooler.url(&direct);
    let mut recovery = Recovery::default();
    for (name, url) in [("direct", &direct), ("pooled", &pooled)] {
        let part = ground.stretch(50);
        let mut vars = BOUNDS.to_vec();
        vars.push(("DATABASE_DIRECT_URL", &direct));
        let server = Server::start(&ground.folder(name), url, &vars).await;
        let mut writers = Writers::new(&ground, name, 8, server.address);
        let mut dice = ground.dice(name);
        let watch = Watch::over(&server);
        let mut rounds = 0;
        while part.has_time() || rounds == 0 {
            writers.begin();
            tokio::time::sleep(Duration::from_millis(100 + dice.below(300) as u64)).await;
            let is_pooler = name == "pooled" && rounds % 2 == 0;
            process::stop(&if is_pooler { vec![pooler.process()] } else { postgres.processes() });
            tokio::time::sleep(Duration::from_millis(1_500 + dice.below(3_000) as u64)).await;
            process::go_on();
            recovery.wait(&writers, &mut report, name).await;
            writers.rest().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            postgres.is_quiet("standstill").await;
            report.add(&writers.check().await);
            rounds += 1;
        }
        report.rounds += rounds;
        watch.end(&mut report).await;
        report.no_panic(&[&server]);
        server.end().await;
    }
    tell_answers(&mut report);
    recovery.tell(&mut report);
    report
}
