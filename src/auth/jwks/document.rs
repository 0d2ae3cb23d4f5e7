//! A key set as it is published (RFC 7517 section 5).

use serde_json::Value;

use super::jwk;
use crate::auth::algorithm::Algorithm;
use crate::auth::keys::PublicKey;
use crate::auth::object;
use crate::auth::refusal::shown;

/// A set with more keys than this is refused whole.
pub const MOST_KEYS: usize = 256;

/// A published set, parsed.
#[derive(Debug)]
pub struct KeyDocument {
    /// The keys that can check signatures.
    pub keys: Vec<PublicKey>,
    /// Why each of the other keys was dropped: `"kid": reason`.
    pub dropped: Vec<String>,
}

impl KeyDocument {
    /// Reads a JSON object with a `keys` array, which may be empty. A key that cannot check signatures (a symmetric
    /// one, one for encryption, wrong coordinates …), or whose algorithms `only` leaves out, is dropped alone.
    ///
    /// # Errors
    /// Why the whole set is refused; never a part of it.
    pub fn parse(bytes: &[u8], only: Option<&[Algorithm]>) -> Result<Self, String> {
        let object = object::parse(bytes).map_err(|error| format!("the answer is no key set: {error}"))?;
        let Some(Value::Array(entries)) = object.get("keys") else {
            return Err("the answer is no key set: it has no array \"keys\"".to_owned());
        };
        if entries.len() > MOST_KEYS {
            return Err(format!("the set has {} keys, more than {MOST_KEYS}", entries.len()));
        }
        let (mut keys, mut dropped) = (Vec::new(), Vec::new());
        for entry in entries {
            let key = match entry {
                Value::Object(jwk) => jwk::public_key(jwk, only),
                _ => Err("it is no object".to_owned()),
            };
            match key {
                Ok(key) => keys.push(key),
                Err(reason) => dropped.push(format!("{}: {reason}", name(entry))),
            }
        }
        Ok(Self { keys, dropped })
    }

    /// Whether nothing at all is published.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.dropped.is_empty()
    }
}

/// How a message names a key.
fn name(entry: &Value) -> String {
    entry.get("kid").and_then(Value::as_str).map_or_else(|| "a key without kid".to_owned(), shown)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn member() -> impl Strategy<Value = Value> {
        prop_oneof![
            prop::sample::select(vec![
                "OKP", "EC", "RSA", "oct", "Ed25519", "P-256", "P-521", "sig", "ES256", "EdDSA", "AQAB"
            ])
            .prop_map(Value::from),
            prop::collection::vec(any::<u8>(), 30..70).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes).into()),
            prop::collection::vec(any::<u8>(), 32..33).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes).into()),
            prop::collection::vec(any::<u8>(), 256..258)
                .prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes).into()),
            "\\PC{0,400}".prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            Just(serde_json::json!(["verify"])),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_key_is_taken_or_dropped_with_a_short_reason(
            entries in prop::collection::vec(
                prop::collection::btree_map("kty|crv|x|y|n|e|alg|use|key_ops|kid", member(), 0..10), 0..6,
            ),
        ) {
            let text = serde_json::json!({ "keys": entries }).to_string();
            let set = KeyDocument::parse(text.as_bytes(), None).unwrap();
            prop_assert_eq!(set.keys.len() + set.dropped.len(), entries.len());
            prop_assert!(set.dropped.iter().all(|reason| reason.len() < 700), "{:?}", set.dropped);
        }

        #[test]
        fn no_answer_panics(text in "\\{?\"?keys\"?:?[\\[\\]{}\",:a-z0-9]{0,60}", bytes: Vec<u8>) {
            for answer in [text.as_bytes(), &bytes] {
                if let Err(told) = KeyDocument::parse(answer, None) {
                    prop_assert!(told.len() < 200, "{}", told);
                }
            }
        }
    }
}
