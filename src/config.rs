//! What the environment says, parsed once. Every problem is found before any is reported, and each names
//! the variable and the cure. `Debug` shows no secret.

use std::path::Path;

pub mod auth;
pub mod contract;
pub mod database;
mod dotenv;
pub mod http;
mod known;
pub mod limits;
pub mod log;
pub mod metrics;
mod reader;
mod secret;
pub mod traces;

pub use reader::{Reader, parse_duration, parse_size, parse_switch};
pub use secret::Secret;

use database::DatabaseUrl;

/// Where the server runs: production has no dev mode and no default database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On somebody's own machine.
    Development,
    /// For real users.
    Production,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ENVIRONMENT`.
    pub environment: Environment,
    /// Addresses, origins and what the contracts answer.
    pub http: http::HttpConfig,
    /// Key sources and what a token must say.
    pub auth: auth::AuthConfig,
    /// The database.
    pub database: database::DatabaseConfig,
    /// Sizes and times.
    pub limits: limits::LimitsConfig,
    /// What front-ends expect of the contracts.
    pub contract: contract::ContractConfig,
    /// Logs.
    pub log: log::LogConfig,
    /// What the server tells about itself.
    pub metrics: metrics::MetricsConfig,
    /// Where traces go.
    pub traces: traces::TracesConfig,
}

/// Settings and the warnings that came with them, or every problem that was found.
pub type Loaded = Result<(Config, Vec<String>), Vec<String>>;

/// The settings as far as they can be read, with everything that was noted about them: for a diagnosis.
#[derive(Debug)]
pub struct Examined {
    /// The settings; where a variable is wrong its default stands in for it.
    pub config: Config,
    /// Every problem, one line each, naming the variable (or the line of `.env`) and the cure.
    pub problems: Vec<String>,
    /// What is no reason not to start, one line each.
    pub warnings: Vec<String>,
    vars: Reader,
}

impl Examined {
    /// A variable as it was written, trimmed; an empty one counts as unset. It may hold a secret.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.vars.text(name)
    }

    /// The names of the variables of ours that are set, in order.
    pub fn set(&self) -> impl Iterator<Item = &str> {
        self.vars.names().filter(|name| known::is_known(name) && self.text(name).is_some())
    }

    fn into_loaded(self) -> Loaded {
        if self.problems.is_empty() { Ok((self.config, self.warnings)) } else { Err(self.problems) }
    }
}

impl Config {
    /// The settings of this process: its environment, then `.env` in the working directory (a variable that the
    /// environment has, even an empty one, wins). The environment itself is never written to.
    ///
    /// # Errors
    /// All problems at once, one line each, naming the variable (or the line of `.env`) and the cure.
    pub fn load() -> Loaded {
        Self::examine().into_loaded()
    }

    /// As [`Config::load`], with whatever could be read beside the problems.
    pub fn examine() -> Examined {
        let mut file = dotenv::File::read(Path::new(".env"));
        let mut vars = std::mem::take(&mut file.vars);
        for (name, value) in std::env::vars_os() {
            // What is not UTF-8 belongs to someone else, unless the name is one of ours.
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(vars.insert(name, value)),
                Err(_) if known::is_known(&name) => {
                    file.problems.push(format!("{name} is not UTF-8: set it to plain text"));
                }
                Err(_) => {}
            }
        }
        let mut examined = Self::examine_vars(vars);
        examined.problems.splice(0..0, file.problems);
        examined.warnings.splice(0..0, file.warnings);
        examined
    }

    /// The settings that the given variables make, without a look at the process or at any file.
    ///
    /// # Errors
    /// All problems at once, one line each, naming the variable and the cure.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Loaded {
        Self::examine_vars(vars).into_loaded()
    }

    /// As [`Config::from_vars`], with whatever could be read beside the problems.
    pub fn examine_vars(vars: impl IntoIterator<Item = (String, String)>) -> Examined {
        let mut reader = Reader::new(vars);
        known::warn(&mut reader);
        let environment = environment(&mut reader);
        let config = Self {
            environment,
            http: http::HttpConfig::read(&mut reader, environment),
            auth: auth::AuthConfig::read(&mut reader, environment),
            database: database::DatabaseConfig::read(&mut reader, environment),
            limits: limits::LimitsConfig::read(&mut reader, environment),
            contract: contract::ContractConfig::read(&mut reader),
            log: log::LogConfig::read(&mut reader, environment),
            metrics: metrics::MetricsConfig::read(&mut reader, environment),
            traces: traces::TracesConfig::read(&mut reader),
        };
        refuse_open_dev_mode(&config, &mut reader);
        let (problems, mut warnings) = reader.take_notes();
        warnings.extend(config.database.warnings.iter().cloned());
        Examined { config, problems, warnings, vars: reader }
    }

    /// The folder for what the server keeps beside its rows (the secret of dev mode): that of the embedded database's
    /// file, or `data` when that has none or the rows live elsewhere.
    pub fn data_dir(&self) -> &Path {
        let beside = match &self.database.url {
            DatabaseUrl::Sqlite(file) => file.parent(),
            DatabaseUrl::Postgres(_) => None,
        };
        beside.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("data"))
    }
}

/// `ENVIRONMENT`; where it is unset, only `DEBUG=false` means production.
fn environment(reader: &mut Reader) -> Environment {
    // What is wrong with DEBUG is noted where it sets the log's level.
    let debug = reader.text("DEBUG").and_then(|text| parse_switch(text).ok());
    let default = if debug == Some(false) { Environment::Production } else { Environment::Development };
    reader.parse("ENVIRONMENT", default, |text| match text.to_ascii_lowercase().as_str() {
        "development" => Ok(Environment::Development),
        "production" => Ok(Environment::Production),
        _ => Err("must be development or production".to_owned()),
    })
}

/// Dev mode shows a token to everyone who can reach the server, so nobody else's machine may. A key source that was
/// refused has its own line.
fn refuse_open_dev_mode(config: &Config, reader: &mut Reader) {
    let named = auth::KEY_SOURCES.iter().any(|name| reader.verbatim(name).is_some());
    if config.auth.dev_mode() && !named && !config.http.is_loopback() {
        reader.problem(
            "HOST",
            "is reachable from other machines, which needs a key source: set BETTER_AUTH_URL (or BETTER_AUTH_SECRET, \
             or JWT_PUBLIC_KEY), or leave HOST out to stay on this machine in dev mode",
        );
    }
}

#[cfg(test)]
mod tests;
