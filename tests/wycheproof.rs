//! Signatures: the vectors of project Wycheproof (Apache-2.0, not part of this project), and a corpus of our own.
//!
//! `WYCHEPROOF_DIR` names the directory of Wycheproof's `json_web_signature_test.json` and `json_web_key_test.json`
//! (<https://github.com/C2SP/wycheproof>, `testvectors_v1`). Without it only the own corpus is checked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use creatorvault::auth::algorithm::ALL;
use creatorvault::auth::jwks::{KeyDocument, Pace};
use creatorvault::auth::keys::{KeyRing, SharedSecret};
use creatorvault::auth::refusal::Rejection;
use creatorvault::auth::rules::signed_payload;
use creatorvault::auth::verifier::Verifier;
use creatorvault::config::Secret;
use creatorvault::config::auth::AuthConfig;
use creatorvault::field::timestamp::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The vectors of signatures that are not agreed with, and why.
const SIGNATURES_SEEN_OTHERWISE: [(u64, &str); 8] = [
    (346, "alg is PS384 and the key is for PS256: one key, one algorithm"),
    (347, "the key's alg is ES521, which is no algorithm, so the key is dropped"),
    (350, "alg is PS384 and the key is for PS256: one key, one algorithm"),
    (351, "the key's alg is ES521, which is no algorithm, so the key is dropped"),
    (367, "mislabelled: the text is that of the valid vector 357, without any padding"),
    (370, "mislabelled: the text is that of the valid vector 357, without any padding"),
    (372, "mislabelled: a question mark in the header is no base64url"),
    (373, "mislabelled: a question mark in the payload is no base64url"),
];

/// The vectors of key sets that are not agreed with, and why.
const KEY_SETS_SEEN_OTHERWISE: [(u64, &str); 5] = [
    (2, "a secret is never taken from a key set"),
    (7, "keys of the broken ROCA generator are not recognised: Better Auth makes its keys with Web Crypto"),
    (13, "a secret is never taken from a key set"),
    (14, "a secret is never taken from a key set, and HS384 is not supported"),
    (15, "a secret is never taken from a key set, and HS512 is not supported"),
];

/// The groups of a file of vectors, or `None` (told) where Wycheproof is not at hand.
fn groups(file: &str) -> Option<Vec<Value>> {
    let Some(folder) = std::env::var_os("WYCHEPROOF_DIR").filter(|folder| !folder.is_empty()) else {
        println!("WYCHEPROOF_DIR is not set: {file} is left out, only the own corpus is checked");
        return None;
    };
    let path = PathBuf::from(folder).join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("WYCHEPROOF_DIR: {} does not read: {error}", path.display()));
    let document: Value = serde_json::from_str(&text).unwrap();
    let groups = document["testGroups"].as_array().unwrap().clone();
    let vectors: usize = groups.iter().map(|group| group["tests"].as_array().unwrap().len()).sum();
    assert_eq!(document["numberOfTests"], json!(vectors));
    Some(groups)
}

/// The group's key or keys as a verifier has them.
fn published(group: &Value) -> &Value {
    group.get("public").unwrap_or(&group["private"])
}

fn accepts(jws: &str, secret: Option<&[u8]>, key_set: &Value) -> bool {
    let ring = KeyRing::new(secret.map(SharedSecret::of_bytes), Vec::new()).with_fetched(&ALL);
    let document = KeyDocument::parse(key_set.to_string().as_bytes(), None).unwrap();
    let Ok(payload) = signed_payload(jws, &ring, &document.keys) else { return false };
    assert_eq!(
        URL_SAFE_NO_PAD.encode(payload),
        jws.split('.').nth(1).unwrap(),
        "the payload is what was signed"
    );
    true
}

