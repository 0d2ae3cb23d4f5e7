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
