//! Every refusal that concerns the shared secret and the public key, and what is accepted beside it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::algorithm::Algorithm;
use crate::auth::claims::UserIdClaims;
use crate::auth::pem;
use crate::auth::refusal::{RefusalKind, reason};
use crate::auth::samples::*;

/// A sample RSA key with the public exponent 3, which makes forged padding easy.
const EXPONENT_3: &str = "-----BEGIN PUBLIC KEY-----
MIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEA+GQMuBA2Be1vxbYWcbI1
iORlwEmZHw3WbsY+qbUHds/eNnCiNsM/43Co72qqSUwmBhzXKuioXhgS4FhONEyn
Pz0KW38Oqit8AUFtmi91mJtC4dBXA2+Cfyc5HslT91wPoP5B03J/68Klfcqa4sUI
uWk65fd3oytyrDtPonOCr/Gf5LU6piaef7V1Gv/v1Q8Pwf4w9Yd1qHM+0fVLtO4J
LfnbO9xqKhkyh6mHTbI0zEYEyMWY/re7T1/hzNkAecoLB7vehzxMtzKELTmbuJSd
wy80QBmX5qRma8+uyyTOV6LEsa4ojFxPqG3+GIAkO3mt+gSAsoEIc8T/pdkHwgjh
JQIBAw==
-----END PUBLIC KEY-----";
/// A token of that key, and of it the genuine signature and a forged one: the cube root of a text that begins like the
/// right padding and hash and ends in garbage (Bleichenbacher 2006), without its leading zeros.
const CUBED_PAYLOAD: &str =
    r#"{"sub":"ann","iss":"https://app.example.com","aud":"https://app.example.com","exp":1800000900}"#;
const GENUINE: &str = "Lnvt7KU7Lpc2hsFWE6-Mde0vg6vVSSIWH6m5au-3AL4N0HRLLpw-DOnBIQn85RU-8esP3BkDe3W0-HHLCXIqDPrBAXLWk4T-oxYA7Fa4fLG3fowkdf1-1xuHe18DwrcFyaBA9UZzgweq-4a4ggfmsbjYoiXcL1X_zYLvROKd6GHbsxS199nfmg2S0I8heDyhWtVYsrnxixG8rQ0L97oVJiJ5qKdqJS5kwF9mED9yL2iW0oRzfhMtYxkV9LYSqG8FyoKwXmnmAkqNKNSLbQ6T52h9B0GzTAw-9syILVzdYRrmx-mLs0n0njxomxoPWELUdXuknkuL2yQWqP7AVvRz9g";
const FORGED: &str = "Msv9SnrceQVYPXZ1IPUWQHWRdtN4JvLvY649x6vGMXJoVIdWHvZFxL8EUjkBVS0psRcXRefl2YRYlh2qVRC3rsmNXUYiGtFDHoHrXFgIOooP-iZJGQ";

fn with(config: &AuthConfig) -> Verifier {
    Verifier::new(config, None).unwrap()
}

async fn reason_of(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token, now(0)).await {
        Ok(verified) => panic!("accepted for {}: {token}", verified.user),
        Err(Rejection::Unavailable { .. }) => panic!("unavailable: {token}"),
        Err(Rejection::Refused(refusal)) => {
            assert_eq!(refusal.kind == RefusalKind::Expired, refusal.reason == reason::EXPIRED);
            assert_ne!(refusal.kind, RefusalKind::Missing);
            if let Some(signature) = token.split('.').nth(2).filter(|part| part.len() > 8) {
                assert!(!format!("{refusal:?}").contains(signature), "{refusal:?}");
            }
            refusal.reason
        }
    }
}

async fn user_of(verifier: &Verifier, token: &str) -> String {
    verifier
        .verify(token, now(0))
        .await
        .unwrap_or_else(|rejection| panic!("{rejection:?}: {token}"))
        .user
        .to_string()
}

/// The refusal of a token at this time.
async fn refusal_at(verifier: &Verifier, token: &str, at: Timestamp) -> Refusal {
    match verifier.verify(token, at).await {
        Err(Rejection::Refused(refusal)) => refusal,
        verdict => panic!("{verdict:?}: {token}"),
    }
}

