//! Better Auth's `GET /get-session`: how it is asked about a token, and how its answer reads.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderValue};
use reqwest::{Client, Url};
use serde_json::Value;

use crate::auth::claims::{describing_text, user_text};
use crate::auth::refusal::{Refusal, reason};
use crate::auth::verifier::Verified;
use crate::auth::{object, web};
use crate::config::Secret;
use crate::field::timestamp::Timestamp;

/// The longest answer, in bytes.
const LIMIT: usize = 256 * 1_024;

/// The cookie's name on plain HTTP, and the one that Better Auth gives it where its own URL is https. Both are sent,
/// since the server may be reached under another scheme than browsers reach it.
const COOKIES: [&str; 2] = ["better-auth.session_token", "__Secure-better-auth.session_token"];

/// How far a session's end may have passed: the clocks may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// Where sessions are looked up.
pub(super) struct Endpoint {
    pub(super) url: Url,
    /// Signs the cookie of a token that comes without its signature, as Better Auth's bearer() plugin would.
    signer: Option<hmac::Key>,
    client: OnceLock<Client>,
}

/// What the auth server said.
#[derive(Debug)]
pub(super) enum Said {
    /// The session's user.
    User(Verified),
    /// There is no such session.
    Refused(Refusal),
}

impl Endpoint {
    pub(super) fn new(url: &str, secret: Option<&Secret>) -> Result<Self, String> {
        let url = url.parse().map_err(|_| "BETTER_AUTH_URL is not a URL".to_owned())?;
        let signer = secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()));
        Ok(Self { url, signer, client: OnceLock::new() })
    }

    /// Asks about a text that has the form of a session token.
    ///
    /// # Errors
    /// Why there is no answer; for the log.
    pub(super) async fn ask(&self, token: &str, now: Timestamp) -> Result<Said, String> {
        let mut request = self.client()?.get(self.url.clone());
        request = request.header(ACCEPT, "application/json").header(CACHE_CONTROL, "no-cache");
        // For the bearer() plugin, which signs a bare token itself and knows a renamed cookie.
        request = request.header(AUTHORIZATION, sensitive(&format!("Bearer {token}"))?);
        let cookie = self.cookie(token);
        if let Some(value) = &cookie {
            let both = COOKIES.map(|name| format!("{name}={value}")).join("; ");
            request = request.header(COOKIE, sensitive(&both)?);
        }
        let answer = web::ask(request, LIMIT).await?;
        read(answer.status, &answer.body, cookie.is_some(), now)
    }

    /// The value of the session cookie: the token and its signature (base64 of HMAC-SHA256), percent-encoded.
    fn cookie(&self, token: &str) -> Option<String> {
        if token.contains('%') {
            return Some(token.to_owned());
        }
        let signed = match (token.contains('.'), &self.signer) {
            (true, _) => token.to_owned(),
            (false, Some(signer)) => {
                format!("{token}.{}", STANDARD.encode(hmac::sign(signer, token.as_bytes())))
            }
            (false, None) => return None,
        };
        Some(signed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"))
    }

    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // No redirects: a cookie goes where the setting says, and nowhere else.
        let client = web::client(false)?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A header that no log of the HTTP library shows.
fn sensitive(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "the token cannot be sent on".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads the answer. Only a clear "no such session" refuses: anything that is not understood is no answer.
fn read(status: StatusCode, body: &[u8], signed: bool, now: Timestamp) -> Result<Said, String> {
    match status {
        StatusCode::OK if body.trim_ascii() == b"null" => Ok(Said::Refused(unknown(signed))),
        StatusCode::OK => session(body, now),
        StatusCode::UNAUTHORIZED => Ok(Said::Refused(unknown(signed))),
        status if status.is_redirection() => Err(format!(
            "the answer is a redirect ({}); set BETTER_AUTH_URL to where it leads",
            status.as_u16()
        )),
        status => Err(format!("the answer has status {}", status.as_u16())),
    }
}

fn unknown(signed: bool) -> Refusal {
    let detail = match signed {
        true => "the auth server knows no such session, or no longer",
        false => {
            "the auth server knows no such session; for a token without its signature it needs the bearer() plugin, or \
             this server BETTER_AUTH_SECRET"
        }
    };
    Refusal::invalid(reason::SESSION, detail)
}

/// `{"session": {"expiresAt": …}, "user": {"id": …}}`.
fn session(body: &[u8], now: Timestamp) -> Result<Said, String> {
    let answer = object::parse(body).map_err(|error| format!("the answer is no session: {error}"))?;
    let user = answer.get("user").ok_or("the answer is no session: it has no user")?;
    let id = user.get("id").and_then(user_text).ok_or("the answer is no session: user.id is no user id")?;
    let describing = |name: &str| user.get(name).and_then(describing_text);
    let expires_at = match answer.get("session").and_then(|session| session.get("expiresAt")) {
        Some(Value::String(text)) => instant(text).ok_or("the answer is no session: expiresAt is no time")?,
        // An answer that somebody reshaped (customSession() plugin) may not tell; then it counts for as long as any.
        _ => now.plus(super::CACHED),
    };
    if now >= expires_at.plus(LEEWAY) {
        return Ok(Said::Refused(Refusal::expired("the session is over")));
    }
    Ok(Said::User(Verified::of(&id, describing("email"), describing("name"), expires_at)))
}

/// RFC 3339.
fn instant(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::samples::{now, secret};

    const BARE: &str = "abcdefghijklmnopqrstuvwxyz012345";

    fn said(status: u16, body: &str) -> Result<Said, String> {
        read(StatusCode::from_u16(status).unwrap(), body.as_bytes(), true, now(0))
    }

    #[test]
    fn a_session_names_its_user() {
        let body = r#"{"session":{"expiresAt":"2027-01-15T08:10:00.000Z","token":"x","userId":"u1"},
                       "user":{"id":"u1","email":"ann@example.test","name":"Ann"}}"#;
        let Ok(Said::User(verified)) = said(200, body) else { panic!("a user") };
        assert_eq!((verified.user.as_str(), verified.expires_at), ("u1", now(600)));
        assert_eq!(verified.email.as_deref(), Some("ann@example.test"));
        assert_eq!(verified.name.as_deref(), Some("Ann"));
        let Ok(Said::User(verified)) = said(200, r#"{"user":{"id":7,"email":null}}"#) else {
            panic!("a user")
        };
        assert_eq!((verified.user.as_str(), verified.email, verified.expires_at), ("7", None, now(30)));
    }

    #[test]
    fn only_a_clear_no_refuses() {
        for (status, body) in [(200, "null"), (200, " null\n"), (401, "{}")] {
            let Ok(Said::Refused(refusal)) = said(status, body) else { panic!("{status} {body}") };
            assert_eq!(refusal.reason, reason::SESSION);
        }
        let over = r#"{"session":{"expiresAt":"2027-01-15T07:59:30.000Z"},"user":{"id":"u"}}"#;
        let Ok(Said::Refused(refusal)) = said(200, over) else { panic!("it is over") };
        assert_eq!(refusal.reason, reason::EXPIRED);
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, "[]"),
            (200, "{}"),
            (200, r#"{"user":null}"#),
            (200, r#"{"user":{"id":""}}"#),
            (200, r#"{"user":{"id":"a","id":"b"}}"#),
            (200, r#"{"session":{"expiresAt":"soon"},"user":{"id":"u"}}"#),
            (204, ""),
            (302, ""),
            (403, ""),
            (404, "null"),
            (429, ""),
            (500, "null"),
        ] {
            assert!(said(status, body).is_err(), "{status} {body}");
        }
    }

    #[test]
    fn the_cookie_is_signed_and_encoded() {
        let endpoint = |secret: Option<&Secret>| Endpoint::new("http://a.test", secret).unwrap();
        let signed = endpoint(Some(&secret())).cookie(BARE).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret().expose().as_bytes());
        let signature = STANDARD.encode(hmac::sign(&key, BARE.as_bytes()));
        let plain = format!("{BARE}.{signature}");
        assert_eq!(percent_encoding::percent_decode_str(&signed).decode_utf8_lossy(), plain);
        assert!(!signed.contains(['+', '/', '=']));
        assert_eq!(endpoint(None).cookie(BARE), None);
        for sent in [plain.as_str(), signed.as_str()] {
            assert_eq!(endpoint(None).cookie(sent).as_deref(), Some(signed.as_str()), "signed already");
        }
        assert!(!format!("{:?}", endpoint(Some(&secret()))).contains(secret().expose()));
    }
}
