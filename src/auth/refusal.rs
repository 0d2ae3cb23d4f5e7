//! Why a token was refused: one reason for the log, one of three texts for the client.

use std::time::Duration;

/// The refusal of a request's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the client may know.
    pub kind: RefusalKind,
    /// What the log and the metric say: one of the names in [`reason`].
    pub reason: &'static str,
    /// More for the log (expected and actual issuer …); never a part of the token's signature or the token itself.
    pub detail: Option<String>,
}

/// Why a token gives no user: it is not accepted, or nobody can say now whether it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// 401.
    Refused(Refusal),
    /// 503: the auth server has to be asked and does not answer. Not 401, on which front-ends sign their user out.
    Unavailable {
        /// After which time another try makes sense.
        retry_after: Duration,
    },
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a client may know about a refusal; each contract has its own text for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There was no token.
    Missing,
    /// The token's time is over.
    Expired,
    /// Anything else.
    Invalid,
}

/// The stable names of all reasons; logs, metrics and the explanation of a token use them.
pub mod reason {
    /// All of them.
    pub const ALL: [&str; 25] = [
        MISSING,
        SCHEME,
        SEVERAL,
        TOO_LONG,
        SESSION_TOKEN,
        MALFORMED,
        HEADER,
        HEADER_MEMBER,
        TYPE,
        ALGORITHM,
        KEY_ID,
        NO_KEY_SET,
        SESSION,
        SIGNATURE,
        PAYLOAD,
        EXPIRY,
        EXPIRED,
        NOT_BEFORE,
        NOT_YET,
        ISSUER,
        AUDIENCE,
        BOUND,
        NO_USER,
        USER,
        USERS,
    ];

    /// No `Authorization` header, or an empty one.
    pub const MISSING: &str = "missing_token";
    /// An `Authorization` header of another scheme than `Bearer`.
    pub const SCHEME: &str = "wrong_scheme";
    /// More than one `Authorization` header.
    pub const SEVERAL: &str = "several_tokens";
    /// More than 16 KiB.
    pub const TOO_LONG: &str = "too_long";
    /// Better Auth's opaque session token where a JWT belongs.
    pub const SESSION_TOKEN: &str = "session_token";
    /// Not three parts of canonical base64url.
    pub const MALFORMED: &str = "malformed_token";
    /// The header is no JSON object of the expected members.
    pub const HEADER: &str = "malformed_header";
    /// The header asks for something that is never done here: `crit`, `zip`, `enc`, `cty`, `b64`.
    pub const HEADER_MEMBER: &str = "forbidden_header";
    /// `typ` says that it is another kind of JWT.
    pub const TYPE: &str = "wrong_type";
    /// No configured key may be used with the token's `alg`.
    pub const ALGORITHM: &str = "alg_not_allowed";
    /// No key has the token's `kid`.
    pub const KEY_ID: &str = "unknown_kid";
    /// The auth server publishes no key set, and nothing else can check the token.
    pub const NO_KEY_SET: &str = "no_key_set";
    /// The auth server does not know the session token, or no longer.
    pub const SESSION: &str = "unknown_session";
    /// The signature is not the key's.
    pub const SIGNATURE: &str = "bad_signature";
    /// The payload is no JSON object, or names a member twice.
    pub const PAYLOAD: &str = "malformed_payload";
    /// `exp` is missing or no finite number.
    pub const EXPIRY: &str = "bad_expiry";
    /// `exp` has passed.
    pub const EXPIRED: &str = "expired";
    /// `nbf` is no finite number.
    pub const NOT_BEFORE: &str = "bad_not_before";
    /// `nbf` is still to come.
    pub const NOT_YET: &str = "not_yet_valid";
    /// `iss` is not an expected one.
    pub const ISSUER: &str = "wrong_issuer";
    /// `aud` names none of the expected ones.
    pub const AUDIENCE: &str = "wrong_audience";
    /// `cnf`: the token is bound to a key that its bearer would have to prove (RFC 7800).
    pub const BOUND: &str = "bound_token";
    /// None of the user id claims is there.
    pub const NO_USER: &str = "no_user_id";
    /// The user id is no text of 1–255 characters without control characters.
    pub const USER: &str = "bad_user_id";
    /// Two user id claims name different users.
    pub const USERS: &str = "conflicting_user_ids";
}

impl Refusal {
    /// No token came; the client is told so.
    pub(super) fn missing(reason: &'static str) -> Self {
        Self { kind: RefusalKind::Missing, reason, detail: None }
    }

    /// A token that is not accepted; the client learns no more than that.
    pub(super) fn invalid(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Invalid, reason, detail: Some(detail.into()) }
    }

    /// A genuine token whose time is over; the client is told so and gets a new one.
    pub(super) fn expired(detail: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Expired, reason: reason::EXPIRED, detail: Some(detail.into()) }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 section 3): with an error code only when a token was sent.
    pub fn challenge(&self) -> &'static str {
        match self.kind {
            RefusalKind::Missing => "Bearer",
            RefusalKind::Expired | RefusalKind::Invalid => "Bearer error=\"invalid_token\"",
        }
    }
}

/// A text from a token as a message may show it: quoted, escaped, at most 100 characters of it.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn every_reason_is_among_all_of_them() {
        let source = include_str!("refusal.rs");
        let told = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub const ")?.split_once(": &str = \""));
        let told: Vec<&str> = told.map(|(_, value)| value.trim_end_matches("\";")).collect();
        assert!(told.len() > 20, "{told:?}");
        assert_eq!(told, reason::ALL);
    }
}