/// Compares the verdicts with the labels; tells how many agree.
fn compare<'g>(
    groups: &'g [Value],
    otherwise: &[(u64, &str)],
    mut verdict: impl FnMut(&'g Value, &str) -> bool,
) -> usize {
    let expected: BTreeMap<u64, &str> = otherwise.iter().copied().collect();
    let (mut agreed, mut surprises, mut seen) = (0, Vec::new(), BTreeSet::new());
    for group in groups {
        for test in group["tests"].as_array().unwrap() {
            let id = test["tcId"].as_u64().unwrap();
            let valid = match test["result"].as_str().unwrap() {
                "valid" => true,
                "invalid" => false,
                other => panic!("{other}"),
            };
            let agree = verdict(group, test["jws"].as_str().unwrap()) == valid;
            if !agree {
                seen.insert(id);
            }
            agreed += usize::from(agree);
            if agree == expected.contains_key(&id) {
                surprises.push(format!("{id} ({}, {}): agreed {agree}", group["comment"], test["comment"]));
            }
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
    assert_eq!(seen, expected.keys().copied().collect(), "each reason has its vector");
    agreed
}

#[test]
fn signatures() {
    let Some(groups) = groups("json_web_signature_test.json") else { return };
    let agreed = compare(&groups, &SIGNATURES_SEEN_OTHERWISE, |group, jws| {
        let key = published(group);
        match key["kty"].as_str() {
            // A secret is configured by hand; whoever has one for another algorithm configures nothing.
            Some("oct") => {
                let secret = URL_SAFE_NO_PAD.decode(key["k"].as_str().unwrap()).unwrap();
                accepts(
                    jws,
                    Some(&secret).filter(|_| key["alg"] == "HS256").map(Vec::as_slice),
                    &json!({"keys": []}),
                )
            }
            _ => accepts(jws, None, &json!({ "keys": [key] })),
        }
    });
    println!("Wycheproof: {agreed} of 401 signatures agreed with");
    assert_eq!(agreed, 393);
}

#[test]
fn key_sets() {
    let Some(groups) = groups("json_web_key_test.json") else { return };
    let agreed =
        compare(&groups, &KEY_SETS_SEEN_OTHERWISE, |group, jws| accepts(jws, None, published(group)));
    println!("Wycheproof: {agreed} of 26 key sets agreed with");
    assert_eq!(agreed, 21);
}

/// Serves a text to whoever asks.
async fn serve(text: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut head, mut buffer) = (Vec::new(), [0; 4_096]);
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => head.extend_from_slice(&buffer[..read]),
                }
            }
            let length = text.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn own_corpus() {
    let corpus: Value = serde_json::from_str(include_str!("corpus/tokens.json")).unwrap();
    let names = vec![corpus["issuer"].as_str().unwrap().to_owned()];
    let config = AuthConfig {
        secret: Some(Secret::new(corpus["secret"].as_str().unwrap())),
        key_set_url: Some(serve(json!({"keys": corpus["keys"]}).to_string()).await),
        issuers: names.clone(),
        audiences: names,
        ..AuthConfig::default()
    };
    // A token of an unknown key waits for the next fetch: here there is always one.
    let pace = Pace { between: Duration::ZERO, ..Pace::default() };
    let verifier = Verifier::with_pace(&config, None, pace).unwrap();
    let now = Timestamp::from_seconds(corpus["now"].as_i64().unwrap());
    let (mut surprises, mut verdicts) = (Vec::new(), BTreeMap::<&str, usize>::new());
    let tokens = corpus["tokens"].as_array().unwrap();
    for token in tokens {
        let verdict = match verifier.verify(token["token"].as_str().unwrap(), now).await {
            Ok(verified) => {
                assert_eq!(verified.user.as_str(), "ann");
                "ok"
            }
            Err(Rejection::Refused(refusal)) => refusal.reason,
            Err(Rejection::Unavailable { .. }) => "unavailable",
        };
        *verdicts.entry(verdict).or_default() += 1;
        if token["verdict"] != verdict {
            surprises.push(format!("{}: {verdict}, not {}", token["about"], token["verdict"]));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
    println!("Own corpus: {} tokens, {verdicts:?}", tokens.len());
    assert!(tokens.len() > 300 && verdicts["ok"] > 10 && verdicts.len() > 18, "{verdicts:?}");
    assert_eq!(json!(verifier.key_set_state().unwrap().keys), corpus["usable_keys"]);
}
