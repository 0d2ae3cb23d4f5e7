//! Which keys of a set are taken, and for what.

use super::*;
use crate::auth::algorithm::Algorithm;

/// The keys and the reasons of a set.
fn parsed(keys: &[Value]) -> KeyDocument {
    KeyDocument::parse(json!({ "keys": keys }).to_string().as_bytes(), None).unwrap()
}

/// The set's key with some members put in; `null` takes one out.
fn changed(jwk: &Value, changes: &Value) -> Value {
    let mut jwk = jwk.clone();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => jwk.as_object_mut().unwrap().remove(name),
            value => jwk.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    jwk
}

fn flipped(jwk: &Value, member: &str) -> String {
    let text = jwk[member].as_str().unwrap();
    let first = if text.starts_with('A') { 'B' } else { 'A' };
    format!("{first}{}", &text[1..])
}

fn dropped(jwk: &Value, reason: &str) {
    let document = parsed(std::slice::from_ref(jwk));
    assert!(document.keys.is_empty(), "taken: {jwk}");
    assert!(document.dropped[0].contains(reason), "{:?} does not say {reason:?}", document.dropped);
    for name in ["x", "y", "n", "k", "d"] {
        if let Some(text) = jwk[name].as_str().filter(|text| text.len() > 8) {
            assert!(!document.dropped[0].contains(text), "{:?}", document.dropped);
        }
    }
}

#[test]
fn a_key_that_is_for_something_else_is_dropped() {
    for signer in Signer::all() {
        let jwk = signer.jwk("k");
        for (changes, reason) in [
            (json!({"use": "enc"}), "use is not sig"),
            (json!({"use": ""}), "use is not sig"),
            (json!({"use": ["sig"]}), "use is not a string"),
            (json!({"key_ops": ["encrypt"]}), "key_ops does not name verify"),
            (json!({"key_ops": ["sign"]}), "key_ops does not name verify"),
            (json!({"key_ops": []}), "key_ops does not name verify"),
            (json!({"key_ops": "verify"}), "key_ops does not name verify"),
            (json!({"alg": "HS256"}), "alg is none that"),
            (json!({"alg": "none"}), "alg is none that"),
            (json!({"alg": "RSA-OAEP"}), "alg is none that"),
            (json!({"alg": "ES521"}), "alg is none that"),
            (json!({"alg": "eddsa"}), "alg is none that"),
            (json!({"alg": 5}), "alg is not a string"),
            (json!({"kid": 5}), "kid is not a string"),
            (json!({"kty": null}), "kty is none of"),
            (json!({"kty": "ec"}), "kty is none of"),
            (json!({"kty": 1}), "kty is not a string"),
        ] {
            dropped(&changed(&jwk, &changes), reason);
        }
        for kept in [
            json!({"use": "sig"}),
            json!({"use": "sig", "key_ops": ["sign", "verify"]}),
            json!({"alg": null}),
            json!({"kid": null}),
            json!({"x5c": ["AA"], "x5u": "https://evil.test", "ext": true, "d": "never looked at"}),
        ] {
            assert_eq!(parsed(&[changed(&jwk, &kept)]).keys.len(), 1, "{kept}");
        }
    }
}

