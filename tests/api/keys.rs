//! Public keys given as PEM: tokens that they sign are good over HTTP, and nothing else is.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use creatorvault::clock::Clock;
use serde_json::{Value, json};

use crate::harness::{Engine, User, World};

const ISSUER: &str = "https://auth.example.com";

enum Key {
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Key {
    fn make(algorithm: &str) -> Self {
        match algorithm {
            "RS256" => Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")),
            "ES256" => Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")),
            _ => Self::EdDsa(Ed25519KeyPair::generate().expect("a key")),
        }
    }

    fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rs256(pair) => pair.public_key().as_der(),
            Self::Es256(pair) => pair.public_key().as_der(),
            Self::EdDsa(pair) => pair.public_key().as_der(),
        }
        .expect("a public key");
        let body = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            Self::Es256(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn token(&self, algorithm: &str, payload: &Value) -> String {
        let signed = unsigned(algorithm, payload);
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

fn unsigned(algorithm: &str, payload: &Value) -> String {
    let header = json!({"alg": algorithm, "typ": "JWT"});
    [header.to_string(), payload.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}

fn payload(changes: &Value) -> Value {
    let now = Clock::system().now().micros() / 1_000_000;
    let mut payload = json!({"sub": "ann", "iss": ISSUER, "aud": ISSUER, "iat": now, "exp": now + 900});
    for (name, value) in changes.as_object().expect("an object") {
        payload[name] = value.clone();
    }
    payload
}

async fn a_pem_key_checks(algorithm: &str) {
    let (key, other) = (Key::make(algorithm), Key::make(algorithm));
    let pem = key.pem();
    // As it is pasted: with line breaks, or with `\n` written out.
    for variable in [pem.clone(), pem.replace('\n', "\\n")] {
        let vars = [("JWT_PUBLIC_KEY", variable.as_str()), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", ISSUER)];
        let world = World::open(Engine::Sqlite, &vars).await;
        let bearing = |token: String| User { id: "ann".to_owned(), token, address: world.address };
        let ann = bearing(key.token(algorithm, &payload(&json!({}))));
        let made = ann.tasks().create(json!({"title": "Signed"})).await.is(201);
        assert_eq!(made["user_id"], "ann");
        assert_eq!(ann.get("/api/v1/auth/verify").await.is(200)["id"], "ann");
        ann.get("/api/bob/tasks").await.is(403);

        let good = payload(&json!({}));
        let (head, signature) = ann.token.rsplit_once('.').expect("three parts");
        let twisted: String = signature.chars().rev().collect();
        let bobs = unsigned(algorithm, &payload(&json!({"sub": "bob"})));
        let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, pem.as_bytes());
        let confused = unsigned("HS256", &good);
        let by_the_pem = URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&hmac, confused.as_bytes()));
        for (what, token) in [
            ("another key", other.token(algorithm, &good)),
            ("a twisted signature", format!("{head}.{twisted}")),
            ("another payload", format!("{bobs}.{signature}")),
            ("no signature", format!("{head}.")),
            ("none", format!("{}.", unsigned("none", &good))),
            ("the public key as a secret", format!("{confused}.{by_the_pem}")),
            ("another issuer", key.token(algorithm, &payload(&json!({"iss": "https://evil.example"})))),
            ("another audience", key.token(algorithm, &payload(&json!({"aud": "https://evil.example"})))),
            (
                "no time left",
                key.token(algorithm, &payload(&json!({"exp": 1_000_000_000, "iat": 999_999_000}))),
            ),
            ("another algorithm's name", key.token("PS384", &good)),
        ] {
            let answer = bearing(token).get("/api/ann/tasks").await;
            assert_eq!(answer.status, 401, "{what}");
            answer.is(401);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rs256() {
    a_pem_key_checks("RS256").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn es256() {
    a_pem_key_checks("ES256").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eddsa() {
    a_pem_key_checks("EdDSA").await;
}
