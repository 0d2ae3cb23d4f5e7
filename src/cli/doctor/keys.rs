//! The keys that check tokens: where they come from, what they take, and whether the auth server publishes any; and,
//! since that is asked anyway, how its clock stands to ours.

use super::finding::Finding;
use super::{PATIENCE, bounded, spoiled};
use crate::auth::algorithm::{ALL, Algorithm};
use crate::auth::probe::{self, Published, Sight};
use crate::auth::verifier::Verifier;
use crate::clock::Clock;
use crate::config::{Examined, Secret};

mod cure;

/// How far apart clocks may be without a word, in milliseconds.
const SKEWED: i64 = 5_000;

/// From here on tokens are refused that are good: the leeway for `exp` and `nbf`.
const TOO_SKEWED: i64 = 30_000;

/// At most so many keys are listed.
const MOST_LISTED: usize = 8;

/// Sources of keys, algorithms, the key set, the sessions' route, the clock.
pub(super) async fn look(examined: &Examined, clock: &Clock) -> Vec<Finding> {
    if let Some(finding) = spoiled(examined, "key sources", &["BETTER_AUTH_", "JWT_", "ENVIRONMENT"]) {
        return vec![finding];
    }
    let auth = &examined.config.auth;
    let session_url = auth.better_auth.as_ref().map(|better_auth| better_auth.session_url.as_str());
    let set = async {
        match auth.key_set() {
            Some(url) => Some(bounded(probe::key_set(url, auth.algorithms.as_deref(), clock)).await),
            None => None,
        }
    };
    let sessions = async {
        match session_url {
            Some(url) if auth.sessions => Some(bounded(probe::session_route(url, clock)).await),
            _ => None,
        }
    };
    let (set, sessions) = tokio::join!(set, sessions);
    let set = set.map(|seen| seen.unwrap_or_else(silent));
    let sessions = sessions.map(|seen| seen.unwrap_or_else(silent));
    let mut found = vec![sources(examined), algorithms(examined, set.as_ref())];
    found.extend(set.iter().flat_map(|seen| key_set(examined, seen)));
    found.push(session_route(examined, session_url, sessions.as_ref()));
    let ahead = set.as_ref().and_then(|seen| seen.ahead).or(sessions.as_ref().and_then(|seen| seen.ahead));
    found.extend(auth.key_set().map(|_| clock_skew(ahead)));
    found
}

fn silent<T>() -> Sight<T> {
    let found = Err(format!("no answer within {} seconds", PATIENCE.as_secs()));
    Sight { status: None, ahead: None, found }
}

/// Where keys come from, and whether the verifier can be made of it.
fn sources(examined: &Examined) -> Finding {
    const CHECK: &str = "key sources";
    let auth = &examined.config.auth;
    // Only stands in for the dev secret, which nobody has made yet: the verifier is thrown away.
    let stand_in = auth.dev_mode().then(|| Secret::new("x".repeat(32)));
    if let Err(problem) = Verifier::new(auth, stand_in) {
        return Finding::problem(CHECK, problem, "set BETTER_AUTH_URL to the address of Better Auth");
    }
    let mut sources = Vec::new();
    if auth.dev_mode() {
        sources.push(format!("the secret of dev mode in {}", examined.config.data_dir().display()));
    }
    if auth.secret.is_some() {
        sources.push("BETTER_AUTH_SECRET (HS256)".to_owned());
    }
    if let Some(key) = &auth.public_key {
        sources.push(format!("JWT_PUBLIC_KEY ({:?})", key.kind()));
    }
    if let Some(url) = auth.key_set() {
        sources.push(format!("the key set at {}", probe::shown_url(url)));
    }
    Finding::ok(CHECK, sources.join(", "))
}

/// What tokens may be signed with.
fn algorithms(examined: &Examined, set: Option<&Sight<Published>>) -> Finding {
    const CHECK: &str = "algorithms";
    let auth = &examined.config.auth;
    let published = set.and_then(|seen| seen.found.as_ref().ok());
    let takes = |algorithm: &Algorithm| {
        let by_secret = *algorithm == Algorithm::Hs256 && (auth.secret.is_some() || auth.dev_mode());
        let by_key = auth.public_key.as_ref().is_some_and(|key| key.kind().algorithms().contains(algorithm));
        let by_set =
            published.is_some_and(|set| set.keys.iter().any(|key| key.algorithms.contains(algorithm)));
        let wanted = auth.algorithms.as_ref().is_none_or(|only| only.contains(algorithm));
        wanted && (by_secret || by_key || by_set)
    };
    let taken = named(ALL.into_iter().filter(takes));
    let narrowed = if auth.algorithms.is_some() { " (JWT_ALGORITHM takes no others)" } else { "" };
    let open = if set.is_some() && published.is_none() { "; those of the key set are not known" } else { "" };
    if taken.is_empty() {
        return Finding::warning(CHECK, format!("none{narrowed}{open}"), "see to the key set first");
    }
    Finding::ok(CHECK, format!("{taken}{narrowed}{open}"))
}

