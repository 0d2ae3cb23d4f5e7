//! Why this server accepts or refuses a token, claim by claim, for the person who has to make it work. Offline.

use super::algorithm::names;
use super::claims::Claims;
use super::jwks::KeySetState;
use super::jws::{self, Compact, Header};
use super::keys::Trust;
use super::refusal::{Refusal, shown};
use super::rules::Rules;
use super::verifier::{Verified, Verifier};
use crate::field::timestamp::Timestamp;

mod cure;

/// The verdict on a token and its reasons; neither holds the token or its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether this server accepts the token.
    pub accepted: bool,
    /// What was looked at, line by line (`ok` or `NO` first), then the verdict and, when refused, the cure.
    pub lines: Vec<String>,
}

/// Explains a token as this server sees it at `now`. A pasted `Bearer ` before it is overlooked. Nothing is fetched: the
/// signature of a token that only the auth server's key set can check is told to be open, unless the verifier has
/// fetched that set before.
pub fn explain(verifier: &Verifier, token: &str, now: Timestamp) -> Explanation {
    let token = token.trim();
    let token = match token.split_at_checked("Bearer ".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Bearer ") => rest.trim_start(),
        _ => token,
    };
    let rules = verifier.rules();
    let mut report = Report { rules, set: verifier.key_set_state(), now, lines: Vec::new() };
    report.sources();
    if verifier.takes_sessions() && jws::is_session_token(token) {
        let url = "GET /api/auth/get-session";
        report.lines.push(format!("?? session: open; Better Auth must know this session token ({url})"));
        report.lines.push("Accepted if it does: BETTER_AUTH_SESSIONS is on.".to_owned());
        return Explanation { accepted: true, lines: report.lines };
    }
    match Compact::parse(token) {
        Ok(jws) => report.parts(&jws),
        Err(refusal) => report.found("form", Err(refusal)),
    }
    let verdict = match rules.judge(token, now) {
        Ok(judged) => Ok(judged.verified),
        Err(doubt) if doubt.newer_keys_may_help && report.is_open() => report.unsigned(token),
        Err(doubt) => Err(doubt.refusal),
    };
    report.verdict(&verdict);
    Explanation { accepted: verdict.is_ok(), lines: report.lines }
}

/// The lines so far, and what they are judged by.
struct Report<'r> {
    rules: &'r Rules,
    set: Option<KeySetState>,
    now: Timestamp,
    lines: Vec<String>,
}

