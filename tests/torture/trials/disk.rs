//! SQLite on a disk that is full.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Report;
use crate::client::Call;
use crate::ground::Ground;
use crate::load::{Writers, ms};
use crate::process;
use crate::server::Server;

/// By when writes have success again once there is room.
const RECOVERY: Duration = Duration::from_secs(5);

pub(crate) async fn full(ground: Ground) -> Report {
    let disk = ground.folder("disk");
    if let Err(why) = mount(&disk) {
        return Report::skipped(&format!("no tmpfs of 4 MB can be mounted here (it needs root): {why}"));
    }
    let mut report = Report::default();
    let url = format!("sqlite://{}", disk.join("full.db").display());
    let server = Server::start(&ground.folder("server"), &url, &[]).await;
    let mut writers = Writers::with_ballast(&ground, "writer", 4, server.address, 4_000);
    let mut recovery = Duration::ZERO;
    while ground.has_time() || report.rounds == 0 {
        writers.begin();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let filler = disk.join("filler");
        fill(&filler);
        // Whatever room is left goes to the database until a write is refused.
        let began = Instant::now();
        let mut client = server.client("onlooker");
        let create =
            Call::new("POST", "/api/v1/tasks").json(&json!({"title": "x", "description": "y".repeat(4_000)}));
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
        let freed = Instant::now();
        while client.send(&create).await.is_ok_and(|answer| answer.status != 201) {
            if freed.elapsed() > Duration::from_secs(20) {
                report.fail("no write within 20 s of the disk's room");
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        recovery = recovery.max(freed.elapsed());
        writers.rest().await;
        report.add(&writers.check().await);
        let erased = client.send(&Call::new("DELETE", "/api/v1/users/me")).await.expect("an answer");
        if erased.status >= 300 {
            report.fail(format!("the onlooker's rows stay: {}", erased.summary()));
        }
    }
    report.gate(recovery <= RECOVERY, format!("writes again {} after there was room", ms(recovery)));
    report.note(format!("{} times 503", report.tally.refused));
    report.no_panic(&[&server]);
    server.end().await;
    report
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
