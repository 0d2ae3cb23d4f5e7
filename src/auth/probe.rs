//! One look at the auth server, for a diagnosis: which keys it publishes, what its clock says, whether it knows about
//! sessions. Nothing is kept.

use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL};
use reqwest::{Client, Url};
use serde_json::Value;

use super::algorithm::Algorithm;
use super::jwks::KeyDocument;
use super::keys::PublicKey;
use super::refusal::shown;
use super::web::{self, Answer};
use crate::clock::Clock;

/// The longest answer, in bytes: what the server itself takes as a key set.
const LIMIT: usize = 512 * 1_024;

/// What an auth server answered.
#[derive(Debug)]
pub struct Sight<T> {
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// How far the auth server's clock is ahead of this machine's, in milliseconds, going by `Date`; good to half a
    /// second and half of the answer's time.
    pub ahead: Option<i64>,
    /// What was found there, or why that is not what it should be; neither the URL nor the body is in the text.
    pub found: Result<T, String>,
}

/// The keys of a published set.
#[derive(Debug)]
pub struct Published {
    /// The keys that can check tokens.
    pub keys: Vec<PublishedKey>,
    /// Why the others cannot, each with its id.
    pub dropped: Vec<String>,
}

/// One usable key of a published set.
#[derive(Debug)]
pub struct PublishedKey {
    /// Its `kid`, quoted and cut for a message.
    pub id: Option<String>,
    /// What it checks.
    pub algorithms: Vec<Algorithm>,
}

/// Fetches the key set once, however long it takes. With `only`, its keys check no other algorithms.
pub async fn key_set(url: &str, only: Option<&[Algorithm]>, clock: &Clock) -> Sight<Published> {
    look(web::client(true), url, clock, |answer| match answer.status {
        StatusCode::OK => KeyDocument::parse(&answer.body, only).map(published),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Err(format!("there is no key set at this address (status {})", answer.status.as_u16()))
        }
        status => Err(format!("the answer has status {}", status.as_u16())),
    })
    .await
}

/// Asks for the session of nobody, which Better Auth answers with `null`.
pub async fn session_route(url: &str, clock: &Clock) -> Sight<()> {
    look(web::client(false), url, clock, |answer| match answer.status {
        StatusCode::OK => match serde_json::from_slice(&answer.body) {
            Ok(Value::Null | Value::Object(_)) => Ok(()),
            _ => Err("the answer is none of Better Auth's".to_owned()),
        },
        StatusCode::UNAUTHORIZED => Ok(()),
        status => Err(format!("the answer has status {}", status.as_u16())),
    })
    .await
}

/// A URL as a message may show it: without login, query and fragment.
pub fn shown_url(url: &str) -> String {
    url.parse::<Url>().map_or_else(|_| "an address that is no URL".to_owned(), |url| web::shown(&url))
}

async fn look<T>(
    client: Result<Client, String>,
    url: &str,
    clock: &Clock,
    read: impl FnOnce(&Answer) -> Result<T, String>,
) -> Sight<T> {
    let client = match client {
        Ok(client) => client,
        Err(error) => return Sight { status: None, ahead: None, found: Err(error) },
    };
    let request = client.get(url).header(ACCEPT, "application/json").header(CACHE_CONTROL, "no-cache");
    let before = clock.now().micros();
    let answer = web::ask(request, LIMIT).await;
    let after = clock.now().micros();
    match answer {
        Ok(answer) => Sight {
            status: Some(answer.status.as_u16()),
            // `Date` is cut to seconds: on average it says half a second less than there is.
            ahead: answer.date.map(|date| (date.micros() + 500_000 - (before / 2 + after / 2)) / 1_000),
            found: read(&answer),
        },
        Err(error) => Sight { status: None, ahead: None, found: Err(error) },
    }
}

fn published(document: KeyDocument) -> Published {
    let key = |key: &PublicKey| PublishedKey {
        id: key.key_id().map(shown),
        algorithms: super::algorithm::ALL.into_iter().filter(|algorithm| key.takes(*algorithm)).collect(),
    };
    Published { keys: document.keys.iter().map(key).collect(), dropped: document.dropped }
}