impl Report<'_> {
    /// Whether there is a key set and nobody has fetched it.
    fn is_open(&self) -> bool {
        self.set.as_ref().is_some_and(|set| !set.loaded)
    }

    /// The verdict on everything but the signature.
    fn unsigned(&self, token: &str) -> Result<Verified, Refusal> {
        let jws = Compact::parse(token)?;
        self.rules.said(&jws, Trust::PublicKey, self.now).map(|(verified, _)| verified)
    }

    /// What this server can check at all.
    fn sources(&mut self) {
        let dev = if self.rules.dev { " (dev mode: tokens of `creatorvault token new` only)" } else { "" };
        self.lines.push(format!("   this server accepts: {}{dev}", names(&self.rules.ring.algorithms())));
        if let Some(set) = &self.set {
            let keys = match set.loaded {
                true => format!("{} keys for {}", set.keys, names(&set.algorithms)),
                false => "not asked, this works offline".to_owned(),
            };
            self.lines.push(format!("   key set: {} ({keys})", set.url));
        }
    }

    /// One line about one rule.
    fn found(&mut self, what: &str, result: Result<String, Refusal>) {
        self.lines.push(match result {
            Ok(text) => format!("ok {what}: {text}"),
            Err(refusal) => format!("NO {what}: {}", refusal.detail.as_deref().unwrap_or(refusal.reason)),
        });
    }

    /// Header, signature and claims; what cannot be read ends the list.
    fn parts(&mut self, jws: &Compact<'_>) {
        let header = match jws.header() {
            Ok(header) => header,
            Err(refusal) => return self.found("header", Err(refusal)),
        };
        let trust = self.header(jws, &header);
        match jws.payload() {
            Ok(payload) => self.claims(&Claims(payload), trust),
            Err(refusal) => self.found("payload", Err(refusal)),
        }
    }

    /// `alg`, `typ` and the signature; tells which source's rules the claims are held against.
    fn header(&mut self, jws: &Compact<'_>, header: &Header) -> Trust {
        let guess = if header.algorithm == "HS256" { Trust::SharedSecret } else { Trust::PublicKey };
        let source = self.rules.ring.source(&header.algorithm);
        let trust = source.as_ref().map_or(guess, |(_, trust)| *trust);
        let kind = header.kind.as_deref().map_or("none, which is fine".to_owned(), shown);
        self.found("typ", self.rules.check_kind(header).map(|()| kind));
        match source {
            Err(refusal) => self.found("alg", Err(refusal)),
            Ok((algorithm, _)) => {
                self.found("alg", Ok(algorithm.to_string()));
                let fetched = self.rules.fetched();
                let key_id = header.key_id.as_deref();
                let signature = self.rules.ring.check(algorithm, key_id, jws.signed(), &fetched.keys);
                if signature.is_err() && self.rules.ring.fetches(algorithm) && self.is_open() {
                    let key =
                        key_id.map_or_else(|| "a key".to_owned(), |id| format!("the key {}", shown(id)));
                    self.lines.push(format!("?? signature: open; the key set must have {key} that made it"));
                } else {
                    self.found("signature", signature.map(|()| signed_by(trust).to_owned()));
                }
            }
        }
        trust
    }

    /// Every claim that counts.
    fn claims(&mut self, claims: &Claims, trust: Trust) {
        let expected = self.rules.expected(trust);
        let now = self.now;
        let until = |end: Timestamp| format!("{}, {}", instant(end), distance(end, now));
        self.found("exp", claims.expiry(now).map(until));
        self.found("nbf", claims.not_before(now).map(|()| said(claims, "nbf")));
        let unchecked = |empty: bool, name| match (empty, said(claims, name)) {
            (true, text) => format!("{text}, not looked at for tokens of the shared secret"),
            (false, text) => text,
        };
        let issuer = claims.issuer(expected).map(|()| unchecked(expected.issuers.is_empty(), "iss"));
        self.found("iss", issuer);
        let audience = claims.audience(expected).map(|()| unchecked(expected.audiences.is_empty(), "aud"));
        self.found("aud", audience);
        if let Err(refusal) = claims.unbound() {
            self.found("cnf", Err(refusal));
        }
        let user = claims.user_id(&self.rules.user_id_claims);
        self.found("user id", user.map(|(user, claim)| format!("{} from {claim}", shown(&user))));
        self.doubts(claims);
    }

    /// What is accepted and may still be a mistake.
    fn doubts(&mut self, claims: &Claims) {
        if let Some(seconds) = claims.issued_ahead(self.now) {
            self.lines
                .push(format!("!! iat: {seconds} seconds ahead of this machine's clock; set both clocks"));
        }
        let expiry = claims.0.get("exp").and_then(serde_json::Value::as_f64);
        // 100 billion seconds are the year 5138: such a number counts milliseconds.
        if expiry.is_some_and(|expiry| expiry > 1e11) {
            self.lines.push(
                "!! exp: looks like milliseconds; it counts seconds, so this token is valid for ages"
                    .to_owned(),
            );
        }
    }

    /// The last line or two.
    fn verdict(&mut self, verdict: &Result<Verified, Refusal>) {
        match verdict {
            Ok(verified) => {
                let open = self.lines.iter().any(|line| line.starts_with("??"));
                let accepted = if open { "Accepted if the key set has the key" } else { "Accepted" };
                let (user, until) = (shown(verified.user.as_str()), instant(verified.expires_at));
                self.lines.push(format!("{accepted}: the user is {user}, until {until}."));
            }
            Err(refusal) => {
                self.lines.push(format!("Refused: {}.", refusal.reason));
                self.lines.push(format!("What to do: {}", cure::of(refusal, self.rules)));
            }
        }
    }
}

fn signed_by(trust: Trust) -> &'static str {
    match trust {
        Trust::SharedSecret => "made with this server's shared secret",
        Trust::PublicKey => "made with the private key of JWT_PUBLIC_KEY or of a key of the set",
    }
}

/// A claim as the token has it, cut short.
fn said(claims: &Claims, name: &str) -> String {
    match claims.0.get(name) {
        None => "none".to_owned(),
        Some(serde_json::Value::String(text)) => shown(text),
        Some(value) => value.to_string().chars().take(200).collect(),
    }
}

/// RFC 3339 in UTC.
fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros())
        .map_or_else(|_| "beyond all years".to_owned(), |at| at.to_string())
}

