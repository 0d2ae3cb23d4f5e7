//! Two servers behind a balancer, restarted in turn while clients go on.

use std::time::{Duration, Instant};

use super::Report;
use crate::balancer::Balancer;
use crate::ground::Ground;
use crate::load::{ms, percentile};
use crate::server::Server;
use crate::steady::{Seen, Steady};

/// Clients, each of which asks this often: 200 requests a second together.
const CLIENTS: u32 = 20;
const EVERY: Duration = Duration::from_millis(100);

pub(crate) async fn restarts(ground: Ground) -> Report {
    let url = ground.postgres().await.database("rolling").await;
    let vars = [("SHUTDOWN_DELAY", "1s")];
    let mut servers = [
        Server::start(&ground.folder("one"), &url, &vars).await,
        Server::start(&ground.folder("two"), &url, &vars).await,
    ];
    let balancer = Balancer::before(&servers.each_ref().map(|server| server.address)).await;
    balancer.until_ready(2).await;
    let mut dice = ground.dice("clients");
    let users = Steady::begin("client", balancer.address, CLIENTS, EVERY, &mut dice);
    let began = Instant::now();
    let mut report = Report::default();
    while ground.has_time() || report.rounds < 2 {
        let server = &mut servers[report.rounds % 2];
        let status = server.end().await;
        if status.code() != Some(0) {
            report.fail(format!("a server ended with {status}"));
        }
        server.again().await;
        balancer.until_ready(2).await;
        tokio::time::sleep(Duration::from_millis(dice.below(700) as u64)).await;
        report.rounds += 1;
    }
    let Seen { mut times, failed, missing } = users.end().await;
    report.tally.lost = missing.len();
    report.tally.acknowledged = times.len();
    #[expect(clippy::cast_precision_loss, reason = "few requests")]
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    report.gate(
        failed.is_empty(),
        format!("{} failed of {} requests, {rate:.0} a second", failed.len(), times.len()),
    );
    for failure in failed.iter().take(5) {
        report.fail(failure.clone());
    }
    let median = percentile(&mut times, 50);
    report.note(format!("p50 {}, p99 {}", ms(median), ms(percentile(&mut times, 99))));
    report.no_panic(&servers.each_ref());
    report
}
