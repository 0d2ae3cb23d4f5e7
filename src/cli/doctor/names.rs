//! What a token must say about who made it and for whom.

use super::finding::Finding;
use super::settings::is_local;
use super::spoiled;
use crate::config::{Environment, Examined};

/// Issuer and audience, as they are compared.
pub(super) fn names(examined: &Examined) -> Vec<Finding> {
    if let Some(finding) = spoiled(examined, "issuer", &["BETTER_AUTH_", "JWT_", "ENVIRONMENT"]) {
        return vec![finding];
    }
    let auth = &examined.config.auth;
    let mut found = vec![
        name(examined, "issuer", "JWT_ISSUER", &auth.issuers, &auth.expected_issuers()),
        name(examined, "audience", "JWT_AUDIENCE", &auth.audiences, &auth.expected_audiences()),
    ];
    found.extend(elsewhere(examined));
    found
}

fn name(
    examined: &Examined,
    check: &'static str,
    variable: &str,
    set: &[String],
    expected: &[String],
) -> Finding {
    let auth = &examined.config.auth;
    let shown: Vec<String> = expected.iter().map(|name| format!("{name:?}")).collect();
    let local =
        if expected.iter().any(|name| is_local(name)) { ", the names of this machine being one" } else { "" };
    let shown = format!("{} exactly{local}", shown.join(" or "));
    let by_secret = auth.secret.is_some() || auth.dev_mode();
    let by_keys = auth.public_key.is_some() || auth.key_set().is_some();
    Finding::ok(
        check,
        match (by_keys, by_secret, set.is_empty()) {
            (true, true, true) => {
                format!(
                    "{shown}, from BETTER_AUTH_URL; of HS256 tokens it is not looked at, since {variable} is unset"
                )
            }
            (true, false, true) => format!("{shown}, from BETTER_AUTH_URL"),
            (_, _, false) => format!("{shown}, from {variable}"),
            (false, _, true) => format!("not looked at, since {variable} is unset"),
        },
    )
}

/// Users' tokens are not issued on their own machines.
fn elsewhere(examined: &Examined) -> Option<Finding> {
    let production = examined.config.environment == Environment::Production;
    let origin = examined.config.auth.better_auth_origin().filter(|origin| production && is_local(origin))?;
    let detail =
        format!("BETTER_AUTH_URL is {origin} in production, so tokens of the real address are refused");
    let cure = "set it to the address that the front-end's own BETTER_AUTH_URL has, and where the key set is reached \
                under another, BETTER_AUTH_JWKS_URL to that";
    Some(Finding::warning("issuer", detail, cure))
}
