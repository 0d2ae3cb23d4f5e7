//! One key of a set (RFC 7517 section 4): taken with the one algorithm that it may check, or dropped with the reason.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::auth::algorithm::Algorithm;
use crate::auth::keys::{KeyKind, PublicKey};
use crate::auth::pem::modulus_bits;

/// Reads a key. `x5c`, `x5u` and every private member are never looked at.
///
/// # Errors
/// Why the key is dropped; never a part of it.
pub(super) fn public_key(jwk: &Map<String, Value>, only: Option<&[Algorithm]>) -> Result<PublicKey, String> {
    let (kind, material) = match text(jwk, "kty")?.unwrap_or_default() {
        "OKP" => okp(jwk)?,
        "EC" => curve(jwk)?,
        "RSA" => rsa(jwk)?,
        // A secret that anybody can fetch is none.
        "oct" => return Err("a symmetric key is never taken from a set".to_owned()),
        _ => return Err("kty is none of OKP, EC, RSA".to_owned()),
    };
    check_purpose(jwk)?;
    let key_id = text(jwk, "kid")?.map(str::to_owned);
    let named = match text(jwk, "alg")? {
        None => kind.algorithms().to_vec(),
        Some(name) => match Algorithm::named(name).filter(|named| kind.algorithms().contains(named)) {
            Some(named) => vec![named],
            None => return Err("alg is none that a key of this kind checks".to_owned()),
        },
    };
    let wanted = |algorithm: &Algorithm| only.is_none_or(|only| only.contains(algorithm));
    let algorithms: Vec<_> = named.into_iter().filter(wanted).collect();
    if algorithms.is_empty() {
        return Err("JWT_ALGORITHM leaves it out".to_owned());
    }
    PublicKey::new(kind, &material, key_id, Some(&algorithms))
}

/// The key must be for signatures: `use` (RFC 7517 section 4.2) and `key_ops` (section 4.3), where they are there.
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), String> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err("use is not sig".to_owned());
    }
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|list| list.iter().any(|operation| operation == "verify"))
    };
    match jwk.get("key_ops") {
        Some(operations) if !verifies(operations) => Err("key_ops does not name verify".to_owned()),
        _ => Ok(()),
    }
}

/// An Ed25519 key (RFC 8037 section 2): 32 bytes.
fn okp(jwk: &Map<String, Value>) -> Result<(KeyKind, Vec<u8>), String> {
    match text(jwk, "crv")? {
        Some("Ed25519") => Ok((KeyKind::Ed25519, sized(jwk, "x", 32)?)),
        _ => Err("crv is not Ed25519".to_owned()),
    }
}

/// A point of a NIST curve (RFC 7518 section 6.2.1): both coordinates in full length.
fn curve(jwk: &Map<String, Value>) -> Result<(KeyKind, Vec<u8>), String> {
    let (kind, length) = match text(jwk, "crv")? {
        Some("P-256") => (KeyKind::P256, 32),
        Some("P-384") => (KeyKind::P384, 48),
        Some("P-521") => (KeyKind::P521, 66),
        _ => return Err("crv is none of P-256, P-384, P-521".to_owned()),
    };
    // SEC 1 section 2.3.3: 4 stands for an uncompressed point.
    let point = [vec![4], sized(jwk, "x", length)?, sized(jwk, "y", length)?].concat();
    Ok((kind, point))
}

/// An RSA key (RFC 7518 section 6.3.1) of 2048 to 8192 bits.
fn rsa(jwk: &Map<String, Value>) -> Result<(KeyKind, Vec<u8>), String> {
    let number = |name: &str| -> Result<Vec<u8>, String> {
        Ok(bytes(jwk, name)?.into_iter().skip_while(|byte| *byte == 0).collect())
    };
    let (n, e) = (number("n")?, number("e")?);
    let bits = modulus_bits(&n);
    if !(2048..=8192).contains(&bits) {
        return Err(format!("an RSA key of {bits} bits is not one of 2048 to 8192 bits"));
    }
    // With 1 every text is its own signature, and an even exponent has no inverse.
    if e.last().is_none_or(|last| last % 2 == 0) || e == [1] {
        return Err("e is no public exponent".to_owned());
    }
    let info: Result<PublicKeyX509Der<'_>, _> = RsaPublicKeyComponents { n, e }.as_der();
    let info = info.map_err(|_| "n and e are no RSA key".to_owned())?;
    Ok((KeyKind::Rsa, info.as_ref().to_vec()))
}

/// A member that must be text where it is there.
fn text<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<Option<&'j str>, String> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} is not a string")),
    }
}

/// A member of canonical base64url.
fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let text = text(jwk, name)?.ok_or_else(|| format!("there is no {name}"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("{name} is not base64url"))
}

/// Bytes of exactly this many.
fn sized(jwk: &Map<String, Value>, name: &str, length: usize) -> Result<Vec<u8>, String> {
    let bytes = bytes(jwk, name)?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(format!("{name} has {} bytes, not {length}", bytes.len()))
    }
}
