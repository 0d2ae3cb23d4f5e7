//! What can be told from the settings alone.

use super::finding::{Finding, Status};
use super::spoiled;
use crate::config::database::DatabaseUrl;
use crate::config::log::{Format, Level};
use crate::config::{Environment, Examined};
use crate::http::cors::Origins;

/// A secret with fewer different characters than this was typed, not drawn.
const FEWEST_CHARACTERS: usize = 10;

/// Every problem and warning of the settings at once.
pub(super) fn settings(examined: &Examined) -> Vec<Finding> {
    const CHECK: &str = "settings";
    // What is wrong with the secret has its own line.
    let others = examined.problems.iter().filter(|line| !line.starts_with("BETTER_AUTH_SECRET "));
    let mut found: Vec<_> = others.map(|line| Finding::from_line(CHECK, Status::Problem, line)).collect();
    found.extend(examined.warnings.iter().map(|line| Finding::from_line(CHECK, Status::Warning, line)));
    if found.is_empty() {
        let set: Vec<_> = examined.set().collect();
        let set =
            if set.is_empty() { "nothing is set".to_owned() } else { format!("set: {}", set.join(", ")) };
        found.push(Finding::ok(CHECK, format!("{}; {set}", environment(examined))));
    }
    found
}

fn environment(examined: &Examined) -> &'static str {
    match examined.config.environment {
        Environment::Development => "development",
        Environment::Production => "production",
    }
}

/// Whether it is dev mode, and what that means.
pub(super) fn dev_mode(examined: &Examined) -> Finding {
    const CHECK: &str = "dev mode";
    if let Some(finding) = spoiled(examined, CHECK, &["BETTER_AUTH_", "JWT_", "ENVIRONMENT"]) {
        return finding;
    }
    if !examined.config.auth.dev_mode() {
        return Finding::ok(CHECK, "off: a key source is set");
    }
    Finding::warning(
        CHECK,
        "on, since no key source is set: this server signs its own tokens, shows one to whoever opens its first page, \
         and answers on this machine only",
        "nothing to do while trying it out; to take a front-end's users, set BETTER_AUTH_URL to its address",
    )
}

/// Whether the shared secret is one. A weak one is never accepted, a poor one is only warned of.
pub(super) fn secret(examined: &Examined) -> Option<Finding> {
    const CHECK: &str = "secret";
    let refused = examined.problems.iter().find(|line| line.starts_with("BETTER_AUTH_SECRET "));
    if let Some(line) = refused {
        return Some(Finding::from_line(CHECK, Status::Problem, line));
    }
    let secret = examined.config.auth.secret.as_ref()?.expose();
    let mut characters: Vec<char> = secret.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    if characters.len() < FEWEST_CHARACTERS {
        let detail = format!("BETTER_AUTH_SECRET has only {} different characters", characters.len());
        let cure = "make one with: openssl rand -base64 32, and set the same in the front-end";
        return Some(Finding::warning(CHECK, detail, cure));
    }
    if secret.trim() != secret {
        let cure = "take blanks and line ends out, unless the front-end's secret has them too";
        return Some(Finding::warning(
            CHECK,
            "BETTER_AUTH_SECRET begins or ends with a blank, which counts",
            cure,
        ));
    }
    let detail = format!("BETTER_AUTH_SECRET has {} bytes and is no known placeholder", secret.len());
    Some(Finding::ok(CHECK, detail))
}

