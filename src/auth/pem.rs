//! A public key from a PEM text (RFC 7468) as people paste it into a variable.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::keys::{KeyKind, PublicKey};

/// Reads an RSA (2048–8192 bits), P-256, P-384, P-521 or Ed25519 public key: SPKI (`PUBLIC KEY`), PKCS#1
/// (`RSA PUBLIC KEY`) or a certificate, of which only the key counts. Line breaks may be `\n` written out, or spaces.
///
/// # Errors
/// What is wrong and the cure, to be put after the variable's name; never a part of the text.
pub fn public_key(text: &str) -> Result<PublicKey, String> {
    let (label, der) = block(text)?;
    match label.as_str() {
        "PUBLIC KEY" => match SubjectPublicKeyInfo::from_der(&der) {
            Ok(([], info)) => from_info(&info),
            _ => Err(unreadable("a public key in SPKI form")),
        },
        "CERTIFICATE" => match X509Certificate::from_der(&der) {
            Ok(([], certificate)) => from_info(certificate.public_key()),
            _ => Err(unreadable("a certificate")),
        },
        "RSA PUBLIC KEY" => from_rsa(&der),
        label if label.ends_with("PRIVATE KEY") => Err(
            "holds a private key: this server needs the public key only (openssl pkey -in key.pem -pubout)"
                .to_owned(),
        ),
        _ => Err("must be a PEM block named PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE".to_owned()),
    }
}

fn unreadable(what: &str) -> String {
    format!("does not parse as {what}: paste the PEM whole, from -----BEGIN to -----END")
}

/// The label and the bytes of the only PEM block in a text.
fn block(text: &str) -> Result<(String, Vec<u8>), String> {
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let wrong = || unreadable("PEM");
    let after = text.trim().strip_prefix("-----BEGIN ").ok_or_else(wrong)?;
    let (label, after) = after.split_once("-----").ok_or_else(wrong)?;
    let (body, rest) = after.split_once(&format!("-----END {label}-----")).ok_or_else(wrong)?;
    if !rest.trim().is_empty() {
        return Err("must hold one PEM block and nothing after it".to_owned());
    }
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    Ok((label.to_owned(), STANDARD.decode(body).map_err(|_| wrong())?))
}

/// A key from SubjectPublicKeyInfo (RFC 5280 section 4.1; RFC 3279, RFC 5480, RFC 8410 for the kinds).
fn from_info(info: &SubjectPublicKeyInfo<'_>) -> Result<PublicKey, String> {
    let kind = info.algorithm.algorithm.to_id_string();
    let material = info.subject_public_key.data.as_ref();
    match kind.as_str() {
        "1.2.840.113549.1.1.1" => from_rsa(material),
        "1.3.101.112" => PublicKey::new(KeyKind::Ed25519, material, None, None),
        "1.2.840.10045.2.1" => {
            let curve = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            let curve = curve.map(|oid| oid.to_id_string()).unwrap_or_default();
            PublicKey::new(curve_kind(&curve)?, material, None, None)
        }
        _ => Err(unsupported()),
    }
}

fn curve_kind(curve: &str) -> Result<KeyKind, String> {
    match curve {
        "1.2.840.10045.3.1.7" => Ok(KeyKind::P256),
        "1.3.132.0.34" => Ok(KeyKind::P384),
        "1.3.132.0.35" => Ok(KeyKind::P521),
        _ => Err(unsupported()),
    }
}

fn unsupported() -> String {
    "is a kind of key that is not supported: use RSA, P-256, P-384, P-521 or Ed25519".to_owned()
}

/// An RSA key from PKCS#1 DER, when it is neither too short to be safe nor too long to be checked.
fn from_rsa(der: &[u8]) -> Result<PublicKey, String> {
    let Ok(([], key)) = RSAPublicKey::from_der(der) else { return Err(unreadable("an RSA public key")) };
    let bits = modulus_bits(key.modulus);
    match bits {
        2048..=8192 => PublicKey::new(KeyKind::Rsa, der, None, None),
        _ => Err(format!("is an RSA key of {bits} bits: use one of 2048 to 8192 bits")),
    }
}

/// The exact bit length of an RSA modulus; the parser's own figure counts whole bytes.
pub(super) fn modulus_bits(modulus: &[u8]) -> usize {
    let digits = modulus.iter().skip_while(|byte| **byte == 0);
    let first_zeros = digits.clone().next().map_or(0, |byte| byte.leading_zeros() as usize);
    digits.count() * 8 - first_zeros
}

#[cfg(test)]
mod tests;