#[test]
fn wrong_coordinates_are_dropped() {
    for signer in [Signer::p256(), Signer::p384(), Signer::p521()] {
        let jwk = signer.jwk("k");
        let x = jwk["x"].as_str().unwrap();
        for (changes, reason) in [
            (json!({"x": jwk["y"]}), "is not a valid"),
            (json!({"y": flipped(&jwk, "y")}), "is not a valid"),
            (json!({"x": null}), "there is no x"),
            (json!({"y": null}), "there is no y"),
            (json!({"x": format!("{x}=")}), "x is not base64url"),
            (json!({"x": format!("{}+", &x[1..])}), "x is not base64url"),
            (json!({"x": &x[..4]}), "x has 3 bytes, not"),
            (json!({"x": ""}), "x has 0 bytes, not"),
            (json!({"y": base64url([0; 67])}), "y has 67 bytes, not"),
            (json!({"y": [1]}), "y is not a string"),
            (json!({"crv": "secp256k1"}), "crv is none of"),
            (json!({"crv": "Ed25519"}), "crv is none of"),
            (json!({"crv": null}), "crv is none of"),
        ] {
            dropped(&changed(&jwk, &changes), reason);
        }
    }
    let zero = json!({"kty": "EC", "crv": "P-256", "x": base64url([0; 32]), "y": base64url([0; 32])});
    dropped(&zero, "is not a valid");
    let ed = Signer::ed25519().jwk("k");
    for (changes, reason) in [
        (json!({"crv": "X25519"}), "crv is not Ed25519"),
        (json!({"crv": "Ed448"}), "crv is not Ed25519"),
        (json!({"crv": "P-256"}), "crv is not Ed25519"),
        (json!({"x": base64url([7; 31])}), "x has 31 bytes, not 32"),
        (json!({"x": base64url([7; 33])}), "x has 33 bytes, not 32"),
        (json!({"x": null}), "there is no x"),
        (json!({"kty": "EC"}), "crv is none of"),
    ] {
        dropped(&changed(&ed, &changes), reason);
    }
}

#[test]
fn a_curves_point_is_taken_for_no_other_curve() {
    for (signer, others) in [
        (Signer::p256(), ["P-384", "P-521"]),
        (Signer::p384(), ["P-256", "P-521"]),
        (Signer::p521(), ["P-256", "P-384"]),
    ] {
        for other in others {
            dropped(&changed(&signer.jwk("k"), &json!({"crv": other, "alg": null})), "bytes, not");
        }
        // And under its own curve's name for no other curve's algorithm.
        for algorithm in ["ES256", "ES384", "ES512", "EdDSA", "RS256"] {
            if algorithm != signer.algorithm() {
                dropped(&changed(&signer.jwk("k"), &json!({"alg": algorithm})), "alg is none that");
            }
        }
    }
}

#[test]
fn rsa_keys_have_a_size_and_an_exponent() {
    let jwk = Signer::rsa().jwk("k");
    for (changes, reason) in [
        (json!({"n": base64url([0xc3; 128])}), "1024 bits"),
        (json!({"n": base64url([&[0x7f][..], &[0xc3; 255]].concat())}), "2047 bits"),
        (json!({"n": base64url([0xc3; 1_025])}), "8200 bits"),
        (json!({"n": ""}), "0 bits"),
        (json!({"n": null}), "there is no n"),
        (json!({"e": null}), "there is no e"),
        (json!({"e": ""}), "no public exponent"),
        (json!({"e": "AQ"}), "no public exponent"),
        (json!({"e": "AAAB"}), "no public exponent"),
        (json!({"e": "BA"}), "no public exponent"),
    ] {
        dropped(&changed(&jwk, &changes), reason);
    }
    // Some publishers write the sign's byte of their number.
    let n =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, jwk["n"].as_str().unwrap());
    let signed = changed(&jwk, &json!({"n": base64url([&[0], n.unwrap().as_slice()].concat())}));
    assert_eq!(parsed(&[signed]).keys, parsed(&[jwk]).keys);
}

