//! Several at once: migrations of an empty database, and changes of one row.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::Report;
use crate::client::{Call, Client};
use crate::ground::Ground;
use crate::load::ms;
use crate::postgres::{Postgres, connect};
use crate::process;
use crate::server::{Server, program, token};
use crate::writer::text;

/// No migration of an empty database may take longer, whoever else migrates or has just died.
const PATIENCE: Duration = Duration::from_secs(30);

/// Several processes migrate an empty database; in every other round one is killed on the way before.
pub(crate) async fn migrations(ground: Ground) -> Report {
    let mut report = Report::default();
    let postgres = ground.postgres().await;
    let pooler = ground.pooler().await;
    let folder = ground.folder("databases");
    let mut dice = ground.dice("migrations");
    let (mut slowest, mut killed) = (Duration::ZERO, 0);
    while ground.has_time() || report.rounds < 6 {
        let engine = report.rounds % 3;
        let file = folder.join(format!("{}.db", report.rounds));
        let direct = if engine == 0 { String::new() } else { postgres.database("migrations").await };
        let url = match engine {
            0 => format!("sqlite://{}", file.display()),
            1 => direct.clone(),
            _ => pooler.url(&direct),
        };
        if (report.rounds / 3) % 2 == 1 {
            let victim = migrate(&url);
            tokio::time::sleep(Duration::from_millis(dice.below(80) as u64)).await;
            killed += usize::from(process::ended(victim).is_none());
            process::kill(victim);
        }
        let began = Instant::now();
        let all: Vec<_> = (0..2 + dice.below(9)).map(|_| migrate(&url)).collect();
        for id in all {
            match end(id).await {
                Some(status) if status.success() => {}
                Some(status) => report.tally.wrong(format!("a migration of {url} ended with {status}")),
                None => report.tally.wrong(format!("a migration of {url} hangs")),
            }
        }
        slowest = slowest.max(began.elapsed());
        let (applied, distinct) = if engine == 0 { book_of_file(&file) } else { book(&direct).await };
        let known = if engine == 0 { known("sqlite") } else { known("postgres") };
        if (applied, distinct) != (known, known) {
            report
                .tally
                .wrong(format!("{applied} lines, {distinct} of them different, for {known} migrations"));
        }
        report.tally.acknowledged += usize::try_from(distinct).expect("few");
        if engine != 0 {
            nothing_stays(&postgres, &mut report).await;
        }
        report.rounds += 1;
    }
    report.note(format!("{killed} killed on the way; the slowest round {}", ms(slowest)));
    report
}

/// Starts one that migrates.
fn migrate(url: &str) -> u32 {
    let mut command = Command::new(program());
    command.args(["migrate", "up"]).env_clear().env("DATABASE_URL", url).current_dir(std::env::temp_dir());
    process::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
}

async fn end(id: u32) -> Option<std::process::ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = process::ended(id) {
            return Some(status);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process::kill(id);
    None
}

const BOOK: &str = "select count(*), count(distinct version) from creatorvault_migrations";

