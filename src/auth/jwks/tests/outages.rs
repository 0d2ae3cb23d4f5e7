//! An auth server that is down, hangs, lies or has no keys: no token of a known key is refused for it, and all is well
//! again without a restart.

use std::time::Instant;

use super::*;
use crate::auth::samples::kept_log::KeptLog;

/// Ways to be of no use, each with what the log says of it.
fn troubles(elsewhere: u16) -> Vec<(Play, &'static str)> {
    let many: Vec<Value> = (0..257).map(|number| json!({"kty": "oct", "kid": number.to_string()})).collect();
    vec![
        (Play::status(500), "the answer has status 500"),
        (Play::status(503), "the answer has status 503"),
        (Play::status(429), "the answer has status 429"),
        (Play::status(403), "the answer has status 403"),
        (Play::status(204), "the answer has status 204"),
        (Play::body("<!doctype html><title>Sign in</title>"), "the answer is no key set"),
        (Play::body(""), "the answer is no key set"),
        (Play::body("[]"), "the answer is no key set"),
        (Play::body("{}"), "it has no array \"keys\""),
        (Play::body(r#"{"keys":{}}"#), "it has no array \"keys\""),
        (Play::body(r#"{"keys":[],"keys":[]}"#), "a member is there twice"),
        (Play::body(format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(10 << 20))), "longer than 512 KiB"),
        (Play::keys(&many), "257 keys, more than 256"),
        (Play::redirect(&format!("http://localhost:{elsewhere}/api/auth/jwks")), "redirects to another host"),
        (Play::redirect("/api/auth/jwks"), "redirects more than three times"),
        (Play::Hang, "no answer within 1000 ms"),
        (Play::Drip, "no answer within 1000 ms"),
    ]
}

#[tokio::test]
async fn known_keys_go_on_through_every_trouble() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let elsewhere = AuthServer::start(Play::keys(&[new.jwk("evil")])).await;
    let server = AuthServer::start(Play::keys(&[old.jwk("old")])).await;
    let verifier = verifier_of(&server, impatient());
    assert_eq!(verdict(&verifier, &fresh_token(&old, "old")).await, "ok");
    for (number, (trouble, told)) in troubles(elsewhere.port()).into_iter().enumerate() {
        let name = format!("new-{number}");
        server.play(trouble);
        assert_eq!(
            verdict(&verifier, &fresh_token(&new, &name)).await,
            "unavailable",
            "{told}: no wrong 401"
        );
        let state = verifier.key_set_state().unwrap();
        let error = state.last_error.unwrap_or_default();
        assert!(error.contains(told), "{error:?} does not say {told:?}");
        assert!(!error.contains("127.0.0.1"), "{error}");
        assert!(state.loaded && state.keys > 0);
        assert_eq!(verdict(&verifier, &fresh_token(&old, "old")).await, "ok", "{told}");
        server.play(Play::keys(&[old.jwk("old"), new.jwk(&name)]));
        assert_eq!(verdict(&verifier, &fresh_token(&new, &name)).await, "ok", "recovered from {told}");
        assert_eq!(verdict(&verifier, &fresh_token(&new, "evil")).await, reason::KEY_ID, "{told}");
    }
    server.down().await;
    assert_eq!(verdict(&verifier, &fresh_token(&new, "newest")).await, "unavailable");
    assert_eq!(verdict(&verifier, &fresh_token(&old, "old")).await, "ok");
    server.play(Play::keys(&[old.jwk("old"), new.jwk("newest")]));
    server.up().await;
    assert_eq!(verdict(&verifier, &fresh_token(&new, "newest")).await, "ok");
    assert_eq!(elsewhere.count(), 0, "nobody was asked elsewhere");
}

#[tokio::test]
async fn nobody_is_refused_while_no_set_was_ever_loaded() {
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::status(500)).await;
    for (trouble, told) in troubles(server.port()) {
        server.play(trouble);
        let verifier = verifier_of(&server, impatient());
        assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, "unavailable", "{told}");
        let state = verifier.key_set_state().unwrap();
        assert!(!state.loaded && state.sole_source && state.keys == 0 && state.failures > 0, "{state:?}");
        server.play(Play::keys(&[signer.jwk("k")]));
        assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, "ok", "recovered from {told}");
        assert!(verifier.key_set_state().unwrap().loaded);
    }
}