/// Checks payloads, each with the plainest HS256 header.
async fn refuse_payloads(verifier: &Verifier, payloads: &[&str], reason: &str) {
    for payload in payloads {
        assert_eq!(reason_of(verifier, &hs256(r#"{"alg":"HS256"}"#, payload)).await, reason, "{payload}");
    }
}

/// Checks headers, each over the accepted payload.
async fn refuse_headers(verifier: &Verifier, headers: &[&str], reason: &str) {
    for header in headers {
        assert_eq!(reason_of(verifier, &hs256(header, &payload().to_string())).await, reason, "{header}");
    }
}

#[tokio::test]
async fn tokens_of_the_shared_secret_are_accepted() {
    let verifier = with(&config_with_secret());
    let exp = NOW + 600;
    for (payload, user) in [
        (json!({"sub": "ann", "exp": exp}), "ann"),
        (json!({"userId": "ann", "exp": exp}), "ann"),
        (json!({"user_id": "ann", "exp": exp}), "ann"),
        (json!({"sub": "ann", "userId": "ann", "exp": exp}), "ann"),
        (json!({"sub": 42, "exp": exp}), "42"),
        (json!({"sub": -7, "user_id": "-7", "exp": exp}), "-7"),
        (json!({"sub": u64::MAX, "exp": exp}), "18446744073709551615"),
        (json!({"sub": "ann", "iss": "anything", "aud": ["what", "ever"], "exp": exp}), "ann"),
        (json!({"sub": "ann", "exp": exp as f64 + 0.5}), "ann"),
        (
            json!({"sub": "Ä / ann@example.test 👩", "exp": exp, "nested": {"deep": [1, {"x": null}]}}),
            "Ä / ann@example.test 👩",
        ),
        (json!({"sub": "ä".repeat(255), "exp": exp}), &"ä".repeat(255)),
    ] {
        assert_eq!(user_of(&verifier, &hs256_claims(&payload)).await, user);
    }
    for header in [
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","kid":"any"}"#,
        r#" { "alg" : "HS256" , "x": 1 } "#,
    ] {
        assert_eq!(user_of(&verifier, &hs256(header, &payload().to_string())).await, "ann", "{header}");
    }
}

#[tokio::test]
async fn tokens_of_every_kind_of_public_key_are_accepted() {
    for signer in Signer::all() {
        let verifier = with(&config_with_key(&signer));
        assert_eq!(user_of(&verifier, &signer.claims(&payload())).await, "ann", "{}", signer.algorithm());
        let through_pem = AuthConfig {
            public_key: Some(pem::public_key(&signer.pem()).unwrap()),
            ..config_with_key(&signer)
        };
        assert_eq!(
            user_of(&with(&through_pem), &signer.claims(&payload())).await,
            "ann",
            "{}",
            signer.algorithm()
        );
        let mut bytes = signer.claims(&payload()).into_bytes();
        let in_signature = bytes.len() - 20;
        bytes[in_signature] = if bytes[in_signature] == b'A' { b'B' } else { b'A' };
        assert_eq!(reason_of(&verifier, &String::from_utf8(bytes).unwrap()).await, reason::SIGNATURE);
    }
    let signer = Signer::ed25519();
    let renamed = signer.token(r#"{"alg":"Ed25519","kid":"k"}"#, &payload().to_string());
    assert_eq!(user_of(&with(&config_with_key(&signer)), &renamed).await, "ann");
}

#[tokio::test]
async fn the_form_has_one_spelling() {
    let verifier = with(&config_with_secret());
    let token = hs256_claims(&payload());
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    // 32 bytes leave four unused bits in the last character: `A` may stand for `A` only.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let twin = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let malleable = format!("{}{twin}", &token[..token.len() - 1]);
    for text in [
        String::new(),
        "a".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{token}."),
        format!("{token}.x"),
        format!("{header}.{payload}.{signature}.x.y"),
        format!("{token}="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}==.{signature}"),
        malleable,
        format!("{token}\n"),
        format!(" {token}"),
        format!("{header}. {payload}.{signature}"),
        format!("{header}.{payload}.{}+", &signature[..42]),
        format!("{header}.{payload}.{}/", &signature[..42]),
        "undefined".to_owned(),
        "null".to_owned(),
        "[object Object]".to_owned(),
    ] {
        let reason = reason_of(&verifier, &text).await;
        assert_eq!(reason, reason::MALFORMED, "{text:?}");
    }
    assert_eq!(reason_of(&verifier, &"a".repeat(16 * 1024 + 1)).await, reason::TOO_LONG);
}

#[tokio::test]
async fn session_tokens_are_told_apart() {
    let verifier = with(&config_with_secret());
    for text in [
        "abcdefghijklmnopqrstuvwxyz012345",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_2345",
        "abcdefghijklmnopqrstuvwxyz012345.qXv0T2Qy0lLrXbX8nIYl1V3gk9yqT0vJ8k7y7bqXv0Q=",
        "abcdefghijklmnopqrstuvwxyz012345.qXv0T2Qy0lLrXbX8nIYl1V3gk9yqT0vJ8k7y7bqXv0Q%3D",
    ] {
        let refusal = refusal_at(&verifier, text, now(0)).await;
        assert_eq!(refusal.reason, reason::SESSION_TOKEN, "{text}");
        assert!(refusal.detail.unwrap().contains("GET /api/auth/token"));
    }
    assert_eq!(reason_of(&verifier, "abcdefghijklmnopqrstuvwxyz01234").await, reason::MALFORMED);
}

#[tokio::test]
async fn headers_are_read_strictly() {
    let verifier = with(&config_with_secret());
    refuse_headers(
        &verifier,
        &[
            "[]",
            "\"HS256\"",
            "null",
            "{}",
            "x",
            r#"{"alg":"HS256""#,
            r#"{"alg":"HS256"}{}"#,
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"{"alg":"none","alg":"HS256"}"#,
            r#"{"alg":"HS256","typ":"JWT","typ":"JWT"}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":null}"#,
            r#"{"alg":256}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","typ":null}"#,
            "\u{feff}{\"alg\":\"HS256\"}",
        ],
        reason::HEADER,
    )
    .await;
    refuse_headers(
        &verifier,
        &[
            r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","crit":null}"#,
            r#"{"alg":"HS256","b64":true}"#,
            r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#,
            r#"{"alg":"HS256","zip":"DEF"}"#,
            r#"{"alg":"HS256","enc":"A128GCM"}"#,
            r#"{"alg":"HS256","cty":"JWT"}"#,
        ],
        reason::HEADER_MEMBER,
    )
    .await;
    refuse_headers(
        &verifier,
        &[
            r#"{"alg":"HS256","typ":""}"#,
            r#"{"alg":"HS256","typ":"JWE"}"#,
            r#"{"alg":"HS256","typ":"JWT "}"#,
            r#"{"alg":"HS256","typ":"logout+jwt"}"#,
            r#"{"alg":"HS256","typ":"id+jwt"}"#,
            r#"{"alg":"HS256","typ":"dpop+jwt"}"#,
            r#"{"alg":"HS256","typ":"better-auth.session-cache+jwt"}"#,
        ],
        reason::TYPE,
    )
    .await;
}

#[tokio::test]
async fn only_the_algorithms_of_the_keys_are_taken() {
    let verifier = with(&config_with_secret());
    let unsigned = format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(payload().to_string()));
    assert_eq!(reason_of(&verifier, &unsigned).await, reason::MALFORMED);
    refuse_headers(
        &verifier,
        &[
            r#"{"alg":"none"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"NONE"}"#,
            r#"{"alg":""}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS384"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"ES256"}"#,
            r#"{"alg":"EdDSA"}"#,
            r#"{"alg":"ES256K"}"#,
        ],
        reason::ALGORITHM,
    )
    .await;
}

#[tokio::test]
async fn one_key_one_algorithm() {
    let text = payload().to_string();
    for (signer, others) in [
        (Signer::p256(), ["ES384", "ES512", "EdDSA", "RS256", "HS256"]),
        (Signer::p384(), ["ES256", "ES512", "EdDSA", "PS256", "HS256"]),
        (Signer::ed25519(), ["ES256", "ES512", "RS256", "PS512", "HS256"]),
        (Signer::rsa(), ["ES256", "EdDSA", "Ed25519", "HS256", "HS512"]),
    ] {
        let verifier = with(&config_with_key(&signer));
        for other in others {
            let token = signer.token(&json!({"alg": other}).to_string(), &text);
            assert_eq!(
                reason_of(&verifier, &token).await,
                reason::ALGORITHM,
                "{} as {other}",
                signer.algorithm()
            );
        }
    }
    // RSA has six algorithms; a signature of one is none of another, and a configured one excludes the rest.
    let rsa = Signer::rsa();
    let mut config = config_with_key(&rsa);
    for other in ["RS384", "RS512", "PS256", "PS384", "PS512"] {
        let token = rsa.token(&json!({"alg": other}).to_string(), &text);
        assert_eq!(reason_of(&with(&config), &token).await, reason::SIGNATURE, "{other}");
    }
    config.algorithms = Some(vec![Algorithm::Ps256]);
    assert_eq!(reason_of(&with(&config), &rsa.claims(&payload())).await, reason::ALGORITHM);
    config.algorithms = Some(vec![Algorithm::Rs256]);
    assert_eq!(user_of(&with(&config), &rsa.claims(&payload())).await, "ann");
}

#[tokio::test]
async fn a_public_key_is_never_an_hmac_key() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519()] {
        let only_key = with(&config_with_key(&signer));
        let both = with(&AuthConfig { secret: Some(secret()), ..config_with_key(&signer) });
        let text = signer.pem();
        for key in [
            text.clone().into_bytes(),
            text.trim().as_bytes().to_vec(),
            text.replace('\n', "\\n").into_bytes(),
            text.replace('\n', "\r\n").into_bytes(),
            text.lines().filter(|line| !line.starts_with('-')).collect::<String>().into_bytes(),
            signer.spki(),
            signer.material(),
            Vec::new(),
        ] {
            let token = hs256_over(&key, r#"{"alg":"HS256"}"#, &payload().to_string());
            assert_eq!(reason_of(&only_key, &token).await, reason::ALGORITHM);
            assert_eq!(reason_of(&both, &token).await, reason::SIGNATURE);
        }
        assert_eq!(user_of(&both, &hs256_claims(&payload())).await, "ann", "both sources at once");
        assert_eq!(user_of(&both, &signer.claims(&payload())).await, "ann", "both sources at once");
    }
}

#[tokio::test]
async fn a_token_does_not_bring_its_key() {
    let (ours, theirs) = (Signer::ed25519(), Signer::ed25519());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(theirs.material())});
    let header = json!({"alg": "EdDSA", "jwk": jwk, "jku": "https://evil.test/jwks", "x5u": "https://evil.test", "x5c": ["AA"]});
    let verifier = with(&config_with_key(&ours));
    let token = theirs.token(&header.to_string(), &payload().to_string());
    assert_eq!(reason_of(&verifier, &token).await, reason::SIGNATURE);
    let token = ours.token(&header.to_string(), &payload().to_string());
    assert_eq!(user_of(&verifier, &token).await, "ann", "the header's keys are not looked at");
}

