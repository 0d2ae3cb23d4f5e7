//! The rules of the verifier, in the order in which a refusal is told, against the keys that are at hand.

use std::sync::Arc;

use reqwest::Url;

use super::algorithm::{ALL, Algorithm};
use super::claims::{Claims, Expected, UserIdClaims};
use super::jwks::{Held, KeySet, Pace};
use super::jws::{Compact, Header};
use super::keys::{KeyRing, PublicKey, SharedSecret, Trust};
use super::refusal::Refusal;
use super::verifier::Verified;
use crate::config::Secret;
use crate::config::auth::AuthConfig;
use crate::field::timestamp::Timestamp;

/// The `typ` of Better Auth's cookie cache; accepted only where `USER_ID_CLAIMS` opts in to such tokens.
const COOKIE_CACHE: &str = "better-auth.session-cache+jwt";

/// The keys, and what a token must say.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) ring: KeyRing,
    /// The keys that the auth server publishes.
    pub(super) set: Option<KeySet>,
    /// Of a token signed with the shared secret: only what was set by hand, since hand-made tokens carry any `iss` or
    /// none.
    shared: Expected,
    /// Of a token signed with a private key.
    public: Expected,
    pub(super) user_id_claims: UserIdClaims,
    /// Whether the secret is the one of dev mode.
    pub(super) dev: bool,
}

/// An accepted token.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verified: Verified,
    pub(super) claims: Claims,
    /// The number of the fetched keys that were at hand.
    pub(super) generation: u64,
}

/// A refusal that may not be the last word.
#[derive(Debug)]
pub(super) struct Doubt {
    pub(super) refusal: Refusal,
    /// Whether the auth server may publish a key by now that made the signature.
    pub(super) newer_keys_may_help: bool,
}

impl From<Refusal> for Doubt {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, newer_keys_may_help: false }
    }
}

impl Rules {
    /// The rules of this configuration.
    ///
    /// # Errors
    /// One line that names the variable and the cure.
    pub(super) fn new(config: &AuthConfig, dev_secret: Option<Secret>, pace: Pace) -> Result<Self, String> {
        let dev = config.dev_mode();
        let only = config.algorithms.as_deref();
        let allowed = |algorithm: &Algorithm| only.is_none_or(|only| only.contains(algorithm));
        let secret = if dev { dev_secret } else { config.secret.clone() };
        let secret = secret.filter(|_| allowed(&Algorithm::Hs256));
        let narrowed = |key: &PublicKey| only.map_or_else(|| key.clone(), |only| key.narrowed(only));
        let keys: Vec<_> = config.public_key.iter().map(narrowed).collect();
        let public = Expected { issuers: config.expected_issuers(), audiences: config.expected_audiences() };
        let nameless = public.issuers.is_empty() || public.audiences.is_empty();
        if !keys.is_empty() && nameless {
            return Err("JWT_PUBLIC_KEY needs JWT_ISSUER and JWT_AUDIENCE, or BETTER_AUTH_URL".to_owned());
        }
        let ring = KeyRing::new(secret.as_ref().map(SharedSecret::new), keys);
        let sole = ring.algorithms().is_empty();
        let fetched: Vec<_> =
            ALL.into_iter().filter(|one| *one != Algorithm::Hs256 && allowed(one)).collect();
        let set = match config.key_set() {
            Some(_) if nameless => {
                return Err("BETTER_AUTH_JWKS_URL needs BETTER_AUTH_URL as well".to_owned());
            }
            Some(url) if !fetched.is_empty() => Some(key_set(url, config.algorithms.clone(), sole, pace)?),
            _ => None,
        };
        if sole && set.is_none() {
            return Err(
                "BETTER_AUTH_URL, BETTER_AUTH_SECRET or JWT_PUBLIC_KEY must be set: no key can check a token"
                    .to_owned(),
            );
        }
        let ring = if set.is_some() { ring.with_fetched(&fetched) } else { ring };
        let shared = Expected { issuers: config.issuers.clone(), audiences: config.audiences.clone() };
        Ok(Self { ring, set, shared, public, user_id_claims: config.user_id_claims.clone(), dev })
    }