fn book_of_file(file: &std::path::Path) -> (i64, i64) {
    let connection = rusqlite::Connection::open(file).expect("the file");
    connection.query_row(BOOK, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("the book")
}

async fn book(url: &str) -> (i64, i64) {
    let row = connect(url).await.expect("PostgreSQL answers").query_one(BOOK, &[]).await.expect("the book");
    (row.get(0), row.get(1))
}

/// How many there are.
fn known(engine: &str) -> i64 {
    let files = std::fs::read_dir(format!("migrations/{engine}")).expect("the migrations").flatten();
    let names = files.filter(|file| file.file_name().to_string_lossy().ends_with(".up.sql"));
    i64::try_from(names.count()).expect("few")
}

/// No lock and no transaction of a migration that is over.
async fn nothing_stays(postgres: &Postgres, report: &mut Report) {
    postgres.is_quiet("migrations").await;
    let sql = "select count(*) from pg_locks where locktype = 'advisory'";
    let locks: i64 = postgres.client().await.query_one(sql, &[]).await.expect("a number").get(0);
    if locks > 0 {
        report.tally.wrong(format!("{locks} advisory locks stay"));
    }
}

/// 100 toggles at once, 20 changes with one `If-Match`, PUT against PATCH, on both databases.
pub(crate) async fn changes(ground: Ground) -> Report {
    let mut report = Report::default();
    let url = ground.postgres().await.database("changes").await;
    let file = format!("sqlite://{}", ground.folder("sqlite").join("changes.db").display());
    for (name, url) in [("sqlite", &file), ("postgres", &url)] {
        let part = ground.stretch(50);
        let server = Server::start(&ground.folder(name), url, &[]).await;
        let mut dice = ground.dice(name);
        let mut rounds = 0;
        while part.has_time() || rounds == 0 {
            toggles(&server, 91 + dice.below(20), &mut report).await;
            conditions(&server, &mut report).await;
            put_against_patch(&server, &mut report).await;
            rounds += 1;
        }
        report.rounds += rounds;
        report.no_panic(&[&server]);
        server.end().await;
    }
    report
}

async fn made(server: &Server) -> (Client, String, String) {
    let mut client = server.client("ann");
    let call = Call::new("POST", "/api/v1/tasks").json(&json!({"title": "One", "description": "Before"}));
    let answer = client.send(&call).await.expect("an answer");
    let tag = answer.header("etag").expect("an ETag").to_owned();
    (client, text(&answer.json(), "id"), tag)
}

/// The statuses of so many of these calls at once, each on a connection of its own.
async fn at_once(server: &Server, calls: Vec<Call>) -> Vec<u16> {
    let one = async |call: Call| {
        let mut client = Client::new(server.address, token("ann"));
        client.send(&call).await.map_or(0, |answer| answer.status)
    };
    join_all(calls.into_iter().map(one)).await
}

async fn toggles(server: &Server, count: usize, report: &mut Report) {
    let (mut client, id, _) = made(server).await;
    let path = format!("/api/v1/tasks/{id}");
    let statuses = at_once(server, vec![Call::new("PATCH", format!("{path}/complete")); count]).await;
    let good = statuses.iter().filter(|status| **status == 200).count();
    report.tally.acknowledged += good;
    let row = client.send(&Call::get(path)).await.expect("an answer").json();
    let version = i64::try_from(count + 1).expect("small");
    if good != count || row["completed"] != (count % 2 == 1) || row["version"] != version {
        report.tally.wrong(format!("{good} of {count} toggles left {row}"));
    }
}

async fn conditions(server: &Server, report: &mut Report) {
    let (mut client, id, tag) = made(server).await;
    let path = format!("/api/v1/tasks/{id}");
    let call = |i: usize| {
        Call::new("PATCH", path.clone()).header("If-Match", &tag).json(&json!({"title": format!("By {i}")}))
    };
    let statuses = at_once(server, (0..20).map(call).collect()).await;
    let won = statuses.iter().filter(|status| **status == 200).count();
    let late = statuses.iter().filter(|status| **status == 412).count();
    report.tally.acknowledged += won;
    let row = client.send(&Call::get(path.clone())).await.expect("an answer").json();
    if (won, late) != (1, 19) || row["version"] != 2 {
        report.tally.wrong(format!("{won} of 20 with one If-Match won, {late} were late: {row}"));
    }
}

async fn put_against_patch(server: &Server, report: &mut Report) {
    let (mut client, id, _) = made(server).await;
    let path = format!("/api/v1/tasks/{id}");
    let calls = vec![
        Call::new("PUT", path.clone()).json(&json!({"title": "Put", "completed": false})),
        Call::new("PATCH", path.clone()).json(&json!({"description": "Patched"})),
    ];
    let statuses = at_once(server, calls).await;
    report.tally.acknowledged += statuses.iter().filter(|status| **status == 200).count();
    let row = client.send(&Call::get(path)).await.expect("an answer").json();
    let legal = row["description"].is_null() || row["description"] == "Patched";
    if statuses != [200, 200] || row["title"] != "Put" || !legal {
        report.tally.wrong(format!("PUT against PATCH: {statuses:?} left {row}"));
    }
}
