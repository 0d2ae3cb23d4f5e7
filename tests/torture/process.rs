//! Every process that a run has started, so that none outlives it, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;

/// What is to be ended.
#[derive(Debug, Default)]
struct Started {
    /// Children of ours that nobody has waited for yet: their ids are still theirs.
    servers: Vec<Child>,
    /// Folders of `scripts/postgres`.
    folders: Vec<PathBuf>,
    /// Processes of PostgreSQL or PgBouncer that were stopped: they have to go on before they can end.
    stopped: Vec<u32>,
    mounts: Vec<PathBuf>,
}

static STARTED: Mutex<Started> =
    Mutex::new(Started { servers: Vec::new(), folders: Vec::new(), stopped: Vec::new(), mounts: Vec::new() });

fn started<T>(act: impl FnOnce(&mut Started) -> T) -> T {
    act(&mut STARTED.lock().expect("no holder panics"))
}

/// Starts it; its id. It ends with [`kill`], by itself (see [`ended`]), or at the end of the trial.
pub(crate) fn spawn(command: &mut Command) -> u32 {
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let id = child.id();
    started(|all| all.servers.push(child));
    id
}

/// How it has ended, if it has.
pub(crate) fn ended(id: u32) -> Option<std::process::ExitStatus> {
    started(|all| {
        let at = all.servers.iter().position(|child| child.id() == id)?;
        all.servers[at].try_wait().expect("a child of ours")?;
        all.servers.swap_remove(at).wait().ok()
    })
}

/// SIGKILL, and waits for its end.
pub(crate) fn kill(id: u32) {
    let child = started(|all| {
        let at = all.servers.iter().position(|child| child.id() == id)?;
        Some(all.servers.swap_remove(at))
    });
    if let Some(mut child) = child {
        child.kill().ok();
        child.wait().ok();
    }
}

/// Sends a signal to processes of this run.
pub(crate) fn signal(name: &str, ids: &[u32]) {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    if !ids.is_empty() {
        Command::new("kill").arg(format!("-{name}")).args(&ids).output().expect("kill runs");
    }
}

pub(crate) fn remember_folder(folder: &Path) {
    started(|all| all.folders.push(folder.to_owned()));
}

pub(crate) fn remember_mount(folder: &Path) {
    started(|all| all.mounts.push(folder.to_owned()));
}

/// SIGSTOP; SIGCONT comes with [`go_on`], at the latest at the end.
pub(crate) fn stop(ids: &[u32]) {
    started(|all| all.stopped.extend(ids));
    signal("STOP", ids);
}

pub(crate) fn go_on() {
    let stopped = started(|all| std::mem::take(&mut all.stopped));
    signal("CONT", &stopped);
}

/// Ends what one trial may have left: servers, stopped databases, mounts.
pub(crate) fn end_servers() {
    go_on();
    let (servers, mounts) =
        started(|all| (std::mem::take(&mut all.servers), std::mem::take(&mut all.mounts)));
    for mut child in servers {
        child.kill().ok();
        child.wait().ok();
    }
    for mount in mounts {
        Command::new("umount").arg(&mount).output().ok();
    }
}

/// Ends everything.
pub(crate) fn end_all() {
    end_servers();
    for folder in started(|all| std::mem::take(&mut all.folders)) {
        Command::new("scripts/postgres").arg("stop").arg(&folder).output().ok();
    }
}
