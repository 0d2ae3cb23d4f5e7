//! `kill -9`, of the server and of PostgreSQL.

use std::path::Path;
use std::time::Duration;

use super::Report;
use crate::ground::Ground;
use crate::load::{Writers, ms};
use crate::postgres::Postgres;
use crate::server::Server;
use crate::sync;
use crate::writer::Tally;

/// How soon after the return of PostgreSQL a write has success.
const RETURN: Duration = Duration::from_secs(2);

/// At least so many rounds of each when there is time for a whole run.
const ROUNDS: usize = 25;

pub(crate) async fn on_sqlite(ground: Ground) -> Report {
    let folder = ground.folder("server");
    let file = folder.join("kills.db");
    let url = format!("sqlite://{}", file.display());
    let mut report = rounds(&ground, &folder, &url, None).await;
    let connection = rusqlite::Connection::open(&file).expect("the file");
    let sound: String =
        connection.query_row("pragma integrity_check", [], |row| row.get(0)).expect("an answer");
    report.gate(sound == "ok", format!("integrity_check: {sound}"));
    let broken: i64 = connection
        .query_row("select count(*) from pragma_foreign_key_check", [], |row| row.get(0))
        .expect("a number");
    report.gate(broken == 0, format!("{broken} broken references"));
    sync::before_the_answer(
        &ground,
        &format!("sqlite://{}", folder.join("sync.db").display()),
        None,
        &mut report,
    )
    .await;
    report
}

pub(crate) async fn on_postgres(ground: Ground) -> Report {
    let postgres = ground.postgres().await;
    let url = postgres.database("kills").await;
    let mut report = rounds(&ground, &ground.folder("server"), &url, Some(&postgres)).await;
    sync::before_the_answer(&ground, &url, Some(&postgres), &mut report).await;
    report
}

/// Rounds of writing, killing, starting and comparing.
async fn rounds(ground: &Ground, folder: &Path, url: &str, postgres: Option<&Postgres>) -> Report {
    let mut dice = ground.dice("kills");
    let mut server = Server::start(folder, url, &[]).await;
    let mut writers = Writers::new(ground, "writer", 8, server.address);
    let mut report = Report::default();
    let mut slowest_start = Duration::ZERO;
    while ground.has_time() {
        writers.begin();
        tokio::time::sleep(Duration::from_millis(50 + dice.below(700) as u64)).await;
        server.kill();
        writers.rest().await;
        if let Some(postgres) = postgres {
            postgres.is_quiet("kills").await;
        }
        slowest_start = slowest_start.max(server.again().await);
        report.add(&writers.check().await);
        report.rounds += 1;
    }
    // Whatever was sent again and again under a key comes to its end.
    writers.begin();
    tokio::time::sleep(Duration::from_millis(300)).await;
    writers.rest().await;
    report.add(&writers.check().await);
    report.note(format!("slowest start {}", ms(slowest_start)));
    report.note(doubts(&report.tally));
    enough(ground, &mut report);
    report.no_panic(&[&server]);
    report
}

/// A whole run has to have so many rounds; a short one is only a look.
fn enough(ground: &Ground, report: &mut Report) {
    if ground.seconds >= 60 && report.rounds < ROUNDS {
        report.fail(format!("only {} rounds of {ROUNDS}", report.rounds));
    }
    if report.tally.acknowledged == 0 {
        report.fail("nothing was acknowledged, so nothing was tried");
    }
}

fn doubts(tally: &Tally) -> String {
    let Tally { unknown, unknown_done, replayed, .. } = tally;
    format!(
        "{unknown} without an answer, {unknown_done} of them done, {replayed} repeats answered from a key"
    )
}

/// The server stays, its database goes and comes.
pub(crate) async fn of_postgres(ground: Ground) -> Report {
    let postgres = ground.postgres().await;
    let url = postgres.database("returns").await;
    let mut dice = ground.dice("kills");
    let server = Server::start(&ground.folder("server"), &url, &[]).await;
    let mut writers = Writers::new(&ground, "writer", 8, server.address);
    let mut report = Report::default();
    let mut slowest = (Duration::ZERO, Duration::ZERO);
    while ground.has_time() || report.rounds == 0 {
        writers.begin();
        tokio::time::sleep(Duration::from_millis(100 + dice.below(600) as u64)).await;
        postgres.kill();
        tokio::time::sleep(Duration::from_millis(dice.below(2_500) as u64)).await;
        postgres.again().await;
        let back = postgres.answers().await;
        writers.pulse.mark(back);
        match writers.pulse.firsts(Duration::from_secs(30)).await {
            Some((write, read)) => slowest = (slowest.0.max(write), slowest.1.max(read)),
            None => report.fail("no success within 30 s of the return"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        writers.rest().await;
        postgres.is_quiet("returns").await;
        report.add(&writers.check().await);
        report.rounds += 1;
    }
    let (write, read) = slowest;
    let text = format!(
        "after the return the first write came within {}, the first read within {}",
        ms(write),
        ms(read)
    );
    report.gate(write.max(read) <= RETURN, text);
    let refusal = report.tally.slowest_refusal;
    report.note(format!("{} times 503, the slowest after {}", report.tally.refused, ms(refusal)));
    report.note(doubts(&report.tally));
    report.no_panic(&[&server]);
    report
}
