//! What the command line asks for.

use creatorvault::clock::Clock;

use crate::trials::{self, Trial};

/// A whole run.
const SECONDS: u32 = 15 * 60;

/// The long soak, beside the rest of a whole run.
const LONG_SOAK: u32 = 30 * 60;

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// How long all trials may take together, about.
    pub(crate) seconds: u32,
    long: bool,
    /// Empty: all.
    only: Vec<String>,
}

impl Options {
    /// # Errors
    /// What is wrong with it, and what there is.
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let now = Clock::system().now().micros().unsigned_abs();
        let mut options = Self { seed: now % 1_000_000_000, seconds: SECONDS, long: false, only: Vec::new() };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--long" => options.long = true,
                "--seed" => options.seed = number(&argument, arguments.next())?,
                "--seconds" => options.seconds = number(&argument, arguments.next())?,
                "--only" => {
                    let name = arguments.next().unwrap_or_default();
                    if !trials::ALL.iter().any(|trial| trial.name == name) {
                        let names: Vec<_> = trials::ALL.iter().map(|trial| trial.name).collect();
                        return Err(format!("--only wants one of: {}", names.join(", ")));
                    }
                    options.only.push(name);
                }
                other => return Err(format!("unknown option {other}: see scripts/torture --help")),
            }
        }
        if options.seconds == 0 {
            return Err("--seconds wants a number from 1".to_owned());
        }
        Ok(options)
    }

    /// How long this trial may take, about, where all shares together are `shares`.
    pub(crate) fn time_of(&self, trial: &Trial, shares: u32) -> u32 {
        let is_long = self.long && trial.name == "soak";
        if is_long { LONG_SOAK } else { self.seconds * trial.share / shares }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

fn number<N: std::str::FromStr>(option: &str, given: Option<String>) -> Result<N, String> {
    given.and_then(|text| text.parse().ok()).ok_or_else(|| format!("{option} wants a whole number"))
}
