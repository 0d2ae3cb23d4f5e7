//! One user who wants everything, and the others, whose answers must not depend on that.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Report;
use super::faults::{BOUNDS, DEADLINE};
use crate::client::{Call, Client, Silence};
use crate::ground::Ground;
use crate::load::{ms, percentile};
use crate::postgres::connect;
use crate::server::{Server, token};
use crate::steady::{Seen, Steady};
use crate::writer::text;

/// Requests at once for a row that somebody holds.
const CROWD: usize = 500;

/// By when each of them has its 503; opening so many connections at once takes a second of its own.
const CROWDED: Duration = DEADLINE.saturating_add(Duration::from_secs(1));

/// How soon a held row can be changed again once it is let go.
const RECOVERY: Duration = Duration::from_secs(2);

/// The limit of the flood's trial, and a hundred times as much in a second.
const LIMIT: &str = "600/minute";
const FLOOD: u32 = 1_000;

/// What a crowd was answered.
#[derive(Debug, Default)]
struct Crowd {
    refused: Vec<Duration>,
    done: usize,
    wrong: Vec<String>,
}

/// One user sends 500 changes of a row that another transaction holds.
pub(crate) async fn on_a_locked_row(ground: Ground) -> Report {
    let mut report = Report::default();
    let postgres = ground.postgres().await;
    let direct = postgres.database("crowds").await;
    let pooled = ground.pooler().await.url(&direct);
    for (name, url) in [("direct", &direct), ("pooled", &pooled)] {
        let part = ground.stretch(50);
        let mut vars = BOUNDS.to_vec();
        vars.push(("DATABASE_DIRECT_URL", &direct));
        let server = Server::start(&ground.folder(name), url, &vars).await;
        let mut dice = ground.dice(name);
        let (mut others, mut slowest, mut recovery) = (Seen::default(), Duration::ZERO, Duration::ZERO);
        let mut rounds = 0;
        while part.has_time() || rounds == 0 {
            let mut greedy = server.client("greedy");
            let made =
                greedy.send(&Call::new("POST", "/api/v1/tasks").json(&json!({"title": "Contested"}))).await;
            let id = text(&made.expect("an answer").json(), "id");
            let holder = connect(&direct).await.expect("PostgreSQL answers");
            let hold = format!("begin; select 1 from tasks where id = '{id}' for update");
            holder.batch_execute(&hold).await.expect("the row's lock");
            let users = Steady::begin(
                &format!("{name}-{rounds}"),
                server.address,
                10,
                Duration::from_millis(200),
                &mut dice,
            );
            let crowd = crowd(&server, &id).await;
            drop(holder);
            let let_go = Instant::now();
            let call = change(&id);
            while greedy.send(&call).await.is_ok_and(|answer| answer.status != 200) {
                assert!(let_go.elapsed() < Duration::from_secs(30), "the row stays held");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            recovery = recovery.max(let_go.elapsed());
            let seen = users.end().await;
            others.times.extend(seen.times);
            others.failed.extend(seen.failed);
            report.tally.lost += seen.missing.len();
            slowest = crowd.refused.iter().copied().fold(slowest, Duration::max);
            for text in crowd.wrong {
                report.tally.wrong(text);
            }
            if crowd.done > 0 {
                report.tally.wrong(format!("{} changes of a held row were acknowledged", crowd.done));
            }
            rounds += 1;
        }
        report.rounds += rounds;
        report.tally.acknowledged += others.times.len();
        let (good, all) = (others.times.len(), others.times.len() + others.failed.len());
        let p99 = ms(percentile(&mut others.times, 99));
        let text = format!("{name}: others {good} of {all} with success, p99 {p99}");
        // Two connections behind the pooler are all there is: whoever holds both is waited for.
        report.gate(good == all || name == "pooled", text);
        if let Some(failure) = others.failed.first() {
            report.note(format!("{name}: {failure}"));
        }
        report.gate(slowest <= CROWDED, format!("{name}: slowest 503 of the {CROWD} after {}", ms(slowest)));
        report.gate(recovery <= RECOVERY, format!("{name}: row free again after {}", ms(recovery)));
        report.no_panic(&[&server]);
        server.end().await;
    }
    report
}

fn change(id: &str) -> Call {
    Call::new("PATCH", format!("/api/v1/tasks/{id}")).json(&json!({"title": "Taken"}))
}

async fn crowd(server: &Server, id: &str) -> Crowd {
    let one = async || {
        let mut client = Client::new(server.address, token("greedy"));
        client.send(&change(id)).await
    };
    let mut crowd = Crowd::default();
    for outcome in futures_util::future::join_all((0..CROWD).map(|_| one())).await {
        match outcome {
            Ok(answer) if answer.status == 503 => crowd.refused.push(answer.took),
            Ok(answer) if answer.status == 200 => crowd.done += 1,
            Ok(answer) => crowd.wrong.push(format!("a change of a held row: {}", answer.summary())),
            Err(silence) => crowd.wrong.push(format!("a change of a held row: {silence:?}")),
        }
    }
    crowd
}

/// One user at a hundred times the rate limit.
pub(crate) async fn at_the_limit(ground: Ground) -> Report {
    let mut report = Report::default();
    let url = ground.postgres().await.database("flood").await;
    let server = Server::start(&ground.folder("server"), &url, &[("RATE_LIMIT", LIMIT)]).await;
    let mut dice = ground.dice("users");
    let (mut calm, mut flooded) = (Vec::new(), Vec::new());
    let (mut allowed, mut refused) = (0, 0);
    let began = Instant::now();
    let each = Duration::from_secs(u64::from(ground.seconds / 12).clamp(3, 6));
    while ground.has_time() || report.rounds == 0 {
        for floods in [false, true] {
            let kind = format!("user-{}-{floods}", report.rounds);
            let users = Steady::begin(&kind, server.address, 20, Duration::from_millis(200), &mut dice);
            if floods {
                let (good, limited, wrong) = flood(&server, each).await;
                allowed += good;
                refused += limited;
                for text in wrong {
                    report.tally.wrong(text);
                }
            } else {
                tokio::time::sleep(each).await;
            }
            let Seen { mut times, failed, missing } = users.end().await;
            report.tally.acknowledged += times.len();
            report.tally.lost += missing.len();
            for text in failed.into_iter().take(3) {
                report.fail(format!("another user: {text}"));
            }
            if floods { &mut flooded } else { &mut calm }.push(percentile(&mut times, 99));
        }
        report.rounds += 1;
    }
    let (before, after) = (percentile(&mut calm, 50), percentile(&mut flooded, 50));
    let text = format!("others' p99 {} without the flood, {} with it (medians)", ms(before), ms(after));
    report.gate(after <= before * 2, text);
    // 600 at once and 10 a second.
    let most = 600 + usize::try_from(began.elapsed().as_secs() + 1).expect("short") * 10;
    let text = format!("the flood: {allowed} let through (at most {most}), {refused} times 429");
    report.gate(refused > 0 && allowed <= most, text);
    report.no_panic(&[&server]);
    report
}

/// Asks as fast as agreed on sixteen connections: how many were answered, how many were 429, what else came.
async fn flood(server: &Server, time: Duration) -> (usize, usize, Vec<String>) {
    const CONNECTIONS: u32 = 16;
    let one = async |i: u32| {
        let mut client = server.client("greedy");
        let (mut good, mut limited, mut wrong) = (0, 0, Vec::new());
        let began = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) * CONNECTIONS / FLOOD);
        tokio::time::sleep(Duration::from_millis(u64::from(i))).await;
        while began.elapsed() < time {
            ticks.tick().await;
            match client.send(&Call::get("/api/v1/tasks?limit=5")).await {
                Ok(answer) if answer.status == 200 => good += 1,
                Ok(answer) if answer.status == 429 => limited += 1,
                Ok(answer) => wrong.push(format!("the flood: {}", answer.summary())),
                // A connection that is closed on someone who asks too much is no harm.
                Err(Silence::NotSent | Silence::Unknown(_)) => limited += 1,
                Err(Silence::Hang) => wrong.push("the flood: no answer".to_owned()),
            }
        }
        (good, limited, wrong)
    };
    let mut sum = (0, 0, Vec::new());
    for (good, limited, wrong) in futures_util::future::join_all((0..CONNECTIONS).map(one)).await {
        sum.0 += good;
        sum.1 += limited;
        sum.2.extend(wrong);
    }
    sum
}
