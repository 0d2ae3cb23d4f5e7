//! Asking the auth server over HTTP: how much of an answer is read, and which redirects are followed.

use std::error::Error;
use std::sync::Arc;

use http::StatusCode;
use http::header::DATE;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, Url};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use crate::field::timestamp::Timestamp;

/// How many redirects are followed where any are.
const MOST_REDIRECTS: usize = 3;

/// What the auth server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The server's clock (`Date`).
    pub(super) date: Option<Timestamp>,
    /// The body of a 200; empty otherwise, since no other body is read.
    pub(super) body: Vec<u8>,
}

/// A client that trusts the system's root certificates, follows redirects only where `redirects` says so (at most
/// three, on the same host), and asks no proxy: the auth server is a neighbour, and a variable that is meant for
/// browsing must not see who signs in.
///
/// # Errors
/// Why TLS cannot be set up.
pub(super) fn client(redirects: bool) -> Result<Client, String> {
    let failed = |error: &dyn std::fmt::Display| format!("TLS cannot be set up: {error}");
    let mut roots = RootCertStore::empty();
    // A machine without root certificates still reaches an auth server by plain HTTP.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(if redirects { Policy::custom(on_the_same_host) } else { Policy::none() })
        .user_agent(concat!("creatorvault/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| failed(&error))
}

/// Another host would be another auth server, and plain HTTP after TLS one that anybody can play.
fn on_the_same_host(attempt: Attempt<'_>) -> Action {
    let came_from = attempt.previous().last();
    let same_host = came_from.is_some_and(|from| from.host() == attempt.url().host());
    let downgrade =
        came_from.is_some_and(|from| from.scheme() == "https" && attempt.url().scheme() != "https");
    if !same_host {
        attempt.error("it redirects to another host, which is not followed")
    } else if downgrade {
        attempt.error("it redirects from https to http, which is not followed")
    } else if attempt.previous().len() > MOST_REDIRECTS {
        attempt.error("it redirects more than three times")
    } else {
        attempt.follow()
    }
}

/// Sends a request and reads the body of a 200, of which at most `limit` bytes are taken.
///
/// # Errors
/// What went wrong, without the URL.
pub(super) async fn ask(request: RequestBuilder, limit: usize) -> Result<Answer, String> {
    let response = request.send().await.map_err(told)?;
    let status = response.status();
    let date = response.headers().get(DATE).and_then(|value| value.to_str().ok()).and_then(instant);
    let body = if status == StatusCode::OK { read(response, limit).await? } else { Vec::new() };
    Ok(Answer { status, date, body })
}

/// The body, cut off where it gets longer than that.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(told)? {
        if body.len() + chunk.len() > limit {
            return Err(format!("the answer is longer than {} KiB", limit / 1_024));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The date of an HTTP header (RFC 9110 section 5.6.7).
fn instant(text: &str) -> Option<Timestamp> {
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

/// The innermost cause says most; the outer ones say that it was a request.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut told: &dyn Error = &error;
    while let Some(cause) = told.source() {
        told = cause;
    }
    told.to_string()
}

/// A URL as a log may show it: without what its query may hold.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // The settings refuse a user name and a password; an address that cannot have any refuses these two calls.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_holds_no_secret() {
        for (url, text) in [
            ("https://a.test/api/auth/jwks", "https://a.test/api/auth/jwks"),
            ("https://a.test/jwks?key=canary#canary", "https://a.test/jwks"),
            ("https://canary:canary@a.test:8443/jwks", "https://a.test:8443/jwks"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), text);
        }
    }

    #[test]
    fn the_date_of_an_answer_is_an_instant() {
        let at = instant("Fri, 15 Jan 2027 08:00:00 GMT").unwrap();
        assert_eq!(at.micros(), 1_800_000_000_000_000);
        assert_eq!(instant("yesterday"), None);
    }
}