#[tokio::test]
async fn degenerate_signatures_are_refused() {
    let signed = |alg: &str| {
        format!("{}.{}", base64url(json!({"alg": alg}).to_string()), base64url(payload().to_string()))
    };
    for (signer, half) in [(Signer::p256(), 32), (Signer::p384(), 48), (Signer::p521(), 66)] {
        let verifier = with(&config_with_key(&signer));
        let good = signer.sign(signed(signer.algorithm()).as_bytes());
        let mut r_zero = good.clone();
        r_zero[..half].fill(0);
        let mut s_zero = good.clone();
        s_zero[half..].fill(0);
        let longer = [&[0], &good[..half], &[0], &good[half..]].concat();
        for signature in
            [vec![0; 2 * half], vec![0xff; 2 * half], r_zero, s_zero, longer, good[1..].to_vec(), vec![0]]
        {
            let token = format!("{}.{}", signed(signer.algorithm()), base64url(&signature));
            assert_eq!(reason_of(&verifier, &token).await, reason::SIGNATURE, "{}", signer.algorithm());
        }
    }
    let signer = Signer::ed25519();
    let verifier = with(&config_with_key(&signer));
    for signature in [vec![0; 64], vec![0xff; 64], vec![0; 63], vec![0; 65]] {
        let token = format!("{}.{}", signed("EdDSA"), base64url(&signature));
        assert_eq!(reason_of(&verifier, &token).await, reason::SIGNATURE);
    }
    let verifier = with(&config_with_secret());
    let good = hs256_claims(&payload());
    let signature = base64::Engine::decode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        good.rsplit('.').next().unwrap(),
    );
    let signature = signature.unwrap();
    for signature in [&signature[..31], &signature[..1], &[signature.as_slice(), &[0]].concat(), &[0; 32]] {
        let token = format!("{}.{}", signed("HS256"), base64url(signature));
        assert_eq!(reason_of(&verifier, &token).await, reason::SIGNATURE);
    }
}