    /// The number of the fetched keys that count now.
    pub(super) fn generation(&self) -> u64 {
        self.set.as_ref().map_or(0, KeySet::generation)
    }

    /// The fetched keys that count now.
    pub(super) fn fetched(&self) -> Arc<Held> {
        self.set.as_ref().map_or_else(|| Arc::new(Held::nothing()), KeySet::held)
    }

    /// Every rule, with the keys at hand.
    pub(super) fn check(&self, token: &str, now: Timestamp) -> Result<Judged, Refusal> {
        self.judge(token, now).map_err(|doubt| doubt.refusal)
    }

    /// As [`Rules::check`], and tells of a refusal whether newer keys may change it.
    pub(super) fn judge(&self, token: &str, now: Timestamp) -> Result<Judged, Doubt> {
        let fetched = self.fetched();
        let jws = Compact::parse(token)?;
        let trust = self.signed(&jws, &jws.header()?, &fetched.keys)?;
        let (verified, claims) = self.said(&jws, trust, now)?;
        Ok(Judged { verified, claims, generation: fetched.generation })
    }

    /// The payload's rules, for a token that this source vouches for.
    pub(super) fn said(
        &self,
        jws: &Compact<'_>,
        trust: Trust,
        now: Timestamp,
    ) -> Result<(Verified, Claims), Refusal> {
        let claims = Claims(jws.payload()?);
        let expires_at = claims.expiry(now)?;
        claims.not_before(now)?;
        claims.issuer(self.expected(trust))?;
        claims.audience(self.expected(trust))?;
        claims.unbound()?;
        let (user, _) = claims.user_id(&self.user_id_claims)?;
        let describing = |name| claims.describing(name, &self.user_id_claims);
        Ok((Verified::of(&user, describing("email"), describing("name"), expires_at), claims))
    }

    /// The header's rules and the signature; tells which source vouches for the token.
    fn signed(&self, jws: &Compact<'_>, header: &Header, fetched: &[PublicKey]) -> Result<Trust, Doubt> {
        let (algorithm, trust) = self.ring.source(&header.algorithm)?;
        self.check_kind(header)?;
        let checked = self.ring.check(algorithm, header.key_id.as_deref(), jws.signed(), fetched);
        let newer_keys_may_help = self.ring.fetches(algorithm);
        checked.map(|()| trust).map_err(|refusal| Doubt { refusal, newer_keys_may_help })
    }

    /// The rule for `typ`.
    pub(super) fn check_kind(&self, header: &Header) -> Result<(), Refusal> {
        let cookies = self.user_id_claims.names().iter().any(|name| name == "user.id");
        header.check_kind(cookies.then_some(COOKIE_CACHE))
    }

    /// What the payload of a token from this source must say.
    pub(super) fn expected(&self, trust: Trust) -> &Expected {
        match trust {
            Trust::SharedSecret => &self.shared,
            Trust::PublicKey => &self.public,
        }
    }
}

/// The set at this address.
fn key_set(url: &str, only: Option<Vec<Algorithm>>, sole: bool, pace: Pace) -> Result<KeySet, String> {
    let url: Url =
        url.parse().map_err(|_| "BETTER_AUTH_JWKS_URL or BETTER_AUTH_URL is not a URL".to_owned())?;
    Ok(KeySet::new(url, only, sole, pace))
}

/// The payload of a compact JWS (RFC 7515) whose form, header and signature are right, by the keys of a ring and by
/// `fetched` ones: the part of the verdict that comes before any claim is looked at. The payload may be anything.
///
/// # Errors
/// The refusal, when any of these rules is broken.
pub fn signed_payload(token: &str, ring: &KeyRing, fetched: &[PublicKey]) -> Result<Vec<u8>, Refusal> {
    let jws = Compact::parse_any(token)?;
    let header = jws.header()?;
    let (algorithm, _) = ring.source(&header.algorithm)?;
    header.check_kind(None)?;
    ring.check(algorithm, header.key_id.as_deref(), jws.signed(), fetched)?;
    Ok(jws.payload)
}
