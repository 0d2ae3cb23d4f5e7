//! The key sources and what a token must say.

use crate::auth::algorithm::{ALL, Algorithm};
use crate::auth::claims::UserIdClaims;
use crate::auth::keys::PublicKey;
use crate::auth::pem;

use super::{Environment, Reader, Secret};

pub mod origin;
mod weak;

/// The variables of which at least one must be set outside dev mode.
pub(super) const KEY_SOURCES: [&str; 4] =
    ["BETTER_AUTH_URL", "BETTER_AUTH_JWKS_URL", "BETTER_AUTH_SECRET", "JWT_PUBLIC_KEY"];

/// The authentication settings.
#[derive(Debug, Clone, Default)]
pub struct AuthConfig {
    /// `BETTER_AUTH_SECRET`: at least 32 bytes, taken as they are.
    pub secret: Option<Secret>,
    /// `JWT_PUBLIC_KEY`, parsed.
    pub public_key: Option<PublicKey>,
    /// `BETTER_AUTH_URL`.
    pub better_auth: Option<BetterAuth>,
    /// `BETTER_AUTH_JWKS_URL`: where the key set is, when the server reaches Better Auth under another name.
    pub key_set_url: Option<String>,
    /// `JWT_ALGORITHM`: no other algorithms than these; `None`: whatever the keys allow.
    pub algorithms: Option<Vec<Algorithm>>,
    /// `JWT_ISSUER`; empty when unset.
    pub issuers: Vec<String>,
    /// `JWT_AUDIENCE`; empty when unset.
    pub audiences: Vec<String>,
    /// `BETTER_AUTH_SESSIONS`: whether Better Auth's opaque session tokens are taken as well.
    pub sessions: bool,
    /// `USER_ID_CLAIMS`.
    pub user_id_claims: UserIdClaims,
    /// Whether this is production, where there is no dev mode.
    pub production: bool,
}

/// Where Better Auth is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BetterAuth {
    /// The origin of its URL: issuer and audience of its tokens.
    pub origin: String,
    /// Where its key set is, unless `BETTER_AUTH_JWKS_URL` says otherwise.
    pub key_set_url: String,
    /// Where it tells whose session a session token is.
    pub session_url: String,
}

impl AuthConfig {
    /// Reads all variables of authentication and notes what is wrong with them.
    pub fn read(reader: &mut Reader, environment: Environment) -> Self {
        let config = Self {
            secret: read_secret(reader),
            public_key: reader.parse("JWT_PUBLIC_KEY", None, |text| pem::public_key(text).map(Some)),
            better_auth: reader.parse("BETTER_AUTH_URL", None, |text| better_auth(text).map(Some)),
            key_set_url: reader
                .parse("BETTER_AUTH_JWKS_URL", None, |text| origin::of(text).map(|_| Some(text.to_owned()))),
            algorithms: read_algorithms(reader),
            issuers: reader.list("JWT_ISSUER"),
            audiences: reader.list("JWT_AUDIENCE"),
            sessions: reader.switch("BETTER_AUTH_SESSIONS", false),
            user_id_claims: read_user_id_claims(reader),
            production: environment == Environment::Production,
        };
        config.check_sources(reader);
        config.check_names(reader);
        config.check_algorithms(reader);
        config
    }

    /// Whether no key source is configured, outside production: the server then makes its own secret, listens on
    /// loopback addresses only, and says in every line that it is dev mode.
    pub fn dev_mode(&self) -> bool {
        let Self { secret, public_key, better_auth, key_set_url, .. } = self;
        let none = secret.is_none() && public_key.is_none() && better_auth.is_none() && key_set_url.is_none();
        none && !self.production
    }

    /// The origin of `BETTER_AUTH_URL`, which may also call this server from a browser.
    pub fn better_auth_origin(&self) -> Option<&str> {
        self.better_auth.as_ref().map(|better_auth| better_auth.origin.as_str())
    }

    /// Where the key set is fetched, if one is configured.
    pub fn key_set(&self) -> Option<&str> {
        let implied = self.better_auth.as_ref().map(|better_auth| better_auth.key_set_url.as_str());
        self.key_set_url.as_deref().or(implied)
    }

    /// What `iss` of a token from a public key must be: `JWT_ISSUER`, or what `BETTER_AUTH_URL` implies.
    pub fn expected_issuers(&self) -> Vec<String> {
        self.or_implied(&self.issuers)
    }

    /// What `aud` of a token from a public key must name: `JWT_AUDIENCE`, or what `BETTER_AUTH_URL` implies.
    pub fn expected_audiences(&self) -> Vec<String> {
        self.or_implied(&self.audiences)
    }

    fn or_implied(&self, set: &[String]) -> Vec<String> {
        if set.is_empty() {
            self.better_auth_origin().map(str::to_owned).into_iter().collect()
        } else {
            set.to_vec()
        }
    }

