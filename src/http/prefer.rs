//! What a client prefers (RFC 7240): `Prefer: handling=strict, return=minimal`.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::fields::{is_token, split};

/// The request's header.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The answer's header: which preferences were kept.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The preferences that this server knows; the default is that of a request without the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `handling=strict`: what would be ignored is refused. `handling=lenient` is the default.
    pub strict: bool,
    /// `return=minimal`: no row in the answer to a write. `return=representation` is the default.
    pub minimal: bool,
}

impl Prefer {
    /// Reads the header, however many times it was sent. Of a preference given twice the first counts (RFC 7240,
    /// section 2), even when its value says nothing to us; what is unknown or malformed is ignored.
    pub fn of(headers: &HeaderMap) -> Self {
        let (mut handling, mut returned) = (None, None);
        for value in headers.get_all(PREFER) {
            for element in split(value.as_bytes(), b',') {
                let Some((name, value)) = preference(element) else { continue };
                if name.eq_ignore_ascii_case(b"handling") {
                    handling.get_or_insert(value);
                } else if name.eq_ignore_ascii_case(b"return") {
                    returned.get_or_insert(value);
                }
            }
        }
        let says = |preference: Option<Vec<u8>>, word: &[u8]| {
            preference.is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        Self { strict: says(handling, b"strict"), minimal: says(returned, b"minimal") }
    }

    /// Says in the answer that `handling=strict` was kept (section 3), beside what is said there already.
    pub fn say_strict(headers: &mut HeaderMap) {
        headers.append(PREFERENCE_APPLIED, HeaderValue::from_static("handling=strict"));
    }
}

/// A preference's name and value (empty: none), without its parameters; none for what is malformed.
fn preference(element: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let said = split(element, b';').next().unwrap_or_default();
    let mut sides = said.splitn(2, |byte| *byte == b'=');
    let name = sides.next().unwrap_or_default().trim_ascii();
    let value = sides.next().map_or(Some(Vec::new()), |value| word(value.trim_ascii()));
    is_token(name).then_some(name).zip(value)
}

/// A token or a quoted string (RFC 9110, section 5.6), unquoted; an empty one is no value at all.
fn word(text: &[u8]) -> Option<Vec<u8>> {
    if text.is_empty() || is_token(text) {
        return Some(text.to_vec());
    }
    let inside = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let (mut unquoted, mut bytes) = (Vec::new(), inside.iter().copied());
    while let Some(byte) = bytes.next() {
        unquoted.push(match byte {
            b'"' => return None,
            b'\\' => bytes.next()?,
            other => other,
        });
    }
    Some(unquoted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> (bool, bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let Prefer { strict, minimal } = Prefer::of(&headers);
        (strict, minimal)
    }

    #[test]
    fn without_the_header_the_defaults() {
        assert_eq!(Prefer::of(&HeaderMap::new()), Prefer::default());
        assert_eq!(read(&["handling=lenient, return=representation"]), (false, false));
    }

    #[test]
    fn a_preference_in_each_of_its_forms() {
        for value in [
            "handling=strict",
            "Handling=STRICT",
            "handling = strict",
            "handling=\"strict\"",
            "handling=\"str\\ict\"",
            " handling=strict ; because=x",
            "handling=strict;a=\"b,c;d\"",
            "respond-async, wait=10, handling=strict",
            "foo=\"a, handling=lenient\", handling=strict",
            "foo=\"\\\", handling=lenient\", handling=strict",
            ",, handling=strict ,",
            "foo; handling=lenient, handling=strict",
        ] {
            assert_eq!(read(&[value]), (true, false), "{value}");
        }
        assert_eq!(read(&["return=minimal"]), (false, true));
        assert_eq!(read(&["return=minimal, handling=strict"]), (true, true));
        assert_eq!(read(&["return=minimal", "handling=strict"]), (true, true));
    }

    #[test]
    fn the_first_one_counts() {
        assert!(!read(&["handling=lenient, handling=strict"]).0);
        assert!(read(&["handling=strict, handling=lenient"]).0);
        assert!(!read(&["handling=lenient", "handling=strict"]).0);
        assert!(!read(&["handling=sometimes, handling=strict"]).0);
        assert!(!read(&["handling, handling=strict"]).0);
        assert!(!read(&["return=representation, return=minimal"]).1);
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        for value in [
            "",
            "strict",
            "handling",
            "handling=",
            "handling=\"\"",
            "handling=strict more",
            "handling=\"strict",
            "handling=strict\"",
            "handling=\"st\"rict\"",
            "handling=strict=strict",
            "=strict",
            "hand ling=strict",
            "foo; handling=strict",
            "foo=\"a, handling=strict",
            "handling=strïct",
        ] {
            assert_eq!(read(&[value]), (false, false), "{value}");
        }
        assert!(read(&["(x), handling=strict"]).0, "the rest of the header counts");
    }

    #[test]
    fn what_was_kept_is_said_beside_what_was_said() {
        let mut headers = HeaderMap::new();
        headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("return=minimal"));
        Prefer::say_strict(&mut headers);
        let said: Vec<_> = headers.get_all(PREFERENCE_APPLIED).iter().collect();
        assert_eq!(said, ["return=minimal", "handling=strict"]);
    }

    proptest! {
        #[test]
        fn no_header_can_break_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = Prefer::of(&HeaderMap::from_iter([(PREFER, value)]));
            }
        }

        #[test]
        fn any_quoted_text_hides_what_is_in_it(text in "[ -~]{0,30}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let value = format!("a=\"{quoted}\"; b=\"{quoted}\", handling=strict");
            prop_assert_eq!(read(&[&value]), (true, false));
        }
    }
}
