//! Keys and tokens for the tests of this room.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;

use super::keys::{KeyKind, PublicKey};
use crate::config::Secret;
use crate::config::auth::{AuthConfig, BetterAuth};
use crate::field::timestamp::Timestamp;

pub(super) mod auth_server;
pub(super) mod kept_log;

/// The tests' present, in seconds since the epoch.
pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const SECRET: &str = "q7Zr0gq0n3b8mXcQ1d2pT9vB4kL6sW5yE8uA0iO2fGh=";
pub(super) const ISSUER: &str = "https://app.example.com";

/// So many seconds after the tests' present.
pub(super) fn now(seconds: i64) -> Timestamp {
    Timestamp::from_micros((NOW + seconds) * 1_000_000)
}

pub(super) fn secret() -> Secret {
    Secret::new(SECRET)
}

pub(super) fn config_with_secret() -> AuthConfig {
    AuthConfig { secret: Some(secret()), ..AuthConfig::default() }
}

/// A configuration with a public key and its issuer and audience.
pub(super) fn config_with_key(signer: &Signer) -> AuthConfig {
    AuthConfig {
        public_key: Some(signer.public_key(None)),
        issuers: vec![ISSUER.to_owned()],
        audiences: vec![ISSUER.to_owned()],
        ..AuthConfig::default()
    }
}

/// A configuration with nothing but `BETTER_AUTH_URL`; the tokens' names stay the samples'.
pub(super) fn config_with_set(origin: &str) -> AuthConfig {
    let under = |name: &str| format!("{origin}/api/auth/{name}");
    AuthConfig {
        better_auth: Some(BetterAuth {
            key_set_url: under("jwks"),
            session_url: under("get-session"),
            origin: origin.to_owned(),
        }),
        issuers: vec![ISSUER.to_owned()],
        audiences: vec![ISSUER.to_owned()],
        ..AuthConfig::default()
    }
}

/// A payload that every configuration here accepts.
pub(super) fn payload() -> Value {
    json!({"sub": "ann", "iss": ISSUER, "aud": ISSUER, "iat": NOW, "exp": NOW + 900})
}

/// The accepted payload with some members put in; `null` takes one out.
pub(super) fn payload_with(changes: Value) -> Value {
    let mut payload = payload();
    let (Value::Object(object), Value::Object(changes)) = (&mut payload, changes) else {
        panic!("two objects")
    };
    for (name, value) in changes {
        match value {
            Value::Null => object.remove(&name),
            value => object.insert(name, value),
        };
    }
    payload
}

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An HS256 token with this text as header and this text as payload, over the key's bytes.
pub(super) fn hs256_over(key: &[u8], header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(payload));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    let signature = base64url(aws_lc_rs::hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// An HS256 token over the sample secret.
pub(super) fn hs256(header: &str, payload: &str) -> String {
    hs256_over(SECRET.as_bytes(), header, payload)
}

/// An HS256 token with the plainest header.
pub(super) fn hs256_claims(payload: &Value) -> String {
    hs256(r#"{"alg":"HS256"}"#, &payload.to_string())
}

/// A private key that signs as its algorithm says.
pub(super) enum Signer {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding, &'static str),
    Ecdsa(Box<EcdsaKeyPair>, KeyKind, &'static str),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Signer {
    pub(super) fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()), &RSA_PKCS1_SHA256, "RS256")
    }

    pub(super) fn rsa_pss() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()), &RSA_PSS_SHA256, "PS256")
    }

    pub(super) fn p256() -> Self {
        Self::ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, KeyKind::P256, "ES256")
    }

    pub(super) fn p384() -> Self {
        Self::ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, KeyKind::P384, "ES384")
    }

    pub(super) fn p521() -> Self {
        Self::ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING, KeyKind::P521, "ES512")
    }

    fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm, kind: KeyKind, name: &'static str) -> Self {
        Self::Ecdsa(Box::new(EcdsaKeyPair::generate(algorithm).unwrap()), kind, name)
    }

    pub(super) fn ed25519() -> Self {
        Self::Ed25519(Box::new(Ed25519KeyPair::generate().unwrap()))
    }

    pub(super) fn all() -> [Self; 6] {
        [Self::rsa(), Self::rsa_pss(), Self::p256(), Self::p384(), Self::p521(), Self::ed25519()]
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_, _, name) | Self::Ecdsa(_, _, name) => name,
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// The bare bytes of the public key.
    pub(super) fn material(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair, ..) => pair.public_key().as_ref().to_vec(),
            Self::Ecdsa(pair, ..) => pair.public_key().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The public key as SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(pair, ..) => pair.public_key().as_der().unwrap(),
            Self::Ecdsa(pair, ..) => pair.public_key().as_der().unwrap(),
            Self::Ed25519(pair) => pair.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    pub(super) fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }

    /// The public key as a member of a key set.
    pub(super) fn jwk(&self, key_id: &str) -> Value {
        let material = self.material();
        let mut jwk = match self {
            Self::Rsa(..) => {
                let (_, key) = RSAPublicKey::from_der(&material).unwrap();
                let part = |bytes: &[u8]| base64url(bytes.strip_prefix(&[0]).unwrap_or(bytes));
                json!({"kty": "RSA", "n": part(key.modulus), "e": part(key.exponent)})
            }
            Self::Ecdsa(_, kind, _) => {
                let curve = match kind {
                    KeyKind::P256 => "P-256",
                    KeyKind::P384 => "P-384",
                    _ => "P-521",
                };
                let (x, y) = material[1..].split_at(material.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
            }
            Self::Ed25519(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(material)}),
        };
        jwk["kid"] = json!(key_id);
        jwk["alg"] = json!(self.algorithm());
        jwk
    }

    pub(super) fn public_key(&self, key_id: Option<&str>) -> PublicKey {
        let kind = match self {
            Self::Rsa(..) => KeyKind::Rsa,
            Self::Ecdsa(_, kind, _) => *kind,
            Self::Ed25519(_) => KeyKind::Ed25519,
        };
        PublicKey::new(kind, &self.material(), key_id.map(str::to_owned), None).unwrap()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair, encoding, _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Ecdsa(pair, ..) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with this text as header and this text as payload.
    pub(super) fn token(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", base64url(header), base64url(payload));
        let signature = base64url(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token with the header that Better Auth writes.
    pub(super) fn claims(&self, payload: &Value) -> String {
        self.claims_by("k1", payload)
    }

    /// The same with another `kid`.
    pub(super) fn claims_by(&self, key_id: &str, payload: &Value) -> String {
        let header = json!({"alg": self.algorithm(), "kid": key_id});
        self.token(&header.to_string(), &payload.to_string())
    }
}

/// A PEM block.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
