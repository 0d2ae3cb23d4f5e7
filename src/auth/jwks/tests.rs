//! The key set against an auth server that rotates, fails, lies and recovers.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::auth::refusal::{Refusal, Rejection, reason};
use crate::auth::samples::auth_server::{AuthServer, Play};
use crate::auth::samples::*;
use crate::auth::verifier::Verifier;
use crate::config::auth::AuthConfig;

mod keys;
mod outages;
mod rotation;

/// Times for tests: short intervals, but all the time that a busy machine needs for a fetch.
fn pace() -> Pace {
    Pace {
        timeout: Duration::from_secs(10),
        between: Duration::from_millis(300),
        fresh: Duration::from_secs(60),
        stale: Duration::from_secs(600),
        rest: Duration::from_millis(300),
        waiters: 256,
    }
}

/// The same, where an answer that never comes is waited for.
fn impatient() -> Pace {
    let fast = Duration::from_millis(50);
    Pace { timeout: Duration::from_secs(1), between: fast, rest: fast, ..pace() }
}

/// A verifier with nothing but this server's keys.
fn verifier_of(server: &AuthServer, pace: Pace) -> Verifier {
    Verifier::with_pace(&config_with_set(&server.origin()), None, pace).unwrap()
}

/// Waits until something holds, at most ten seconds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// A token that was never seen before, so that no cache knows it.
fn fresh_token(signer: &Signer, key_id: &str) -> String {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    signer.claims_by(key_id, &payload_with(json!({ "jti": number })))
}

/// Whether the verifier accepts, refuses (the reason) or cannot say (`unavailable`).
async fn verdict(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token, now(0)).await {
        Ok(verified) => {
            assert_eq!(verified.user.as_str(), "ann");
            "ok"
        }
        Err(Rejection::Refused(Refusal { reason, .. })) => reason,
        Err(Rejection::Unavailable { retry_after }) => {
            assert!(retry_after > Duration::ZERO);
            "unavailable"
        }
    }
}
