//! `doctor`: looks at everything that a working set-up needs, and says for each thing that is not right how to cure it.
//! It makes and changes nothing.

use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use super::{Failure, say};
use crate::clock::Clock;
use crate::config::{Config, Examined};

mod citus;
mod database;
mod fence;
mod finding;
mod keys;
mod limits;
mod machine;
mod migrations;
mod names;
mod report;
mod settings;

pub(super) use database::size;
use finding::{Finding, Status};

/// How long one look may take: the network, a disk, a name server may never answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Look at settings, database, keys, clock, origins and this machine, with the cure for all that is not right
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault doctor                      what this folder's .env and the environment make
  creatorvault doctor --json               the same as an array of {check, status, detail, cure}
  docker compose exec backend creatorvault doctor

It makes, migrates and changes nothing, and shows no secret. Nothing takes longer than three seconds.

Exit codes: 0 nothing is wrong (warnings are allowed), 1 there is a problem.")]
pub(super) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let examined = Config::examine();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::from(format!("cannot start: {error}")))?;
        let findings = runtime.block_on(look(&examined, &Clock::system()));
        // A look that hangs (a name server, a disk) is left to itself.
        runtime.shutdown_background();
        say(&if self.json { report::json(&findings) } else { report::text(&findings) });
        if findings.iter().any(|finding| finding.status == Status::Problem) {
            return Err(Failure(Vec::new()));
        }
        Ok(())
    }
}

/// Every look, at once and each on its own; told in one order.
async fn look(examined: &Examined, clock: &Clock) -> Vec<Finding> {
    let (database, migrations, fence, keys, rate, listen, metrics, folder) = tokio::join!(
        database::look(examined),
        migrations::look(examined),
        fence::look(examined),
        keys::look(examined, clock),
        limits::rate(examined),
        machine::listen(examined),
        machine::metrics(examined),
        machine::folder(examined),
    );
    let mut findings = settings::settings(examined);
    findings.push(settings::dev_mode(examined));
    findings.extend(settings::secret(examined));
    findings.extend(database);
    findings.extend(migrations);
    findings.extend(fence);
    findings.extend(keys);
    findings.extend(names::names(examined));
    findings.extend(settings::origins(examined));
    findings.extend(settings::trailing_slashes(examined));
    findings.push(rate);
    findings.push(limits::proxies(examined));
    findings.extend(listen);
    findings.extend(metrics);
    findings.extend(folder);
    findings.push(settings::logs(examined));
    findings
}

/// The outcome of a look; `None` when it takes too long.
async fn bounded<T>(look: impl Future<Output = T>) -> Option<T> {
    timeout(PATIENCE, look).await.ok()
}

/// A look that blocks its thread; `None` when it takes too long.
async fn bounded_blocking<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    bounded(tokio::task::spawn_blocking(look)).await?.ok()
}

/// What stands in for a look that one of these settings spoils: a name, or the begin of several when it ends in `_`.
fn spoiled(examined: &Examined, check: &'static str, settings: &[&str]) -> Option<Finding> {
    let wrong = examined.problems.iter().find_map(|problem| {
        let name = problem.split(' ').next().unwrap_or_default();
        let hit = |setting: &&str| name == *setting || (setting.ends_with('_') && name.starts_with(*setting));
        settings.iter().any(hit).then_some(name)
    })?;
    Some(Finding::warning(check, "not looked at", format!("put {wrong} right first, then run this again")))
}
