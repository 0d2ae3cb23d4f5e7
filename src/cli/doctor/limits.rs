//! Whether rate limits are shared, and who is believed about addresses.

use super::finding::Finding;
use super::{bounded, spoiled};
use crate::config::Examined;
use crate::http::rate_limit::probe;

/// The rate limit and where it is counted.
pub(super) async fn rate(examined: &Examined) -> Finding {
    const CHECK: &str = "rate limit";
    if let Some(finding) = spoiled(examined, CHECK, &["RATE_LIMIT", "REDIS_URL"]) {
        return finding;
    }
    let limits = &examined.config.limits;
    let Some(rate) = limits.rate else {
        let cure = "set RATE_LIMIT=600/minute, unless whatever stands before this server limits each user";
        return Finding::warning(CHECK, "off: one user can take all of the server", cure);
    };
    let Some(redis) = &limits.redis else {
        return Finding::ok(CHECK, format!("{rate} for each user, counted by each server for itself"));
    };
    let trouble = match bounded(probe(redis, rate)).await {
        Some(Ok(())) => {
            return Finding::ok(CHECK, format!("{rate} for each user, shared through Redis at {redis}"));
        }
        Some(Err(trouble)) => trouble.to_string(),
        None => "it does not answer in time".to_owned(),
    };
    let cure = "start Redis, or put REDIS_URL right; until then each server counts for itself";
    Finding::warning(
        CHECK,
        format!("{rate} for each user, but Redis at {redis} is of no use: {trouble}"),
        cure,
    )
}

/// Whose forwarded addresses are believed. Whether there is a proxy at all cannot be seen from here.
pub(super) fn proxies(examined: &Examined) -> Finding {
    const CHECK: &str = "proxies";
    if let Some(finding) = spoiled(examined, CHECK, &["TRUSTED_PROXIES"]) {
        return finding;
    }
    match examined.text("TRUSTED_PROXIES") {
        Some(trusted) => Finding::ok(CHECK, format!("{trusted} may say where a request came from")),
        None => Finding::ok(
            CHECK,
            "none: a request comes from whoever connects; behind a proxy set TRUSTED_PROXIES to it",
        ),
    }
}
