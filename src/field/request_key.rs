//! The key under which a client repeats a request that must take place once.

use super::Invalid;

/// The header's name, as complaints call it.
const NAME: &str = "Idempotency-Key";
/// The longest key, in characters.
const LONGEST: usize = 255;

/// The key of a request, and what tells it from other requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// 1–255 printable characters.
    pub key: String,
    /// A hash of the method, the path and the body, in hexadecimal.
    pub fingerprint: String,
}

impl RequestKey {
    /// Reads the value of an `Idempotency-Key` header.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(value: &[u8]) -> Result<String, Invalid> {
        let text = std::str::from_utf8(value).unwrap_or_default().trim();
        let printable = !text.chars().any(char::is_control);
        if printable && (1..=LONGEST).contains(&text.chars().count()) {
            return Ok(text.to_owned());
        }
        Err(Invalid::one(NAME, format!("{NAME} must be 1 to {LONGEST} printable characters")))
    }

    /// What is said of a request with several keys.
    pub fn several() -> Invalid {
        Invalid::one(NAME, format!("{NAME} must be given once"))
    }

    /// What is said of a key that came with another request before.
    pub fn reused() -> Invalid {
        Invalid::one(NAME, format!("{NAME} was used for another request: send a new key with a new request"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn printable_characters_of_any_script() {
        for key in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", "mañana №7", &"x".repeat(255)]
        {
            assert_eq!(RequestKey::parse(key.as_bytes()).as_deref(), Ok(key));
        }
        assert_eq!(RequestKey::parse(b" padded ").as_deref(), Ok("padded"));
        for key in [&b""[..], b"  ", b"a\tb", b"\xff", b"a\x7f", "x".repeat(256).as_bytes()] {
            assert!(RequestKey::parse(key).is_err(), "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_printable_and_accepted_again(
            bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), "\\PC{0,300}".prop_map(String::into_bytes)],
        ) {
            if let Ok(key) = RequestKey::parse(&bytes) {
                prop_assert!((1..=LONGEST).contains(&key.chars().count()) && !key.chars().any(char::is_control));
                prop_assert_eq!(std::str::from_utf8(&bytes).map(str::trim), Ok(key.as_str()));
                prop_assert_eq!(RequestKey::parse(key.as_bytes()), Ok(key));
            }
        }
    }
}
