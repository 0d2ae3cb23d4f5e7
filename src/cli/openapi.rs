//! `openapi`: prints the document.

use clap::Args;

use super::{Failure, say};
use crate::config::Config;
use crate::config::contract::VARIABLES;

/// Print the OpenAPI 3.1 document, the one that a server with these settings shows at /openapi.json
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault openapi > openapi.json
  TODO_IDS=number creatorvault openapi
  creatorvault openapi | npx openapi-typescript /dev/stdin -o api.d.ts")]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let examined = Config::examine();
        // Only what the document depends on can stop it: it is wanted on machines where nothing else is set up.
        let depends = |line: &String| {
            VARIABLES.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))
        };
        let problems: Vec<_> = examined.problems.into_iter().filter(depends).collect();
        if !problems.is_empty() {
            return Err(Failure(problems));
        }
        let document = crate::api::openapi(&examined.config.contract);
        say(&document.to_pretty_json().map_err(|error| Failure::from(format!("the document: {error}")))?);
        Ok(())
    }
}
