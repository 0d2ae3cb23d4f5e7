//! What to do about a refusal.

use super::Rules;
use crate::auth::refusal::{Refusal, reason};

/// The cure, in one line.
pub(super) fn of(refusal: &Refusal, rules: &Rules) -> String {
    let text = match refusal.reason {
        reason::SESSION_TOKEN => {
            "send the JWT instead: call GET /api/auth/token of Better Auth (jwt() plugin) with this session and use the \
             \"token\" of its answer. Or set BETTER_AUTH_SESSIONS=on."
        }
        reason::ALGORITHM => algorithm(refusal),
        reason::SIGNATURE => signature(rules),
        reason::KEY_ID => {
            "the token was made with a key that this server has not: compare kid with the key set and JWT_PUBLIC_KEY, and \
             BETTER_AUTH_URL with the address of the Better Auth that made it."
        }
        reason::EXPIRED => {
            "get a new token; if it was made just now, compare the clocks of this machine and of the issuer."
        }
        reason::EXPIRY => "make tokens with exp, in seconds since 1970 as a number.",
        reason::NOT_YET => "wait, or compare the clocks of this machine and of the issuer.",
        reason::NOT_BEFORE => "make nbf a number of seconds since 1970, or leave it out.",
        reason::ISSUER => return name("JWT_ISSUER", "iss", refusal),
        reason::AUDIENCE => return name("JWT_AUDIENCE", "aud", refusal),
        reason::NO_USER => {
            "this is no access token (a mail or cookie token of Better Auth?), or its user id stands elsewhere: name the \
             claim in USER_ID_CLAIMS."
        }
        reason::USER | reason::USERS => "correct the claim where tokens are made, or narrow USER_ID_CLAIMS.",
        reason::TYPE => "this is another kind of token than an access token; send the access token.",
        reason::BOUND => "turn off proof of possession (DPoP, mTLS) for this API.",
        _ => "copy the token again, whole; it is three parts of letters, digits, - and _, separated by dots.",
    };
    text.to_owned()
}

fn algorithm(refusal: &Refusal) -> &'static str {
    let told = refusal.detail.as_deref().unwrap_or_default();
    if told.contains("\"HS256\"") {
        "set BETTER_AUTH_SECRET here to the secret that the front-end signs with (and HS256 in JWT_ALGORITHM, if it is set)."
    } else if told.contains("\"none\"") {
        "unsigned tokens are never accepted; sign it."
    } else {
        "set BETTER_AUTH_URL to the address of Better Auth, whose jwt() plugin publishes its keys, or JWT_PUBLIC_KEY to the \
         PEM of the issuer's public key (and JWT_ALGORITHM, if it is set, to this alg)."
    }
}

fn signature(rules: &Rules) -> &'static str {
    if rules.dev {
        "this server is in dev mode and takes its own tokens only (creatorvault token new); set BETTER_AUTH_URL or \
         BETTER_AUTH_SECRET to take the front-end's."
    } else {
        "another secret or key made it: compare BETTER_AUTH_SECRET (byte by byte: no quotes, no blank or line break at its \
         end), JWT_PUBLIC_KEY or BETTER_AUTH_URL with the issuer's."
    }
}

/// The cure for a name that is not the expected one; most often the two differ by a trailing slash.
fn name(variable: &str, claim: &str, refusal: &Refusal) -> String {
    let told = refusal.detail.as_deref().unwrap_or_default();
    let (expected, actual) = told.split_once(", the token has ").unwrap_or_default();
    let bare = |text: &str| text.replace("/\"", "\"");
    let slash = !told.is_empty() && (expected.contains(&bare(actual)) || bare(expected).contains(actual));
    let slash = if slash { " They differ by a trailing slash." } else { "" };
    format!("make {variable} (or BETTER_AUTH_URL) and the token's {claim} the same text.{slash}")
}
