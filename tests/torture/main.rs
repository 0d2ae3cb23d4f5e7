//! Tries what only time, chance and force can show, on the release build: kills, faults, floods, stops. `scripts/torture`
//! runs it; `docs/reliability.md` says what each trial stands for.

mod balancer;
mod client;
#[path = "../api/harness/dice.rs"]
#[expect(dead_code, reason = "a run has one seed, and each of its dice is made from that")]
mod dice;
mod ground;
mod load;
mod options;
mod postgres;
mod process;
mod report;
mod server;
mod steady;
mod sync;
mod trials;
mod wire;
mod writer;

use std::process::ExitCode;
use std::time::Instant;

use ground::Ground;
use options::Options;
use report::{Report, Table};

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let code = runtime.block_on(async {
        tokio::select! {
            code = run(&options) => code,
            () = asked_to_end() => {
                eprintln!("ended by a signal");
                ExitCode::from(130)
            }
        }
    });
    runtime.shutdown_background();
    process::end_all();
    code
}

async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a handler");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a handler");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Runs the trials one after the other; a trial that breaks off is a failed one.
async fn run(options: &Options) -> ExitCode {
    let began = Instant::now();
    let chosen: Vec<_> = trials::ALL.iter().filter(|trial| options.wants(trial.name)).collect();
    println!("seed {}, {} s for {} trials", options.seed, options.seconds, chosen.len());
    let ground = Ground::open(options);
    let shares: u32 = chosen.iter().map(|trial| trial.share).sum();
    let mut table = Table::default();
    for trial in chosen {
        let ground = ground.part(trial.name, options.time_of(trial, shares));
        println!("-- {} (seed {}, about {} s): {}", trial.name, options.seed, ground.seconds, trial.what);
        let since = Instant::now();
        let report = match tokio::spawn((trial.run)(ground)).await {
            Ok(report) => report,
            Err(broken) => Report::broken(&broken.to_string()),
        };
        process::end_servers();
        report.tell();
        table.add(trial.name, since.elapsed(), report);
    }
    println!("\n{table}");
    println!("seed {}, {} s in all", options.seed, began.elapsed().as_secs());
    if table.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
