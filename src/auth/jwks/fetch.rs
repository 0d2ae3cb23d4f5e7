//! One fetch of the key set.

use std::sync::OnceLock;

use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL};
use reqwest::{Client, Url};

use super::document::KeyDocument;
use crate::auth::algorithm::Algorithm;
use crate::auth::web;

/// The longest answer, in bytes.
const LIMIT: usize = 512 * 1_024;

/// Where a key set is published.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) url: Url,
    /// No other algorithms than these.
    only: Option<Vec<Algorithm>>,
    /// Made with the first fetch: a server that never fetches reads no root certificates.
    client: OnceLock<Client>,
}

/// Why there is no set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server is there and has no such page (404 or 410).
    Absent(u16),
    /// Anything else; the text is for the log.
    Failed(String),
}

impl Failure {
    pub(super) fn told(&self) -> String {
        match self {
            Self::Absent(status) => format!("there is no key set at this address (status {status})"),
            Self::Failed(text) => text.clone(),
        }
    }
}

impl Source {
    pub(super) fn new(url: Url, only: Option<Vec<Algorithm>>) -> Self {
        Self { url, only, client: OnceLock::new() }
    }

    /// Fetches the set, however long it takes.
    pub(super) async fn fetch(&self) -> Result<KeyDocument, Failure> {
        let request = self.client().map_err(Failure::Failed)?.get(self.url.clone());
        // A copy from before a rotation is of no use.
        let request = request.header(ACCEPT, "application/json").header(CACHE_CONTROL, "no-cache");
        let answer = web::ask(request, LIMIT).await.map_err(Failure::Failed)?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Failure::Absent(answer.status.as_u16())),
            status => return Err(Failure::Failed(format!("the answer has status {}", status.as_u16()))),
        }
        KeyDocument::parse(&answer.body, self.only.as_deref()).map_err(Failure::Failed)
    }

    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = web::client(true)?;
        Ok(self.client.get_or_init(|| client))
    }
}
