//! SQLite on a disk that is full.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Report;
use crate::client::{Call, Client};
use crate::ground::Ground;
use crate::load::{Writers, ms};
use crate::process;
use crate::server::Server;
use crate::writer::text;

/// What becomes free again, at least: more than all rows together, so that there is room to write the log back.
const ROOM: usize = 1_500_000;

/// By when writes have success again once there is room.
const RECOVERY: Duration = Duration::from_secs(5);

pub(crate) async fn full(ground: Ground) -> Report {
    let disk = ground.folder("disk");
    if let Err(why) = mount(&disk) {
        return Report::skipped(&format!("no tmpfs of 4 MB can be mounted here (it needs root): {why}"));
    }
    let mut report = Report::default();
    let url = format!("sqlite://{}", disk.join("full.db").display());
    let mut server = Server::start(&ground.folder("server"), &url, &[]).await;
    let mut writers = Writers::with_ballast(&ground, "writer", 4, server.address, 2_000);
    let mut dice = ground.dice("disk");
    let mut recovery = Duration::ZERO;
    while ground.has_time() || report.rounds == 0 {
        if report.rounds > 0 {
            // Its end writes the log back, so that each round begins with the same room.
            server.end().await;
        }
        let filler = disk.join("filler");
        let fits = std::fs::write(&filler, vec![0; ROOM]);
        if fits.is_err() {
            std::fs::remove_file(&filler).expect("the filler goes");
        }
        if report.rounds > 0 {
            server.again().await;
        }
        if let Err(error) = fits {
            // The writers' rows stay and are looked at, so one day they fill the disk by themselves.
            assert!(report.rounds > 0, "an empty disk has so much room: {error}");
            report.note("ended early: the rows that are there leave no room for a further round");
            break;
        }
        writers.begin();
        tokio::time::sleep(Duration::from_millis(100 + dice.below(400) as u64)).await;
        // Whatever room is left goes to the database until a write is refused.
        let began = Instant::now();
        let mut client = server.client("onlooker");
        let create =
            Call::new("POST", "/api/v1/tasks").json(&json!({"title": "x", "description": "y".repeat(500)}));
        let mut refusals = 0;
        while refusals < 3 && began.elapsed() < Duration::from_secs(20) {
            fill(&filler);
            let answer = client.send(&create).await.expect("an answer");
            match answer.status {
                201 => refusals = 0,
                503 => refusals += 1,
                _ => report.tally.wrong(format!("a write on a full disk: {}", answer.summary())),
            }
        }
        report.rounds += 1;
        if refusals == 0 {
            report.fail("no write was refused, so nothing was tried");
        }
        for path in ["/api/v1/tasks?limit=5", "/api/v1/tasks/stats"] {
            let answer = client.send(&Call::get(path)).await.expect("an answer");
            if answer.status != 200 {
                report.tally.wrong(format!("a read on a full disk: {}", answer.summary()));
            }
        }
        if server.is_ready().await {
            report.fail("/health/ready says ready while writes are refused");
        }
        std::fs::remove_file(&filler).expect("the filler goes");
        match longest_wait(&mut client, &create).await {
            Some(wait) => recovery = recovery.max(wait),
            None => report.fail(format!("no write within 20 s although there was room: {}", sizes(&disk))),
        }
        writers.rest().await;
        report.add(&writers.check().await);
        let erased = client.send(&Call::new("DELETE", "/api/v1/users/me")).await.expect("an answer");
        if erased.status >= 300 {
            report.fail(format!("the onlooker's rows stay: {}", erased.summary()));
        }
    }
    report.gate(
        recovery <= RECOVERY,
        format!("longest wait for a write after there was room {}", ms(recovery)),
    );
    report.note(format!("{} times 503", report.tally.refused));
    report.no_panic(&[&server]);
    server.end().await;
    report
}

/// Writes as much as the whole disk takes, though never more at a time: the longest wait for a success. None: for ever.
async fn longest_wait(client: &mut Client, create: &Call) -> Option<Duration> {
    let mut call = create.clone();
    let mut longest = Duration::ZERO;
    for i in 0..400 {
        let began = Instant::now();
        let answer = loop {
            match client.send(&call).await {
                Ok(answer) if answer.status < 300 => break answer,
                _ if began.elapsed() > Duration::from_secs(20) => return None,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        longest = longest.max(began.elapsed());
        if i == 0 {
            call =
                Call::new("PATCH", format!("/api/v1/tasks/{}", text(&answer.json(), "id"))).json(&json!({}));
        }
        call = call.body(&json!({"title": format!("Change {i}")}));
    }
    Some(longest)
}

/// The files of the disk and their bytes.
fn sizes(disk: &Path) -> String {
    let files = std::fs::read_dir(disk).expect("the disk").flatten();
    let size = |file: &std::fs::DirEntry| file.metadata().map_or(0, |data| data.len());
    let texts = files.map(|file| format!("{} {}", file.file_name().display(), size(&file)));
    texts.collect::<Vec<_>>().join(", ")
}

fn mount(folder: &Path) -> Result<(), String> {
    let output =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m,mode=700", "torture"]).arg(folder).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    process::remember_mount(folder);
    Ok(())
}

/// Takes whatever room there is.
fn fill(file: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::options().create(true).append(true).open(file).expect("a file");
    while file.write_all(&[0; 4_096]).is_ok() {}
}