#[tokio::test]
async fn one_key_one_algorithm() {
    let rsa = Signer::rsa();
    let token = rsa.claims(&payload());
    for (alg, verdict_of_rs256) in
        [(json!("RS256"), "ok"), (Value::Null, "ok"), (json!("PS256"), reason::KEY_ID)]
    {
        let server = AuthServer::start(Play::keys(&[changed(&rsa.jwk("k1"), &json!({"alg": alg}))])).await;
        let verifier = verifier_of(&server, pace());
        assert_eq!(verdict(&verifier, &token).await, verdict_of_rs256, "{alg}");
    }
    // What the header names and the key does not check is no signature, whatever the bytes.
    for (signer, other) in [
        (Signer::p256(), "ES384"),
        (Signer::p384(), "ES256"),
        (Signer::p521(), "ES256"),
        (Signer::ed25519(), "ES256"),
        (Signer::rsa_pss(), "RS256"),
        (Signer::rsa(), "RS512"),
    ] {
        let server = AuthServer::start(Play::keys(&[signer.jwk("k1")])).await;
        let verifier = verifier_of(&server, pace());
        let header = json!({"alg": other, "kid": "k1"}).to_string();
        let token = signer.token(&header, &payload().to_string());
        assert_eq!(verdict(&verifier, &token).await, reason::KEY_ID, "{} as {other}", signer.algorithm());
    }
}

#[tokio::test]
async fn a_fetched_key_is_never_an_hmac_key() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::p521(), Signer::ed25519()] {
        let jwk = signer.jwk("k1");
        let oct = json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": base64url(SECRET)});
        let server = AuthServer::start(Play::keys(&[jwk.clone(), oct])).await;
        let alone = verifier_of(&server, pace());
        let config = AuthConfig { secret: Some(secret()), ..config_with_set(&server.origin()) };
        let beside_a_secret = Verifier::with_pace(&config, None, pace()).unwrap();
        for key in [
            jwk.to_string().into_bytes(),
            jwk["x"].as_str().or(jwk["n"].as_str()).unwrap().as_bytes().to_vec(),
            signer.pem().into_bytes(),
            signer.pem().trim().as_bytes().to_vec(),
            signer.pem().lines().filter(|line| !line.starts_with('-')).collect::<String>().into_bytes(),
            signer.spki(),
            signer.material(),
            Vec::new(),
        ] {
            for kid in ["k1", "s", "none"] {
                let header = json!({"alg": "HS256", "kid": kid}).to_string();
                let token = hs256_over(&key, &header, &payload().to_string());
                assert_eq!(verdict(&alone, &token).await, reason::ALGORITHM);
                assert_eq!(verdict(&beside_a_secret, &token).await, reason::SIGNATURE);
            }
        }
        let header = json!({"alg": "HS256", "kid": "s"}).to_string();
        let published = hs256(&header, &payload().to_string());
        assert_eq!(verdict(&alone, &published).await, reason::ALGORITHM, "an oct key of the set is no key");
        assert_eq!(server.count(), 0, "and no reason to fetch");
        assert_eq!(verdict(&alone, &fresh_token(&signer, "k1")).await, "ok");
    }
}

#[tokio::test]
async fn a_token_does_not_bring_its_key() {
    let (ours, theirs) = (Signer::ed25519(), Signer::ed25519());
    let evil = AuthServer::start(Play::keys(&[theirs.jwk("k1")])).await;
    let server = AuthServer::start(Play::keys(&[ours.jwk("k1")])).await;
    let verifier = verifier_of(&server, pace());
    let url = format!("{}/jwks", evil.origin());
    let header =
        json!({"alg": "EdDSA", "kid": "k1", "jwk": theirs.jwk("k1"), "jku": url, "x5u": url, "x5c": ["AA"]});
    let token = |signer: &Signer| signer.token(&header.to_string(), &payload().to_string());
    assert_eq!(verdict(&verifier, &token(&ours)).await, "ok", "the header's keys are not looked at");
    assert_eq!(verdict(&verifier, &token(&theirs)).await, reason::SIGNATURE);
    assert_eq!(evil.count(), 0);
}

