//! Keys that come and go, and tokens that make noise meanwhile.

use std::time::Instant;

use super::*;

#[tokio::test]
async fn every_kind_of_key_checks_its_tokens() {
    let signers = Signer::all();
    let names: Vec<String> = (0..signers.len()).map(|number| format!("key-{number}")).collect();
    let jwks: Vec<Value> = signers.iter().zip(&names).map(|(signer, name)| signer.jwk(name)).collect();
    let server = AuthServer::start(Play::keys(&jwks)).await;
    let verifier = verifier_of(&server, pace());
    for (signer, name) in signers.iter().zip(&names) {
        assert_eq!(verdict(&verifier, &fresh_token(signer, name)).await, "ok", "{}", signer.algorithm());
    }
    assert_eq!(server.count(), 1);
    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(
        request.starts_with("get /api/auth/jwks http/1.1") && request.contains("accept: application/json")
    );
    let state = verifier.key_set_state().unwrap();
    assert_eq!((state.keys, state.fetches, state.failures, state.last_error), (6, 1, 0, None));
    assert!(state.loaded && state.sole_source && state.age.unwrap() < Duration::from_secs(5));
    assert_eq!(state.url, format!("{}/api/auth/jwks", server.origin()));
    let names: Vec<_> = state.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    assert_eq!(names, ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"]);
}

#[tokio::test]
async fn the_first_request_after_a_rotation_succeeds() {
    let (old, new, newer) = (Signer::ed25519(), Signer::ed25519(), Signer::p521());
    let server = AuthServer::start(Play::keys(&[old.jwk("a")])).await;
    let verifier = verifier_of(&server, pace());
    assert_eq!(verdict(&verifier, &fresh_token(&old, "a")).await, "ok");
    server.play(Play::keys(&[old.jwk("a"), new.jwk("b")]));
    assert_eq!(verdict(&verifier, &fresh_token(&new, "b")).await, "ok", "within the window it waits");
    assert_eq!(verdict(&verifier, &fresh_token(&old, "a")).await, "ok");
    // The algorithm may change with the key.
    server.play(Play::keys(&[newer.jwk("c")]));
    assert_eq!(verdict(&verifier, &fresh_token(&newer, "c")).await, "ok");
    assert_eq!(verdict(&verifier, &fresh_token(&old, "a")).await, reason::KEY_ID, "a dropped key is revoked");
}

#[tokio::test]
async fn a_fetch_from_before_the_rotation_does_not_count() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let server = AuthServer::start(Play::keys(&[old.jwk("a")])).await;
    let verifier = verifier_of(&server, pace());
    assert_eq!(verdict(&verifier, &fresh_token(&old, "a")).await, "ok");
    // A fetch is under way whose answer was written before the new key was born.
    server.play(Play::Late(Duration::from_millis(200), Box::new(Play::keys(&[old.jwk("a")]))));
    let junk = tokio::spawn({
        let (verifier, token) = (verifier.clone(), fresh_token(&old, "junk"));
        async move { verdict(&verifier, &token).await }
    });
    eventually("the junk's fetch", || server.count() == 2).await;
    server.play(Play::keys(&[old.jwk("a"), new.jwk("b")]));
    assert_eq!(verdict(&verifier, &fresh_token(&new, "b")).await, "ok");
    assert_eq!(junk.await.unwrap(), reason::KEY_ID);
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn random_key_ids_cause_one_fetch_per_window_and_delay_nobody_else() {
    let (good, new) = (Signer::ed25519(), Signer::ed25519());
    let server = AuthServer::start(Play::keys(&[good.jwk("a")])).await;
    let pace = Pace { between: Duration::from_secs(3), ..pace() };
    let verifier = verifier_of(&server, pace);
    assert_eq!(verdict(&verifier, &fresh_token(&good, "a")).await, "ok");
    let begin = Instant::now();
    let junk: Vec<_> = (0..1_000)
        .map(|number| {
            let (verifier, token) = (verifier.clone(), fresh_token(&new, &format!("random-{number}")));
            tokio::spawn(async move { verdict(&verifier, &token).await })
        })
        .collect();
    // Let all of them arrive.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(verdict(&verifier, &fresh_token(&good, "a")).await, "ok");
    assert_eq!(server.count(), 1, "a token of a known key waits for no fetch");
    server.play(Play::keys(&[good.jwk("a"), new.jwk("b")]));
    let (mut refused, mut unavailable) = (0, 0);
    for token in junk {
        match token.await.unwrap() {
            reason::KEY_ID => refused += 1,
            "unavailable" => unavailable += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((refused, unavailable), (256, 744), "256 wait, the others are told to come again");
    assert_eq!(verdict(&verifier, &fresh_token(&new, "b")).await, "ok");
    let windows = begin.elapsed().as_millis() / pace.between.as_millis() + 1;
    assert!(server.count() as u128 <= windows + 1, "{} fetches in {windows} windows", server.count());
    let times = server.times();
    for pair in times.windows(2) {
        // The server sees the ends of what is spaced at its starts.
        assert!(pair[1] - pair[0] > pace.between / 2, "{times:?}");
    }
}

#[tokio::test]
async fn junk_key_ids_do_not_keep_a_new_key_out() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let server = AuthServer::start(Play::keys(&[old.jwk("a")])).await;
    let verifier = verifier_of(&server, pace());
    assert_eq!(verdict(&verifier, &fresh_token(&old, "a")).await, "ok");
    let mut junk = Vec::new();
    for round in 0..3 {
        for number in 0..50 {
            let (verifier, token) = (verifier.clone(), fresh_token(&new, &format!("{round}-{number}")));
            junk.push(tokio::spawn(async move { verdict(&verifier, &token).await }));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.play(Play::keys(&[old.jwk("a"), new.jwk("b")]));
    assert_eq!(verdict(&verifier, &fresh_token(&new, "b")).await, "ok");
    for token in junk {
        assert_eq!(token.await.unwrap(), reason::KEY_ID);
    }
}

#[tokio::test]
async fn a_reused_key_id_is_fetched_again_and_the_old_keys_tokens_die() {
    let (before, after) = (Signer::ed25519(), Signer::ed25519());
    let server = AuthServer::start(Play::keys(&[before.jwk("1")])).await;
    let verifier = verifier_of(&server, pace());
    let seen = fresh_token(&before, "1");
    assert_eq!(verdict(&verifier, &seen).await, "ok");
    assert_eq!(verdict(&verifier, &seen).await, "ok");
    assert_eq!(server.count(), 1, "remembered");
    server.play(Play::keys(&[after.jwk("1")]));
    assert_eq!(verdict(&verifier, &fresh_token(&after, "1")).await, "ok");
    assert_eq!(verdict(&verifier, &seen).await, reason::SIGNATURE, "what was remembered died with its key");
    let reset = fresh_token(&after, "1");
    assert_eq!(verdict(&verifier, &reset).await, "ok");
    assert_eq!(verdict(&verifier, &fresh_token(&before, "1")).await, reason::SIGNATURE);
    assert_eq!(verdict(&verifier, &reset).await, "ok");
}

#[tokio::test]
async fn the_set_is_refreshed_in_the_background() {
    let (kept, dropped) = (Signer::ed25519(), Signer::ed25519());
    let server = AuthServer::start(Play::keys(&[kept.jwk("a"), dropped.jwk("b")])).await;
    let pace = Pace { between: Duration::from_millis(50), fresh: Duration::from_millis(300), ..pace() };
    let verifier = verifier_of(&server, pace);
    let (of_kept, of_dropped) = (fresh_token(&kept, "a"), fresh_token(&dropped, "b"));
    assert_eq!(verdict(&verifier, &of_dropped).await, "ok");
    assert_eq!(verdict(&verifier, &of_kept).await, "ok");
    let generation = verifier.rules().generation();
    // The same keys in another order are the same keys.
    server.play(Play::keys(&[dropped.jwk("b"), kept.jwk("a")]));
    let fetches = server.count();
    eventually("two refreshes without a request", || server.count() >= fetches + 2).await;
    assert_eq!(verifier.rules().generation(), generation);
    server.play(Play::keys(&[kept.jwk("a")]));
    eventually("the key is dropped", || verifier.key_set_state().unwrap().keys == 1).await;
    assert_ne!(verifier.rules().generation(), generation);
    assert_eq!(
        verdict(&verifier, &of_dropped).await,
        reason::KEY_ID,
        "revoked, also where it was remembered"
    );
    assert_eq!(verdict(&verifier, &of_kept).await, "ok");
}

#[tokio::test]
async fn without_a_key_id_the_keys_that_fit_are_tried() {
    let (one, two, other) = (Signer::ed25519(), Signer::ed25519(), Signer::p256());
    let bare = |signer: &Signer, number: u64| {
        let header = json!({"alg": signer.algorithm()}).to_string();
        signer.token(&header, &payload_with(json!({ "jti": number })).to_string())
    };
    let mut anonymous = two.jwk("x");
    anonymous.as_object_mut().unwrap().remove("kid");
    let server = AuthServer::start(Play::keys(&[other.jwk("p"), one.jwk("a"), anonymous])).await;
    let verifier = verifier_of(&server, pace());
    assert_eq!(verdict(&verifier, &bare(&one, 1)).await, "ok");
    assert_eq!(verdict(&verifier, &bare(&two, 2)).await, "ok");
    assert_eq!(verdict(&verifier, &bare(&other, 3)).await, "ok", "the only key that fits");
    assert_eq!(server.count(), 1);
    let crowd: Vec<Value> = (0..8).map(|number| one.jwk(&number.to_string())).collect();
    server.play(Play::keys(&[crowd, vec![two.jwk("last")]].concat()));
    let verifier = verifier_of(&server, pace());
    assert_eq!(verdict(&verifier, &fresh_token(&two, "last")).await, "ok");
    assert_eq!(verdict(&verifier, &bare(&two, 4)).await, reason::SIGNATURE, "only eight are tried");
}

#[tokio::test]
async fn twins_of_one_id_are_both_tried() {
    let (one, two) = (Signer::ed25519(), Signer::ed25519());
    let server = AuthServer::start(Play::keys(&[one.jwk("k"), two.jwk("k")])).await;
    let verifier = verifier_of(&server, pace());
    assert_eq!(verdict(&verifier, &fresh_token(&one, "k")).await, "ok");
    assert_eq!(verdict(&verifier, &fresh_token(&two, "k")).await, "ok");
    assert_eq!(server.count(), 1);
}