/// How far ahead or ago.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.micros().saturating_sub(now.micros()) / 1_000_000;
    let span = |seconds: i64| match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    if seconds < 0 { format!("{} ago", span(-seconds)) } else { format!("in {}", span(seconds)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::samples::*;
    use crate::config::auth::AuthConfig;

    fn told(config: &AuthConfig, token: &str) -> Explanation {
        explain(&Verifier::new(config, Some(secret())).unwrap(), token, now(0))
    }

    #[test]
    fn an_accepted_token_is_told_claim_by_claim() {
        let token = hs256_claims(&payload());
        for form in [token.clone(), format!("bearer {token}\n")] {
            let Explanation { accepted, lines } = told(&config_with_secret(), &form);
            assert!(accepted);
            let text = lines.join("\n");
            for part in [
                "accepts: HS256",
                "ok alg: HS256",
                "ok signature: made with this server's shared secret",
                "ok exp: 2027-01-15T08:15:00Z, in 15 minutes",
                "ok iss: \"https://app.example.com\", not looked at",
                "ok user id: \"ann\" from sub",
                "Accepted: the user is \"ann\", until 2027-01-15T08:15:00Z.",
            ] {
                assert!(text.contains(part), "{part} is not in\n{text}");
            }
            assert!(!text.contains("NO "), "{text}");
        }
    }

    #[test]
    fn each_common_mistake_comes_with_its_cure() {
        let key = Signer::ed25519();
        let with_key = config_with_key(&key);
        let with_secret = config_with_secret();
        let dev = AuthConfig::default();
        let expired = payload_with(json!({"exp": NOW - 7_200}));
        let slash = payload_with(json!({"iss": "https://app.example.com/"}));
        let audience = payload_with(json!({"aud": ["a", "b"]}));
        let mail = json!({"email": "ann@example.test", "exp": NOW + 9});
        let millis = payload_with(json!({"exp": (NOW + 900) * 1_000}));
        let other =
            hs256_over(b"another secret of thirty-two bytes", r#"{"alg":"HS256"}"#, &payload().to_string());
        for (config, token, parts) in [
            (
                &with_secret,
                "abcdefghijklmnopqrstuvwxyz012345.c2lnbmF0dXJl%3D".to_owned(),
                ["session_token", "GET /api/auth/token"],
            ),
            (&with_secret, hs256_claims(&expired), ["Refused: expired", "expired 7200 seconds ago"]),
            (&with_secret, other.clone(), ["bad_signature", "no quotes"]),
            (&dev, other, ["dev mode", "creatorvault token new"]),
            (&with_secret, key.claims(&payload()), ["alg is \"EdDSA\"", "set BETTER_AUTH_URL"]),
            (&with_key, hs256_claims(&payload()), ["alg is \"HS256\"", "set BETTER_AUTH_SECRET"]),
            (&with_key, key.claims(&slash), ["wrong_issuer", "differ by a trailing slash"]),
            (&with_key, key.claims(&audience), ["wrong_audience", "\"a\" or \"b\""]),
            (&with_secret, hs256_claims(&mail), ["no_user_id", "USER_ID_CLAIMS"]),
            (&with_secret, hs256_claims(&millis), ["Accepted", "looks like milliseconds"]),
            (&with_secret, "garbage".to_owned(), ["malformed_token", "three parts were expected, found 1"]),
        ] {
            let text = told(config, &token).lines.join("\n");
            for part in parts {
                assert!(text.contains(part), "{part} is not in\n{text}");
            }
        }
    }

    #[test]
    fn what_only_the_auth_server_can_tell_is_open() {
        let key = Signer::ed25519();
        let config = config_with_set("http://127.0.0.1:9");
        let Explanation { accepted, lines } = told(&config, &key.claims(&payload()));
        let text = lines.join("\n");
        for part in [
            "key set: http://127.0.0.1:9/api/auth/jwks (not asked, this works offline)",
            "?? signature: open; the key set must have the key \"k1\"",
            "Accepted if the key set has the key: the user is \"ann\"",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(accepted);
        let expired = told(&config, &key.claims(&payload_with(json!({"exp": NOW - 60}))));
        assert!(!expired.accepted && expired.lines.join("\n").contains("Refused: expired"));
        let session = "abcdefghijklmnopqrstuvwxyz012345";
        assert!(!told(&config, session).accepted);
        let told = told(&AuthConfig { sessions: true, ..config }, session);
        assert!(told.accepted && told.lines.join("\n").contains("Accepted if it does"), "{told:?}");
    }

    #[test]
    fn neither_signature_nor_secret_is_shown() {
        let token = hs256_claims(&payload_with(json!({"iss": 5, "cnf": {}})));
        for config in [config_with_secret(), config_with_key(&Signer::p256())] {
            let text = told(&config, &token).lines.join("\n");
            for part in token.split('.').chain([SECRET]) {
                assert!(!text.contains(part), "{text}");
            }
        }
    }
}