/// Which web origins may call.
pub(super) fn origins(examined: &Examined) -> Vec<Finding> {
    const CHECK: &str = "origins";
    if let Some(finding) = spoiled(examined, CHECK, &["ALLOWED_ORIGINS", "BETTER_AUTH_URL", "ENVIRONMENT"]) {
        return vec![finding];
    }
    let config = &examined.config;
    let production = config.environment == Environment::Production;
    let origins = Origins::new(&config.http.allowed_origins, config.auth.better_auth_origin(), production);
    let mut shown: Vec<String> = Vec::new();
    for origin in origins.rules().iter().map(ToString::to_string) {
        if !shown.contains(&origin) {
            shown.push(origin);
        }
    }
    if shown.is_empty() {
        let cure = "set ALLOWED_ORIGINS to the front-end's origin, such as https://app.example.com, unless no browser \
                    calls this server";
        return vec![Finding::warning(CHECK, "none: no web page of another origin may call", cure)];
    }
    let local = shown.iter().find(|origin| is_local(origin)).filter(|_| production);
    let mut found = vec![Finding::ok(CHECK, shown.join(", "))];
    found.extend(local.map(|origin| {
        let cure = "take it out of ALLOWED_ORIGINS or BETTER_AUTH_URL: in production it lets pages on users' own \
                    machines call with their tokens";
        Finding::warning(CHECK, format!("{origin} is allowed in production"), cure)
    }));
    found
}

/// Whether an origin is on the machine of whoever looks at it.
pub(super) fn is_local(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|local| host.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
}

/// Slashes at the ends of addresses: some are overlooked, some change what is meant.
pub(super) fn trailing_slashes(examined: &Examined) -> Vec<Finding> {
    const CHECK: &str = "trailing slashes";
    let ends = |name: &str| {
        let parts = examined.text(name).into_iter().flat_map(|text| text.split(','));
        parts.map(str::trim).any(|part| part.split(['?', '#']).next().unwrap_or_default().ends_with('/'))
    };
    let mut found = Vec::new();
    for name in ["JWT_ISSUER", "JWT_AUDIENCE"].into_iter().filter(|name| ends(name)) {
        let cure = "take it off (Better Auth's tokens have none), unless `creatorvault token check` shows it in a token";
        let detail = format!("{name} ends in a slash, and is compared character by character");
        found.push(Finding::warning(CHECK, detail, cure));
    }
    if ends("BETTER_AUTH_JWKS_URL") {
        let detail = "BETTER_AUTH_JWKS_URL ends in a slash, and is asked for exactly like that";
        found.push(Finding::warning(CHECK, detail, "take it off if the key set is not found"));
    }
    if let DatabaseUrl::Postgres(url) = &examined.config.database.url
        && url.dbname.as_ref().is_some_and(|name| name.ends_with('/'))
    {
        let detail = "DATABASE_URL ends in a slash, which counts as part of the database's name";
        found.push(Finding::warning(CHECK, detail, "take it off"));
    }
    let harmless: Vec<_> =
        ["BETTER_AUTH_URL", "ALLOWED_ORIGINS"].into_iter().filter(|name| ends(name)).collect();
    if !harmless.is_empty() {
        found.push(Finding::ok(CHECK, format!("{}: harmless, it is overlooked there", harmless.join(", "))));
    } else if found.is_empty() {
        found.push(Finding::ok(CHECK, "none"));
    }
    found
}

/// What is logged, and how.
pub(super) fn logs(examined: &Examined) -> Finding {
    const CHECK: &str = "logs";
    let log = &examined.config.log;
    let level = match log.level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    let format = match log.format {
        None => "pretty on a terminal, JSON elsewhere",
        Some(Format::Json) => "JSON",
        Some(Format::Pretty) => "pretty",
    };
    let detail = format!("from level {level} on, {format}");
    match (log.debug, log.level) {
        (true, _) => {
            let cure = "set DEBUG=false once the front-end works";
            Finding::warning(
                CHECK,
                format!("{detail}; DEBUG=true: answers say why a token was refused"),
                cure,
            )
        }
        (false, Level::Error) => {
            let cure = "set LOG_LEVEL=info to see requests and why tokens were refused";
            Finding::warning(CHECK, format!("{detail}: refused tokens and requests leave no line"), cure)
        }
        (false, _) => Finding::ok(CHECK, detail),
    }
}

#[cfg(test)]
mod tests;