#[tokio::test]
async fn forged_rsa_padding_is_refused() {
    let config = AuthConfig {
        public_key: Some(pem::public_key(EXPONENT_3).unwrap()),
        ..config_with_key(&Signer::rsa())
    };
    let verifier = with(&config);
    let signed = format!("{}.{}", base64url(r#"{"alg":"RS256"}"#), base64url(CUBED_PAYLOAD));
    assert_eq!(user_of(&verifier, &format!("{signed}.{GENUINE}")).await, "ann");
    let root = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, FORGED).unwrap();
    let padded = [vec![0; 256 - root.len()], root.clone()].concat();
    for signature in [padded, root, vec![0; 256], [vec![0; 255], vec![1]].concat(), vec![0xff; 256]] {
        let token = format!("{signed}.{}", base64url(&signature));
        assert_eq!(reason_of(&verifier, &token).await, reason::SIGNATURE);
    }
}

#[tokio::test]
async fn payloads_are_read_strictly() {
    let verifier = with(&config_with_secret());
    refuse_payloads(
        &verifier,
        &[
            "[]",
            "\"ann\"",
            "1",
            "null",
            "true",
            "x",
            r#"[{"sub":"ann","exp":1900000000}]"#,
            r#"{"sub":"ann","exp":1900000000}}"#,
            r#"{"sub":"ann","sub":"bob","exp":1900000000}"#,
            r#"{"sub":"ann","exp":1,"exp":1900000000}"#,
            r#"{"sub":"ann","exp":1900000000,"x":{"a":1,"a":2}}"#,
            r#"{"sub":"ann","su\u0062":"bob","exp":1900000000}"#,
            r#"{"sub":"ann","exp":1e400}"#,
            r#"{"sub":"ann","exp":NaN}"#,
            r#"{"sub":"ann","exp":Infinity}"#,
            r#"{"sub":"ann","exp":0x7fffffff}"#,
            "{\"sub\":\"ann\",\"exp\":1900000000,}",
            "\u{feff}{\"sub\":\"ann\",\"exp\":1900000000}",
        ],
        reason::PAYLOAD,
    )
    .await;
}

#[tokio::test]
async fn exp_is_a_number_that_is_there() {
    let verifier = with(&config_with_secret());
    refuse_payloads(
        &verifier,
        &[
            r#"{"sub":"ann"}"#,
            r#"{"sub":"ann","exp":null}"#,
            r#"{"sub":"ann","exp":"1900000000"}"#,
            r#"{"sub":"ann","exp":true}"#,
            r#"{"sub":"ann","exp":[1900000000]}"#,
            r#"{"sub":"ann","exp":{"$date":1900000000}}"#,
        ],
        reason::EXPIRY,
    )
    .await;
    refuse_payloads(
        &verifier,
        &[r#"{"sub":"ann","exp":0}"#, r#"{"sub":"ann","exp":-1e300}"#],
        reason::EXPIRED,
    )
    .await;
    for exp in ["1e300", "9223372036854775807", "18446744073709551615", "1800000900000"] {
        let token = hs256(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"ann","exp":{exp}}}"#));
        let verified = verifier.verify(&token, now(0)).await.unwrap();
        assert!(jiff::Timestamp::from_microsecond(verified.expires_at.micros()).is_ok(), "{exp}");
    }
}

#[tokio::test]
async fn both_clocks_may_be_30_seconds_apart() {
    let verifier = with(&config_with_secret());
    let token = hs256_claims(&json!({"sub": "ann", "nbf": NOW, "exp": NOW + 60}));
    let at = |micros: i64| Timestamp::from_micros(NOW * 1_000_000 + micros);
    let (second, verifier) = (1_000_000, &verifier);
    assert!(verifier.verify(&token, at(-30 * second)).await.is_ok());
    assert_eq!(refusal_at(verifier, &token, at(-30 * second - 1)).await.reason, reason::NOT_YET);
    assert!(verifier.verify(&token, at(60 * second)).await.is_ok());
    assert!(verifier.verify(&token, at(90 * second - 1)).await.is_ok());
    let expired = refusal_at(verifier, &token, at(90 * second)).await;
    assert_eq!((expired.kind, expired.reason), (RefusalKind::Expired, reason::EXPIRED));
    assert_eq!(refusal_at(verifier, &token, at(-3_600 * second)).await.reason, reason::NOT_YET);
    refuse_payloads(
        verifier,
        &[r#"{"sub":"ann","exp":1900000000,"nbf":"1"}"#, r#"{"sub":"ann","exp":1900000000,"nbf":null}"#],
        reason::NOT_BEFORE,
    )
    .await;
    let future = hs256_claims(&payload_with(json!({"iat": NOW + 600})));
    assert_eq!(user_of(verifier, &future).await, "ann", "a future iat is told to the log only");
}

#[tokio::test]
async fn an_expired_forgery_is_a_forgery() {
    let verifier = with(&config_with_secret());
    let expired = payload_with(json!({"exp": NOW - 3_600})).to_string();
    let forged = hs256_over(b"another secret of thirty-two bytes", r#"{"alg":"HS256"}"#, &expired);
    assert_eq!(reason_of(&verifier, &forged).await, reason::SIGNATURE);
}

#[tokio::test]
async fn a_public_key_needs_issuer_and_audience() {
    let signer = Signer::ed25519();
    let verifier = with(&config_with_key(&signer));
    for (changes, reason) in [
        (json!({"iss": null}), reason::ISSUER),
        (json!({"iss": [ISSUER]}), reason::ISSUER),
        (json!({"iss": {"x": ISSUER}}), reason::ISSUER),
        (json!({"iss": ""}), reason::ISSUER),
        (json!({"iss": "https://app.example.com/"}), reason::ISSUER),
        (json!({"iss": "https://evil.test"}), reason::ISSUER),
        (json!({"aud": null}), reason::AUDIENCE),
        (json!({"aud": []}), reason::AUDIENCE),
        (json!({"aud": [[ISSUER]]}), reason::AUDIENCE),
        (json!({"aud": [ISSUER, 1]}), reason::AUDIENCE),
        (json!({"aud": {"x": ISSUER}}), reason::AUDIENCE),
        (json!({"aud": "client-id"}), reason::AUDIENCE),
        (json!({"aud": 1}), reason::AUDIENCE),
    ] {
        assert_eq!(
            reason_of(&verifier, &signer.claims(&payload_with(changes.clone()))).await,
            reason,
            "{changes}"
        );
    }
    let several = payload_with(json!({"aud": ["other", ISSUER]}));
    assert_eq!(user_of(&verifier, &signer.claims(&several)).await, "ann");
    let refusal =
        refusal_at(&verifier, &signer.claims(&payload_with(json!({"iss": "https://b.test"}))), now(0)).await;
    let detail = refusal.detail.unwrap();
    assert_eq!(detail, r#"expected "https://app.example.com", the token has "https://b.test""#);
}

#[tokio::test]
async fn a_loopback_better_auth_has_three_names() {
    let signer = Signer::ed25519();
    let better_auth = config_with_set("http://localhost:3000").better_auth;
    let config =
        AuthConfig { better_auth, issuers: Vec::new(), audiences: Vec::new(), ..config_with_key(&signer) };
    let verifier = with(&config);
    for name in ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"] {
        let token = signer.claims(&payload_with(json!({"iss": name, "aud": name})));
        assert_eq!(user_of(&verifier, &token).await, "ann", "{name}");
    }
    let other_port =
        signer.claims(&payload_with(json!({"iss": "http://127.0.0.1:3001", "aud": "http://localhost:3000"})));
    assert_eq!(reason_of(&verifier, &other_port).await, reason::ISSUER);
}

#[tokio::test]
async fn the_shared_secret_asks_only_for_what_was_set_by_hand() {
    let better_auth = config_with_set("https://auth.example.com").better_auth;
    let implied = AuthConfig { better_auth, ..config_with_secret() };
    let bare = hs256_claims(&json!({"sub": "ann", "exp": NOW + 9}));
    assert_eq!(user_of(&with(&implied), &bare).await, "ann");
    let issuer = AuthConfig { issuers: vec!["a".to_owned(), "b".to_owned()], ..config_with_secret() };
    assert_eq!(reason_of(&with(&issuer), &bare).await, reason::ISSUER);
    let with_issuer = hs256_claims(&json!({"sub": "ann", "iss": "b", "exp": NOW + 9}));
    assert_eq!(user_of(&with(&issuer), &with_issuer).await, "ann");
    let audience = AuthConfig { audiences: vec!["api".to_owned()], ..config_with_secret() };
    assert_eq!(reason_of(&with(&audience), &with_issuer).await, reason::AUDIENCE);
}

#[tokio::test]
async fn other_tokens_of_the_same_secret_are_refused() {
    let verifier = with(&config_with_secret());
    let exp = NOW + 300;
    let mail = json!({"email": "ann@example.test", "iat": NOW, "exp": exp});
    let mail_change = json!({"email": "ann@example.test", "updateTo": "b@example.test", "exp": exp});
    let cookie = json!({"session": {"token": "x", "userId": "ann"}, "user": {"id": "ann", "email": "a@b.test"}, "exp": exp});
    for payload in [&mail, &mail_change, &cookie] {
        assert_eq!(reason_of(&verifier, &hs256_claims(payload)).await, reason::NO_USER, "{payload}");
    }
    let opted_in = AuthConfig {
        user_id_claims: UserIdClaims::parse(vec!["sub".to_owned(), "user.id".to_owned()]).unwrap(),
        ..config_with_secret()
    };
    let opted_in = with(&opted_in);
    assert_eq!(user_of(&opted_in, &hs256_claims(&cookie)).await, "ann");
    let verified = opted_in.verify(&hs256_claims(&cookie), now(0)).await.unwrap();
    assert_eq!(verified.email.as_deref(), Some("a@b.test"), "what describes the user stands beside the id");
    let both = payload_with(
        json!({"email": "own@b.test", "user": {"id": "ann", "email": "a@b.test", "name": "Ann"}}),
    );
    let verified = opted_in.verify(&hs256_claims(&both), now(0)).await.unwrap();
    assert_eq!((verified.email.as_deref(), verified.name.as_deref()), (Some("own@b.test"), Some("Ann")));
    let other = payload_with(json!({"user": {"id": "bob"}}));
    assert_eq!(reason_of(&opted_in, &hs256_claims(&other)).await, reason::USERS);
    let typed = hs256(r#"{"alg":"HS256","typ":"better-auth.session-cache+jwt"}"#, &cookie.to_string());
    assert_eq!(user_of(&opted_in, &typed).await, "ann");
    assert_eq!(reason_of(&verifier, &typed).await, reason::TYPE);
    assert_eq!(reason_of(&opted_in, &hs256_claims(&mail)).await, reason::NO_USER);
    // The jwt() plugin may sign the cookie with its own key, for an audience of its own.
    let signer = Signer::ed25519();
    let header = r#"{"alg":"EdDSA","kid":"k1","typ":"better-auth.session-cache+jwt"}"#;
    let cookie = payload_with(json!({"user": {"id": "ann"}, "aud": "better-auth:session-cache"})).to_string();
    let mut config = config_with_key(&signer);
    assert_eq!(reason_of(&with(&config), &signer.token(header, &cookie)).await, reason::TYPE);
    config.user_id_claims = UserIdClaims::parse(vec!["sub".to_owned(), "user.id".to_owned()]).unwrap();
    assert_eq!(reason_of(&with(&config), &signer.token(header, &cookie)).await, reason::AUDIENCE);
    config.audiences.push("better-auth:session-cache".to_owned());
    assert_eq!(user_of(&with(&config), &signer.token(header, &cookie)).await, "ann");
    let bound = payload_with(json!({"cnf": {"jkt": "x"}}));
    assert_eq!(reason_of(&verifier, &hs256_claims(&bound)).await, reason::BOUND);
    refuse_payloads(&verifier, &[r#"{"sub":"ann","exp":1900000000,"cnf":null}"#], reason::BOUND).await;
}

#[tokio::test]
async fn a_user_id_is_a_plain_text() {
    let verifier = with(&config_with_secret());
    let exp = NOW + 300;
    for id in [
        json!(""),
        json!(null),
        json!(true),
        json!(1.5),
        json!(1e3),
        json!(["ann"]),
        json!({"id": "ann"}),
        json!("a\nb"),
        json!("a\u{0}"),
        json!("\u{7f}"),
        json!("\u{85}"),
        json!("x".repeat(256)),
    ] {
        for claim in ["sub", "userId", "user_id"] {
            let token = hs256_claims(&json!({claim: id, "exp": exp}));
            assert_eq!(reason_of(&verifier, &token).await, reason::USER, "{claim}: {id}");
        }
        let beside = hs256_claims(&json!({"sub": "ann", "userId": id, "exp": exp}));
        assert_eq!(reason_of(&verifier, &beside).await, reason::USER, "{id}");
    }
    for payload in [
        json!({"sub": "ann", "userId": "bob", "exp": exp}),
        json!({"sub": "1", "user_id": 2, "exp": exp}),
        json!({"userId": "ann", "user_id": "Ann", "exp": exp}),
    ] {
        assert_eq!(reason_of(&verifier, &hs256_claims(&payload)).await, reason::USERS, "{payload}");
    }
    let only = AuthConfig {
        user_id_claims: UserIdClaims::parse(vec!["uid".to_owned()]).unwrap(),
        ..config_with_secret()
    };
    assert_eq!(reason_of(&with(&only), &hs256_claims(&payload())).await, reason::NO_USER);
    assert_eq!(
        user_of(&with(&only), &hs256_claims(&json!({"uid": "u", "sub": "ann", "exp": exp}))).await,
        "u"
    );
}

#[tokio::test]
async fn describing_claims_never_make_a_token_fail() {
    let verifier = with(&config_with_secret());
    for (email, taken) in [
        (json!("ann@example.test"), true),
        (json!(5), false),
        (json!({"a": 1}), false),
        (json!("a\u{0}b"), false),
        (json!("x".repeat(5_000)), false),
    ] {
        let token = hs256_claims(&json!({"sub": "ann", "exp": NOW + 9, "email": email, "name": email}));
        let verified = verifier.verify(&token, now(0)).await.unwrap();
        assert_eq!((verified.email.is_some(), verified.name.is_some()), (taken, taken), "{email}");
    }
}

#[tokio::test]
async fn dev_tokens_count_in_dev_mode_only() {
    let token = hs256_claims(&payload());
    let dev = Verifier::new(&AuthConfig::default(), Some(secret())).unwrap();
    assert_eq!(user_of(&dev, &token).await, "ann");
    let signer = Signer::ed25519();
    let real = Verifier::new(&config_with_key(&signer), Some(secret())).unwrap();
    assert_eq!(reason_of(&real, &token).await, reason::ALGORITHM);
    let other = AuthConfig {
        secret: Some(Secret::new("another secret of thirty-two bytes")),
        ..AuthConfig::default()
    };
    assert_eq!(reason_of(&Verifier::new(&other, Some(secret())).unwrap(), &token).await, reason::SIGNATURE);
    let production = AuthConfig { production: true, ..AuthConfig::default() };
    assert!(Verifier::new(&production, Some(secret())).is_err());
    assert!(Verifier::new(&AuthConfig::default(), None).is_err());
    let without_names = AuthConfig { issuers: Vec::new(), ..config_with_key(&signer) };
    assert!(Verifier::new(&without_names, None).unwrap_err().contains("JWT_ISSUER"));
    let narrowed = AuthConfig {
        algorithms: Some(vec![Algorithm::EdDsa]),
        secret: Some(secret()),
        ..config_with_key(&signer)
    };
    assert_eq!(
        reason_of(&with(&narrowed), &token).await,
        reason::ALGORITHM,
        "JWT_ALGORITHM leaves the secret out"
    );
    assert_eq!(user_of(&with(&narrowed), &signer.claims(&payload())).await, "ann");
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_exp() {
    let verifier = with(&config_with_secret());
    let token = hs256_claims(&payload());
    for _ in 0..3 {
        assert_eq!(user_of(&verifier, &token).await, "ann");
    }
    let tampered = format!("{}{}", &token[..token.len() - 2], "AA");
    assert_ne!(tampered, token);
    assert_eq!(reason_of(&verifier, &tampered).await, reason::SIGNATURE);
    assert_eq!(refusal_at(&verifier, &token, now(930)).await.reason, reason::EXPIRED);
}

#[test]
fn debug_shows_no_secret() {
    let text = format!("{:?}", with(&config_with_secret()));
    assert!(!text.contains(SECRET), "{text}");
}

/// Like a token, with anything in its parts.
fn nearly_a_token() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<Vec<u8>>().prop_map(base64url),
        "[A-Za-z0-9_=-]{0,40}",
        Just(base64url(r#"{"alg":"HS256"}"#)),
        Just(base64url(r#"{"alg":"EdDSA","kid":"k"}"#)),
        Just(base64url(payload().to_string())),
        "\\PC{0,20}".prop_map(|text| base64url(json!({"alg": text}).to_string())),
    ];
    proptest::collection::vec(part, 0..5).prop_map(|parts| parts.join("."))
}

proptest! {
    #[test]
    fn nothing_arbitrary_is_accepted(text in prop_oneof![any::<String>(), nearly_a_token()]) {
        let signer = Signer::ed25519();
        let verifier = with(&AuthConfig { secret: Some(secret()), ..config_with_key(&signer) });
        prop_assert!(verifier.rules().check(&text, now(0)).is_err());
        let explanation = crate::auth::explain::explain(&verifier, &text, now(0));
        prop_assert!(!explanation.accepted);
    }

    #[test]
    fn a_signed_payload_never_panics(text in prop_oneof![any::<String>(), any_object()]) {
        let verifier = with(&config_with_secret());
        let token = hs256(r#"{"alg":"HS256"}"#, &text);
        let verdict = verifier.rules().check(&token, now(0));
        if let Ok(judged) = &verdict {
            prop_assert!(crate::auth::claims::is_user_id(judged.verified.user.as_str()));
        }
        prop_assert_eq!(crate::auth::explain::explain(&verifier, &token, now(0)).accepted, verdict.is_ok());
    }
}

/// An object of the claims that matter, with anything in them.
fn any_object() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(|text| json!(text)),
        Just(json!(NOW + 60)),
        Just(json!("ann")),
        Just(json!([ISSUER])),
        Just(Value::Null),
    ];
    let name =
        proptest::sample::select(vec!["exp", "nbf", "iat", "iss", "aud", "sub", "userId", "email", "name"]);
    proptest::collection::btree_map(name, value, 0..9).prop_map(|object| json!(object).to_string())
}
