//! The command line, one file per command. Exit codes: 0 done, 1 failed, 2 misused.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

mod backup;
mod copy;
mod doctor;
mod healthcheck;
mod import;
mod migrate;
mod openapi;
mod restore;
mod serve;
mod token;
mod welcome;

const EXAMPLES: &str = "\
Examples:
  creatorvault                            serve with no settings at all: SQLite, dev mode, this machine only
  PORT=8080 creatorvault serve            settings come from the environment, or from .env in this folder
  creatorvault migrate status             which migrations the database has
  creatorvault token new --user ann       a token to try the API with
  creatorvault token check eyJhbGciOi…    why this server takes or refuses a token
  creatorvault copy --from sqlite://data/creatorvault.db --to-env NEW_URL    move up to PostgreSQL
  creatorvault backup vault.backup        a copy of the SQLite file, while the server runs
  creatorvault doctor                     what is wrong with this set-up, and the cure
  creatorvault import --from old.db       take the rows of an existing back end

Exit codes: 0 done, 1 failed, 2 misused.";

/// A private REST API for tasks and content ideas behind a Better Auth front-end.
///
/// One binary, on embedded SQLite or PostgreSQL. Settings are environment variables; a file `.env` in the working
/// directory is read too, and what the environment has wins over it.
#[derive(Debug, Parser)]
#[command(name = "creatorvault", version, after_help = EXAMPLES)]
struct Cli {
    /// Without a command it serves.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    #[command(subcommand)]
    Token(token::Token),
    Doctor(doctor::Doctor),
    Openapi(openapi::Openapi),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Copy(copy::Copy),
    Healthcheck(healthcheck::Healthcheck),
    Import(import::Import),
}

/// Why a command failed: lines for people, each with the cure where there is one; none when all is said already.
#[derive(Debug, PartialEq, Eq)]
struct Failure(Vec<String>);

impl From<String> for Failure {
    fn from(line: String) -> Self {
        Self(vec![line])
    }
}

/// Runs the command that the arguments (the program's name first) ask for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no misuse.
            if !error.use_stderr() {
                drop(error.print());
                return ExitCode::SUCCESS;
            }
            let text = error.render();
            match without_logins(&text.to_string()) {
                Some(masked) => complain(masked.trim_end()),
                None => drop(error.print()),
            }
            return ExitCode::from(2);
        }
    };
    let done = match cli.command.unwrap_or(Command::Serve(serve::Serve {})) {
        Command::Serve(command) => command.run(),
        Command::Migrate(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Openapi(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Copy(command) => command.run(),
        Command::Healthcheck(command) => command.run(),
        Command::Import(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(lines)) => {
            lines.iter().for_each(|line| complain(line));
            ExitCode::FAILURE
        }
    }
}

/// The settings; warnings go to standard error, problems are the failure.
fn settings() -> Result<Config, Failure> {
    let (config, warnings) = Config::load().map_err(Failure)?;
    warnings.iter().for_each(|warning| complain(&format!("warning: {warning}")));
    Ok(config)
}

/// Runs what waits for the database, on this thread.
fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::from(format!("cannot start: {error}")))?
        .block_on(work)
}

/// The text without the logins and the keys of the URLs in it, one on a line; none when there is no URL that has any.
fn without_logins(text: &str) -> Option<String> {
    let masked = |line: &str| {
        let (before, after) = line.split_once("://")?;
        let (login, after) = after.rsplit_once('@').map_or(("", after), |(_, after)| ("…@", after));
        let (place, keys) = after.split_once('?').unwrap_or((after, ""));
        let (keys, end) = keys.split_at(keys.find('\'').unwrap_or(keys.len()));
        let keys = if keys.is_empty() { "" } else { "?…" };
        let any = !login.is_empty() || !keys.is_empty();
        any.then(|| format!("{before}://{login}{place}{keys}{end}"))
    };
    let lines: Vec<_> = text.lines().map(|line| (line, masked(line))).collect();
    let any = lines.iter().any(|(_, masked)| masked.is_some());
    let told = |(line, masked): (&str, Option<String>)| masked.unwrap_or_else(|| line.to_owned());
    any.then(|| lines.into_iter().map(told).collect::<Vec<_>>().join("\n"))
}

/// A line on standard output; that nobody reads it (a closed pipe) is no failure.
fn say(line: &str) {
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

/// A line on standard error.
fn complain(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_misused_url_keeps_its_login_to_itself() {
        let text = "error: invalid value 'postgresql://ann:ca@na/ry@host/db' for '--from'\n\nMore.";
        let masked = "error: invalid value 'postgresql://…@host/db' for '--from'\n\nMore.";
        assert_eq!(without_logins(text).as_deref(), Some(masked));
        let keys = without_logins("'postgresql://host/db?password=canary&user=ann' found");
        assert_eq!(keys.as_deref(), Some("'postgresql://host/db?…' found"));
        assert_eq!(without_logins("error: 'sqlite://a.db' is no command"), None);
    }

    #[test]
    fn the_command_line_is_well_formed_and_every_command_teaches() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        command.build();
        let mut open: Vec<_> = command.get_subcommands().filter(|c| c.get_name() != "help").collect();
        while let Some(command) = open.pop() {
            let below: Vec<_> = command.get_subcommands().filter(|c| c.get_name() != "help").collect();
            if below.is_empty() {
                let help = command.clone().render_long_help().to_string();
                assert!(help.contains("Examples:"), "{} has no examples", command.get_name());
            }
            open.extend(below);
        }
    }
}
