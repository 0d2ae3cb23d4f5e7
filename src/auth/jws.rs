//! The compact form of a signed token (RFC 7515 section 7.1), taken apart strictly before any key is touched.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::Signed;
use super::object;
use super::refusal::{Refusal, reason, shown};

/// The longest token, and the longest `Authorization` header, in bytes.
pub const LIMIT: usize = 16 * 1024;

/// Header members that change what a token means; none is supported, so each is refused whatever its value.
const FORBIDDEN: [&str; 5] = ["crit", "zip", "enc", "cty", "b64"];

/// The three parts of a compact JWS, decoded but not yet believed.
#[derive(Debug)]
pub(super) struct Compact<'t> {
    /// Header, dot and payload as they were sent: what the signature covers.
    message: &'t [u8],
    /// The bytes of the header.
    header: Vec<u8>,
    /// The bytes of the payload.
    pub(super) payload: Vec<u8>,
    /// The bytes of the signature.
    signature: Vec<u8>,
}

/// The header members that matter. `jwk`, `jku`, `x5u` and `x5c` are never looked at: a token does not bring its key.
#[derive(Debug)]
pub(super) struct Header {
    /// `alg`.
    pub(super) algorithm: String,
    /// `kid`.
    pub(super) key_id: Option<String>,
    /// `typ`.
    pub(super) kind: Option<String>,
}

impl<'t> Compact<'t> {
    /// Takes a token apart: three non-empty parts of base64url without padding and with canonical trailing bits, so
    /// that a token has one spelling only.
    pub(super) fn parse(token: &'t str) -> Result<Self, Refusal> {
        let jws = Self::parse_any(token)?;
        if jws.payload.is_empty() {
            return Err(Refusal::invalid(reason::MALFORMED, "one of the three parts is empty"));
        }
        Ok(jws)
    }

    /// As [`Compact::parse`], but the payload may be empty, which a token's never is.
    pub(super) fn parse_any(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > LIMIT {
            return Err(Refusal::invalid(reason::TOO_LONG, format!("longer than {LIMIT} bytes")));
        }
        let malformed = |text: &str| Refusal::invalid(reason::MALFORMED, text);
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(not_three_parts(token, parts.len()));
        };
        if header.is_empty() || signature.is_empty() {
            return Err(malformed("one of the three parts is empty"));
        }
        let decode = |part: &str, name: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| malformed(&format!("the {name} is not canonical base64url without padding")))
        };
        Ok(Self {
            message: &token.as_bytes()[..header.len() + 1 + payload.len()],
            header: decode(header, "header")?,
            payload: decode(payload, "payload")?,
            signature: decode(signature, "signature")?,
        })
    }

    /// The header's members, with nothing in it that is not supported.
    pub(super) fn header(&self) -> Result<Header, Refusal> {
        let mut members =
            object::parse(&self.header).map_err(|text| Refusal::invalid(reason::HEADER, text))?;
        if let Some(name) = FORBIDDEN.into_iter().find(|name| members.contains_key(*name)) {
            return Err(Refusal::invalid(reason::HEADER_MEMBER, format!("the header has {name:?}")));
        }
        let algorithm = text_member(&mut members, "alg")?
            .ok_or_else(|| Refusal::invalid(reason::HEADER, "the header has no \"alg\""))?;
        Ok(Header {
            algorithm,
            key_id: text_member(&mut members, "kid")?,
            kind: text_member(&mut members, "typ")?,
        })
    }

    /// What was signed, and the signature.
    pub(super) fn signed(&self) -> Signed<'_> {
        Signed { message: self.message, signature: &self.signature }
    }

    /// The payload's members. Ask for them after the signature has been checked.
    pub(super) fn payload(&self) -> Result<Map<String, Value>, Refusal> {
        object::parse(&self.payload).map_err(|text| Refusal::invalid(reason::PAYLOAD, text))
    }
}

/// A header member that must be text where it is there.
fn text_member(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::invalid(reason::HEADER, format!("{name:?} in the header is not a string"))),
    }
}

/// Whether a text has the form of Better Auth's session token: 32 characters, alone or with their signature in base64
/// (which may be percent-encoded, as in the cookie).
pub(super) fn is_session_token(text: &str) -> bool {
    let of = |part: &str, more: &[u8]| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let (id, signature) = text.split_once('.').map_or((text, None), |(id, signature)| (id, Some(signature)));
    id.len() == 32
        && of(id, b"-_")
        && signature.is_none_or(|text| (1..=128).contains(&text.len()) && of(text, b"-_+/=%"))
}

/// What a text that is not three parts may be: most often it is Better Auth's session token.
fn not_three_parts(token: &str, count: usize) -> Refusal {
    if is_session_token(token) {
        let cure = "GET /api/auth/token gives a JWT for it, and BETTER_AUTH_SESSIONS=on takes it as it is";
        return Refusal::invalid(
            reason::SESSION_TOKEN,
            format!("this is Better Auth's session token; {cure}"),
        );
    }
    match count {
        5 => Refusal::invalid(reason::MALFORMED, "five parts: an encrypted token, which cannot be checked"),
        count => Refusal::invalid(reason::MALFORMED, format!("three parts were expected, found {count}")),
    }
}

impl Header {
    /// Refuses another kind of JWT that the same keys sign (logout tokens …). Names are media types, so case does
    /// not matter (RFC 7515 section 4.1.9). `also` is a further kind that the operator opted in to.
    pub(super) fn check_kind(&self, also: Option<&str>) -> Result<(), Refusal> {
        let Some(kind) = &self.kind else { return Ok(()) };
        let mut accepted = ["JWT", "at+jwt"].into_iter().chain(also);
        if accepted.any(|name| name.eq_ignore_ascii_case(kind)) {
            return Ok(());
        }
        Err(Refusal::invalid(reason::TYPE, format!("typ is {}, expected JWT, at+jwt or none", shown(kind))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 1..most)
    }

    proptest! {
        #[test]
        fn what_is_put_together_comes_apart_the_same(header in bytes(60), payload in bytes(60), signature in bytes(60)) {
            let parts = [&header, &payload, &signature].map(|part| URL_SAFE_NO_PAD.encode(part));
            let token = parts.join(".");
            let jws = Compact::parse(&token).unwrap();
            let signed = jws.signed();
            let message = parts[..2].join(".");
            prop_assert_eq!(signed.message, message.as_bytes());
            prop_assert_eq!((signed.signature, &jws.header, &jws.payload), (&signature[..], &header, &payload));
        }

        #[test]
        fn a_token_has_one_spelling(token in "[A-Ea-e0-9_=+/-]{0,6}(\\.[A-Ea-e0-9_=+/-]{0,6}){1,3}|\\PC{0,60}") {
            if let Ok(jws) = Compact::parse(&token) {
                let again = [&jws.header[..], &jws.payload, jws.signed().signature].map(|part| URL_SAFE_NO_PAD.encode(part));
                prop_assert_eq!(again.join("."), token.as_str());
                let _ = (jws.header(), jws.payload());
            }
            let _ = is_session_token(&token);
        }

        #[test]
        fn no_header_makes_a_long_refusal(header in "\\{(\"(alg|kid|typ|crit|x)\":(\"[a-z]{0,400}\"|1|null|\\[\\]),?){0,3}\\}") {
            let token = format!("{}.e30.e30", URL_SAFE_NO_PAD.encode(&header));
            if let Err(refusal) = Compact::parse(&token).unwrap().header() {
                prop_assert!(format!("{refusal:?}").len() < 400, "{:?}", refusal);
            }
        }
    }
}