#[tokio::test]
async fn start_up_waits_for_nothing_and_recovers_without_a_request() {
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::Hang).await;
    let begin = Instant::now();
    let verifier = verifier_of(&server, impatient());
    verifier.start();
    verifier.start();
    assert!(begin.elapsed() < Duration::from_millis(900));
    eventually("a first fetch without a request", || server.count() == 1).await;
    server.play(Play::keys(&[signer.jwk("k")]));
    eventually("recovery without a request", || verifier.key_set_state().unwrap().loaded).await;
    let fetches = server.count();
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, "ok");
    assert_eq!(server.count(), fetches, "it was there already");
}

#[tokio::test]
async fn the_task_ends_with_its_verifier() {
    let server = AuthServer::start(Play::status(500)).await;
    let pace = Pace { between: Duration::from_millis(10), rest: Duration::from_millis(10), ..pace() };
    let verifier = verifier_of(&server, pace);
    verifier.start();
    eventually("several tries", || server.count() > 2).await;
    drop(verifier);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let fetches = server.count();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.count(), fetches);
}

#[tokio::test]
async fn beside_a_secret_the_set_is_fetched_when_a_token_needs_it() {
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::status(404)).await;
    let config = AuthConfig { secret: Some(secret()), ..config_with_set(&server.origin()) };
    let verifier =
        Verifier::with_pace(&config, None, Pace { timeout: pace().timeout, ..impatient() }).unwrap();
    verifier.start();
    for number in 0..5 {
        let token = hs256_claims(&payload_with(json!({ "jti": number })));
        assert_eq!(verdict(&verifier, &token).await, "ok");
    }
    assert_eq!(verdict(&verifier, "no.token.at-all").await, reason::MALFORMED);
    let forged =
        hs256_over(b"another secret of thirty-two bytes", r#"{"alg":"HS256"}"#, &payload().to_string());
    assert_eq!(verdict(&verifier, &forged).await, reason::SIGNATURE);
    assert_eq!(server.count(), 0, "nobody needed it");
    let state = verifier.key_set_state().unwrap();
    assert!(!state.sole_source && !state.loaded);
    // Without the jwt() plugin there is no such page, and nothing is fetched again in the background.
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, reason::NO_KEY_SET);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.count(), 1);
    server.play(Play::status(410));
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, reason::NO_KEY_SET);
    server.play(Play::status(500));
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, "unavailable");
    server.play(Play::keys(&[signer.jwk("k")]));
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, "ok");
    // Where a set was, a missing page is a fault like any other.
    server.play(Play::status(404));
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "other")).await, "unavailable");
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, "ok");
}

#[tokio::test]
async fn a_set_that_is_the_only_source_and_is_not_there_refuses() {
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::status(404)).await;
    let verifier = verifier_of(&server, pace());
    let Err(Rejection::Refused(refusal)) = verifier.verify(&fresh_token(&signer, "k"), now(0)).await else {
        panic!("refused")
    };
    assert_eq!(refusal.reason, reason::NO_KEY_SET);
    assert!(refusal.detail.unwrap().contains("jwt() plugin"));
}

#[tokio::test]
async fn an_empty_set_is_believed_after_one_more_period() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let server = AuthServer::start(Play::keys(&[old.jwk("a")])).await;
    let fast = Duration::from_millis(50);
    let pace = Pace { between: fast, rest: fast, fresh: Duration::from_secs(2), ..pace() };
    let verifier = verifier_of(&server, pace);
    assert_eq!(verdict(&verifier, &fresh_token(&old, "a")).await, "ok");
    server.play(Play::keys(&[]));
    let begin = Instant::now();
    assert_eq!(verdict(&verifier, &fresh_token(&new, "b")).await, "unavailable");
    assert_eq!(verifier.key_set_state().unwrap().last_error.as_deref(), Some("the set is empty"));
    while begin.elapsed() < Duration::from_secs(1) {
        assert_eq!(verdict(&verifier, &fresh_token(&old, "a")).await, "ok");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eventually("the keys are gone", || verifier.key_set_state().unwrap().keys == 0).await;
    assert!(begin.elapsed() >= pace.fresh);
    assert_eq!(verdict(&verifier, &fresh_token(&old, "a")).await, reason::KEY_ID);
    server.play(Play::keys(&[new.jwk("b")]));
    assert_eq!(verdict(&verifier, &fresh_token(&new, "b")).await, "ok");
}