/// What the auth server publishes.
fn key_set(examined: &Examined, seen: &Sight<Published>) -> Vec<Finding> {
    const CHECK: &str = "key set";
    let auth = &examined.config.auth;
    let url = auth.key_set().map(probe::shown_url).unwrap_or_default();
    // Beside another source it is fetched only when a token needs it, and Better Auth without jwt() has none.
    let needed = (auth.secret.is_none() && auth.public_key.is_none()) || auth.key_set_url.is_some();
    let wrong = |detail: String, cure: String| match needed {
        true => Finding::problem(CHECK, detail, cure),
        false => {
            let detail = format!("{detail}; tokens of the other key sources are taken all the same");
            Finding::warning(CHECK, detail, cure)
        }
    };
    let set = match &seen.found {
        Ok(set) => set,
        Err(reason) => return vec![wrong(format!("{url}: {reason}"), cure::of_key_set(auth, seen, reason))],
    };
    let mut found = Vec::new();
    if set.keys.is_empty() {
        let cure = "sign in once, so that Better Auth makes its first key, and run this again; look at JWT_ALGORITHM \
                    too";
        found.push(wrong(format!("{url} holds no key that can check a token"), cure.to_owned()));
    } else {
        found.push(Finding::ok(CHECK, format!("{url} holds {}", keys(set))));
    }
    found.extend(set.dropped.iter().take(MOST_LISTED).map(|reason| {
        let cure = "nothing to do if no token is signed with it; otherwise give Better Auth's jwt() plugin another \
                    keyPairConfig";
        Finding::warning(CHECK, format!("a key is not used: {reason}"), cure)
    }));
    found
}

/// `2 keys: "a" EdDSA, "b" RS256`.
fn keys(set: &Published) -> String {
    let told = set.keys.iter().take(MOST_LISTED).map(|key| {
        let id = key.id.as_deref().unwrap_or("without kid");
        format!("{id} {}", named(key.algorithms.iter().copied()))
    });
    let listed = told.collect::<Vec<_>>().join("; ");
    let more = if set.keys.len() > MOST_LISTED { "; …" } else { "" };
    let count = set.keys.len();
    format!("{count} {}: {listed}{more}", if count == 1 { "key" } else { "keys" })
}

fn named(algorithms: impl Iterator<Item = Algorithm>) -> String {
    algorithms.map(Algorithm::name).collect::<Vec<_>>().join(", ")
}

/// Whether Better Auth's session tokens are taken, and by whom they are checked.
fn session_route(examined: &Examined, url: Option<&str>, seen: Option<&Sight<()>>) -> Finding {
    const CHECK: &str = "sessions";
    let auth = &examined.config.auth;
    let url = url.map(probe::shown_url).unwrap_or_default();
    match seen.map(|seen| &seen.found) {
        None if auth.better_auth.is_some() => {
            let token = url.replace("get-session", "token");
            Finding::ok(
                CHECK,
                format!("off: session tokens are refused, front-ends send the JWT of GET {token}"),
            )
        }
        None => Finding::ok(CHECK, "off: session tokens are refused, front-ends send a JWT"),
        Some(Ok(())) => Finding::ok(CHECK, format!("on: {url} answers")),
        Some(Err(reason)) => {
            let cure = "put BETTER_AUTH_URL right, start the auth server, or set BETTER_AUTH_SESSIONS=off";
            Finding::problem(CHECK, format!("on, but {url}: {reason}"), cure)
        }
    }
}

/// How far the auth server's clock is ahead of ours.
fn clock_skew(ahead: Option<i64>) -> Finding {
    const CHECK: &str = "clock";
    let Some(ahead) = ahead else {
        return Finding::warning(
            CHECK,
            "not compared: the auth server told no Date",
            "see to the key set first",
        );
    };
    let (apart, side) = (ahead.saturating_abs(), if ahead < 0 { "behind" } else { "ahead of" });
    let detail = format!("the auth server's is {} {side} this machine's", seconds(apart));
    let cure = "set both clocks by NTP (timedatectl set-ntp true)";
    match apart {
        0..=SKEWED => Finding::ok(
            CHECK,
            format!("the auth server's and this machine's are at most {} apart", seconds(apart)),
        ),
        ..=TOO_SKEWED => Finding::warning(CHECK, detail, cure),
        _ => Finding::problem(CHECK, format!("{detail}; good tokens are refused"), cure),
    }
}

/// Whole seconds for people; less than two is within what can be measured.
fn seconds(millis: i64) -> String {
    match millis / 1_000 {
        0..2 => "2 seconds".to_owned(),
        seconds @ 2..120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}

#[cfg(test)]
mod tests;