#[tokio::test]
async fn the_names_in_a_token_are_checked() {
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::keys(&[signer.jwk("k1")])).await;
    let config =
        AuthConfig { issuers: Vec::new(), audiences: Vec::new(), ..config_with_set(&server.origin()) };
    let verifier = Verifier::with_pace(&config, None, pace()).unwrap();
    let own = json!({"iss": server.origin(), "aud": server.origin()});
    assert_eq!(verdict(&verifier, &signer.claims(&payload_with(own))).await, "ok");
    let localhost = format!("http://localhost:{}", server.port());
    let loopback = json!({"iss": localhost, "aud": localhost});
    assert_eq!(
        verdict(&verifier, &signer.claims(&payload_with(loopback))).await,
        "ok",
        "one port, one issuer"
    );
    assert_eq!(verdict(&verifier, &signer.claims(&payload())).await, reason::ISSUER);
    let id_token = json!({"iss": server.origin(), "aud": "client-id"});
    assert_eq!(verdict(&verifier, &signer.claims(&payload_with(id_token))).await, reason::AUDIENCE);
    let typed = json!({"alg": "EdDSA", "kid": "k1", "typ": "logout+jwt"}).to_string();
    assert_eq!(verdict(&verifier, &signer.token(&typed, &payload().to_string())).await, reason::TYPE);
}

#[tokio::test]
async fn the_setting_narrows_what_the_set_may_check() {
    let (ed, ec) = (Signer::ed25519(), Signer::p256());
    let server = AuthServer::start(Play::keys(&[ed.jwk("a"), ec.jwk("b")])).await;
    let config = AuthConfig { algorithms: Some(vec![Algorithm::Es256]), ..config_with_set(&server.origin()) };
    let verifier = Verifier::with_pace(&config, None, pace()).unwrap();
    assert_eq!(verdict(&verifier, &fresh_token(&ec, "b")).await, "ok");
    assert_eq!(verdict(&verifier, &fresh_token(&ed, "a")).await, reason::ALGORITHM);
    assert_eq!((server.count(), verifier.key_set_state().unwrap().keys), (1, 1));
    let hs256 = Some(vec![Algorithm::Hs256]);
    let config =
        AuthConfig { algorithms: hs256, secret: Some(secret()), ..config_with_set(&server.origin()) };
    let verifier = Verifier::with_pace(&config, None, pace()).unwrap();
    assert!(verifier.key_set_state().is_none(), "no key of a set could be used");
}

#[tokio::test]
async fn a_pem_a_secret_and_a_set_count_together() {
    let (pem, fetched) = (Signer::ed25519(), Signer::ed25519());
    let server = AuthServer::start(Play::keys(&[fetched.jwk("k1")])).await;
    let config = AuthConfig {
        secret: Some(secret()),
        public_key: Some(pem.public_key(None)),
        ..config_with_set(&server.origin())
    };
    let verifier = Verifier::with_pace(&config, None, pace()).unwrap();
    assert_eq!(verdict(&verifier, &hs256_claims(&payload())).await, "ok");
    assert_eq!(verdict(&verifier, &pem.claims(&payload())).await, "ok");
    assert_eq!(server.count(), 0);
    assert_eq!(verdict(&verifier, &fetched.claims(&payload())).await, "ok");
    assert_eq!(verdict(&verifier, &pem.claims(&payload())).await, "ok");
    assert_eq!(server.count(), 1);
    assert_eq!(verdict(&verifier, &Signer::ed25519().claims(&payload())).await, reason::SIGNATURE);
}

#[test]
fn a_mixed_set_keeps_what_is_good() {
    let good = [Signer::p256().jwk("a"), Signer::rsa().jwk("b")];
    let bad = [json!({"kty": "oct", "k": "AA"}), json!({}), json!(null), json!([]), json!("x")];
    let document = parsed(&[&good[..], &bad[..]].concat());
    assert_eq!((document.keys.len(), document.dropped.len()), (2, 5));
    let most: Vec<Value> = vec![json!({}); MOST_KEYS];
    assert_eq!(parsed(&most).dropped.len(), 256);
    let over = json!({"keys": vec![json!({}); MOST_KEYS + 1]}).to_string();
    assert!(KeyDocument::parse(over.as_bytes(), None).is_err());
    let text = json!({"keys": good, "more": {"x": 1}}).to_string();
    assert_eq!(KeyDocument::parse(text.as_bytes(), None).unwrap().keys.len(), 2);
}
