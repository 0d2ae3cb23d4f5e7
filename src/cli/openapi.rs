//! `openapi`: prints the document.

use clap::Args;

use super::{Failure, say};

/// Print the OpenAPI 3.1 document, the one that the server shows at /openapi.json
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault openapi > openapi.json
  creatorvault openapi | npx openapi-typescript /dev/stdin -o api.d.ts")]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let document = crate::api::openapi();
        say(&document.to_pretty_json().map_err(|error| Failure::from(format!("the document: {error}")))?);
        Ok(())
    }
}