    /// There must be a source of keys, and for session tokens somebody to ask.
    fn check_sources(&self, reader: &mut Reader) {
        let named = |name: &str| reader.verbatim(name).is_some();
        if self.production && !KEY_SOURCES.into_iter().any(named) {
            reader.problem(
                "BETTER_AUTH_URL",
                "names no key source, and neither does BETTER_AUTH_SECRET or JWT_PUBLIC_KEY: production needs one; set \
                 BETTER_AUTH_URL to the address of Better Auth (with its jwt() plugin), BETTER_AUTH_SECRET to the secret \
                 that the front-end signs with, or JWT_PUBLIC_KEY to its public key",
            );
        }
        if self.sessions && reader.text("BETTER_AUTH_URL").is_none() {
            reader.problem(
                "BETTER_AUTH_SESSIONS",
                "needs BETTER_AUTH_URL: set it to the address of Better Auth",
            );
        }
    }

    /// A public key, or a set of them, would alone accept tokens that were made for somebody else.
    fn check_names(&self, reader: &mut Reader) {
        let key = match (reader.text("JWT_PUBLIC_KEY"), &self.key_set_url) {
            (Some(_), _) => "JWT_PUBLIC_KEY",
            (None, Some(_)) => "BETTER_AUTH_JWKS_URL",
            (None, None) => return,
        };
        if reader.text("BETTER_AUTH_URL").is_some() {
            return;
        }
        let missing = match (self.issuers.is_empty(), self.audiences.is_empty()) {
            (false, false) => return,
            (true, true) => "JWT_ISSUER and JWT_AUDIENCE",
            (true, false) => "JWT_ISSUER",
            (false, true) => "JWT_AUDIENCE",
        };
        reader.problem(
            key,
            format_args!("needs {missing}: set what the tokens say in iss and aud, or BETTER_AUTH_URL, which implies both"),
        );
    }

    /// Each algorithm of `JWT_ALGORITHM` needs a key that can check it. A key that did not parse has its own line.
    fn check_algorithms(&self, reader: &mut Reader) {
        for algorithm in self.algorithms.as_deref().unwrap_or_default() {
            let (key, kinds) = match algorithm {
                Algorithm::Hs256 => ("BETTER_AUTH_SECRET", reader.verbatim("BETTER_AUTH_SECRET").is_some()),
                other => ("JWT_PUBLIC_KEY or BETTER_AUTH_URL", self.public_key_takes(*other, reader)),
            };
            if !kinds {
                reader.problem(
                    "JWT_ALGORITHM",
                    format_args!("names {algorithm}, which no configured key can check: set a fitting {key}, or take it out"),
                );
            }
        }
    }

    /// Whether a public key may check this. What a fetched set holds, only the auth server knows.
    fn public_key_takes(&self, algorithm: Algorithm, reader: &Reader) -> bool {
        if reader.text("BETTER_AUTH_URL").is_some() || reader.text("BETTER_AUTH_JWKS_URL").is_some() {
            return true;
        }
        match &self.public_key {
            Some(key) => key.kind().algorithms().contains(&algorithm),
            None => reader.text("JWT_PUBLIC_KEY").is_some(),
        }
    }
}

/// The shared secret, verbatim: a blank at its end is part of it.
fn read_secret(reader: &mut Reader) -> Option<Secret> {
    let secret = reader.verbatim("BETTER_AUTH_SECRET")?.to_owned();
    if let Some(problem) = weak::problem(&secret) {
        reader.problem("BETTER_AUTH_SECRET", problem);
        return None;
    }
    Some(Secret::new(secret))
}

/// `BETTER_AUTH_URL`, taken apart: everything is under its path when it has one of its own.
fn better_auth(url: &str) -> Result<BetterAuth, String> {
    let origin = origin::of(url)?;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { "api/auth" } else { path };
    let under = |name: &str| format!("{origin}/{path}/{name}");
    Ok(BetterAuth { key_set_url: under("jwks"), session_url: under("get-session"), origin })
}

fn read_algorithms(reader: &mut Reader) -> Option<Vec<Algorithm>> {
    let names = reader.list("JWT_ALGORITHM");
    reader.parse("JWT_ALGORITHM", None, |_| {
        let algorithms: Option<Vec<_>> = names.iter().map(|name| Algorithm::written(name)).collect();
        match algorithms {
            Some(algorithms) if !algorithms.is_empty() => Ok(Some(algorithms)),
            _ => Err(format!("must be one or several of {}", ALL.map(Algorithm::name).join(", "))),
        }
    })
}

fn read_user_id_claims(reader: &mut Reader) -> UserIdClaims {
    let names = reader.list("USER_ID_CLAIMS");
    reader.parse("USER_ID_CLAIMS", UserIdClaims::default(), |_| UserIdClaims::parse(names))
}

#[cfg(test)]
mod tests;