#[tokio::test]
async fn a_stale_set_is_used_for_its_time_only() {
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::keys(&[signer.jwk("a")])).await;
    let fast = Duration::from_millis(50);
    let pace = Pace { between: fast, rest: fast, fresh: fast, stale: Duration::from_secs(2), ..pace() };
    let verifier = verifier_of(&server, pace);
    let seen = fresh_token(&signer, "a");
    assert_eq!(verdict(&verifier, &seen).await, "ok");
    server.down().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "a")).await, "ok", "stale");
    assert_eq!(verdict(&verifier, &seen).await, "ok");
    eventually("its time is over", || verifier.key_set_state().unwrap().keys == 0).await;
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "a")).await, "unavailable", "and still no wrong 401");
    assert_eq!(verdict(&verifier, &seen).await, "unavailable", "what was remembered is over as well");
    server.up().await;
    assert_eq!(verdict(&verifier, &seen).await, "ok");
    assert!(verifier.key_set_state().unwrap().loaded);
}

#[tokio::test]
async fn only_so_many_requests_wait() {
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::Hang).await;
    let verifier = verifier_of(&server, Pace { waiters: 2, ..impatient() });
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), fresh_token(&signer, "k"));
            tokio::spawn(async move { verdict(&verifier, &token).await })
        })
        .collect();
    eventually("the fetch", || server.count() == 1).await;
    let begin = Instant::now();
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "k")).await, "unavailable");
    assert!(begin.elapsed() < Duration::from_millis(900), "at once");
    for one in waiting {
        assert_eq!(one.await.unwrap(), "unavailable");
    }
}

#[tokio::test]
async fn redirects_on_the_same_host_are_followed() {
    let signer = Signer::ed25519();
    let step = |from: &str, to: &str| (from.to_owned(), Play::redirect(to));
    let server = AuthServer::start(Play::Paths(vec![
        step("/api/auth/jwks", "/1"),
        step("/1", "/2"),
        step("/2", "/3"),
        ("/3".to_owned(), Play::keys(&[signer.jwk("k")])),
    ]))
    .await;
    assert_eq!(verdict(&verifier_of(&server, pace()), &fresh_token(&signer, "k")).await, "ok");
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn what_happens_to_the_set_is_in_the_log_and_no_secret() {
    let log = KeptLog::keep();
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::status(500)).await;
    let key_set_url = Some(format!("{}/keys?token=canary#canary", server.origin()));
    let config = AuthConfig { key_set_url, ..config_with_set("https://auth.example.com") };
    let verifier = Verifier::with_pace(&config, None, pace()).unwrap();
    let token = fresh_token(&signer, "k");
    assert_eq!(verdict(&verifier, &token).await, "unavailable");
    server.play(Play::keys(&[signer.jwk("k"), json!({"kty": "oct", "kid": "s", "k": "canary"})]));
    assert_eq!(verdict(&verifier, &token).await, "ok");
    server.play(Play::keys(&[signer.jwk("other")]));
    assert_eq!(verdict(&verifier, &fresh_token(&signer, "unknown")).await, reason::KEY_ID);
    let lines: Vec<_> = log.lines().into_iter().filter(|line| !line.starts_with("DEBUG")).collect();
    let url = format!("{}/keys", server.origin());
    let expected = [
        vec!["WARN message=Key set could not be fetched", &url, "status 500", "keys=0"],
        vec!["WARN message=Token could not be checked", "keys_unavailable"],
        vec!["INFO message=Key set fetched", &url, "keys=1", "\\\"k\\\""],
        vec!["WARN message=Key of the set is not used", "\\\"s\\\": a symmetric key is never taken"],
        vec!["INFO message=Key set changed", "\\\"other\\\""],
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, parts) in lines.iter().zip(&expected) {
        for part in parts {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        let signature = token.rsplit('.').next().unwrap();
        assert!(!line.contains("canary") && !line.contains(signature), "{line}");
    }
    assert!(server.requests()[0].starts_with("GET /keys?token=canary HTTP/1.1"));
}
