//! What this machine gives: a port to listen at, a folder to write to.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, access, statvfs};

use super::database::size;
use super::finding::{Finding, Status};
use super::{bounded, bounded_blocking, spoiled};
use crate::cli::{healthcheck, serve};
use crate::config::Examined;
use crate::config::database::DatabaseUrl;
use crate::config::http::HttpConfig;
use crate::config::metrics::Place;

const FOLDER: &str = "data folder";

/// Less free space than this fills up soon, in bytes.
const TIGHT: u64 = 100 * 1_000_000;

/// How long a server that listens already may take to say so.
const HEALTH: Duration = Duration::from_millis(1_500);

/// Whether the server could listen where it is told to.
pub(super) async fn listen(examined: &Examined) -> Vec<Finding> {
    const CHECK: &str = "listening";
    if let Some(finding) = spoiled(examined, CHECK, &["HOST", "PORT"]) {
        return vec![finding];
    }
    let http = &examined.config.http;
    let found = match bounded(serve::listen::bind(http)).await {
        None => {
            let cure = "use an address in HOST, or a name that resolves";
            Finding::problem(CHECK, "the names in HOST have no address within three seconds", cure)
        }
        Some(Err(line)) => match line.contains("taken by another program") && is_healthy(http).await {
            true => Finding::ok(
                CHECK,
                format!("a server that answers /health listens at PORT {} already", http.port),
            ),
            false => Finding::from_line(CHECK, Status::Problem, &line),
        },
        Some(Ok(listeners)) => {
            // Given back at once; a port of 0 is another one each time.
            let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok());
            let addresses: Vec<_> = addresses.map(|address| address.to_string()).collect();
            let reach = if http.is_loopback() { "this machine only" } else { "other machines too" };
            Finding::ok(CHECK, format!("{} can be listened at, reached from {reach}", addresses.join(", ")))
        }
    };
    vec![found]
}

/// Whether the server could tell its metrics where it is told to, where that is an address of its own.
pub(super) async fn metrics(examined: &Examined) -> Option<Finding> {
    const CHECK: &str = "metrics";
    if let Some(finding) = spoiled(examined, CHECK, &["METRICS_ADDRESS", "ENVIRONMENT"]) {
        return Some(finding);
    }
    let Place::Own(address) = examined.config.metrics.place else { return None };
    Some(match serve::listen::bind_metrics(&examined.config.metrics).await {
        Ok(_) => Finding::ok(CHECK, format!("{address} can be listened at")),
        Err(_) if is_healthy(&examined.config.http).await => {
            Finding::ok(CHECK, format!("{address} is taken, as it is by a server that runs already"))
        }
        Err(line) if examined.config.metrics.place_set => Finding::from_line(CHECK, Status::Problem, &line),
        // the server starts without them
        Err(line) => Finding::from_line(CHECK, Status::Warning, &line),
    })
}

/// Whether it is a server like this one that has the port.
async fn is_healthy(http: &HttpConfig) -> bool {
    let Ok(address) = healthcheck::near(&http.hosts, http.port) else { return false };
    let asked = bounded_blocking(move || healthcheck::ask(address, "/health", Instant::now() + HEALTH)).await;
    matches!(asked, Some(Ok(200)))
}

/// Whether the server could write beside its embedded database, or keep the secret of dev mode.
pub(super) async fn folder(examined: &Examined) -> Option<Finding> {
    if spoiled(examined, FOLDER, &["DATABASE_", "NEON_DATABASE_URL", "ENVIRONMENT"]).is_some() {
        return None;
    }
    // A key source that was refused ends dev mode all the same.
    let keyless = spoiled(examined, FOLDER, &["BETTER_AUTH_", "JWT_"]).is_none();
    let config = &examined.config;
    let (folder, file) = match &config.database.url {
        // Of a bare file name the working directory is the folder.
        DatabaseUrl::Sqlite(file) => {
            (file.parent().map(Path::to_owned).unwrap_or_default(), Some(file.clone()))
        }
        DatabaseUrl::Postgres(_) if keyless && config.auth.dev_mode() => (config.data_dir().to_owned(), None),
        DatabaseUrl::Postgres(_) => return None,
    };
    let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
    let shown = folder.display().to_string();
    let found = bounded_blocking(move || judge(&folder, file.as_deref())).await;
    Some(found.unwrap_or_else(|| {
        let cure = "name a file on a disk of this machine in DATABASE_URL";
        Finding::problem(FOLDER, format!("{shown} does not answer within three seconds"), cure)
    }))
}

fn judge(folder: &Path, file: Option<&Path>) -> Finding {
    let shown = folder.display();
    let Some(there) = folder.ancestors().map(or_here).find(|place| place.exists()) else {
        return Finding::problem(
            FOLDER,
            format!("{shown} cannot be looked at"),
            "name another file in DATABASE_URL",
        );
    };
    let cure = format!(
        "let this user write to {} (chown), or name a file elsewhere in DATABASE_URL",
        there.display()
    );
    if !there.is_dir() {
        return Finding::problem(FOLDER, format!("{} is not a folder", there.display()), cure);
    }
    if let Err(error) = access(there, Access::WRITE_OK | Access::EXEC_OK) {
        return Finding::problem(FOLDER, format!("{} cannot be written to: {error}", there.display()), cure);
    }
    if let Some(file) = file.filter(|file| file.exists())
        && let Err(error) = access(file, Access::READ_OK | Access::WRITE_OK)
    {
        let cure = format!("let this user read and write {} (chown)", file.display());
        return Finding::problem(FOLDER, format!("{} cannot be written to: {error}", file.display()), cure);
    }
    let how = if there == folder { "can be written to" } else { "will be created" };
    match statvfs(there).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)) {
        Ok(free) if free < TIGHT => {
            let cure = "free some space: on a full disk writes are answered with 503";
            Finding::warning(FOLDER, format!("{shown} {how}, but only {} are free", size(free)), cure)
        }
        Ok(free) => Finding::ok(FOLDER, format!("{shown} {how}, {} free", size(free))),
        Err(_) => Finding::ok(FOLDER, format!("{shown} {how}")),
    }
}

/// The last ancestor of a relative path is empty, and stands for the working directory.
fn or_here(place: &Path) -> &Path {
    if place.as_os_str().is_empty() { Path::new(".") } else { place }
}

#[cfg(test)]
mod tests;
