//! Whether a body's Content-Type says JSON in UTF-8 (RFC 8259, section 11; RFC 7396 for a merge patch).

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method};

use crate::http::error::ApiError;

/// Ok for JSON and for no type at all; a PATCH may say merge patch too, for that is what it is.
pub(super) fn check(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let coded = |value: &http::HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(coded) {
        return Err(unsupported("Content-Encoding must be left out: send the body as it is"));
    }
    let mut sent = headers.get_all(CONTENT_TYPE).iter();
    let Some(first) = sent.next() else { return Ok(()) };
    if sent.next().is_some() {
        return Err(unsupported("Content-Type must be given once"));
    }
    // What is not even ASCII is no type of ours, and becomes an empty text.
    let mut parts = first.to_str().unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let json = essence.eq_ignore_ascii_case("application/json");
    let merge_patch = method == Method::PATCH && essence.eq_ignore_ascii_case("application/merge-patch+json");
    if !json && !merge_patch {
        return Err(unsupported(if method == Method::PATCH {
            "Content-Type must be application/json or application/merge-patch+json"
        } else {
            "Content-Type must be application/json"
        }));
    }
    if parts.all(is_harmless) { Ok(()) } else { Err(unsupported("The charset must be UTF-8")) }
}

/// Any parameter but a charset other than UTF-8.
fn is_harmless(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return true };
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset")
        || value.eq_ignore_ascii_case("utf-8")
        || value.eq_ignore_ascii_case("utf8")
}

fn unsupported(text: &str) -> ApiError {
    ApiError::UnsupportedMediaType(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use http::HeaderValue;

    use super::*;

    fn accepts(method: &Method, kinds: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for kind in kinds {
            headers.append(CONTENT_TYPE, HeaderValue::from_bytes(kind.as_bytes()).unwrap());
        }
        check(method, &headers).is_ok()
    }

    #[test]
    fn json_in_utf_8_or_nothing() {
        for kind in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json ; Charset = utf8",
            "application/json; profile=x",
            "application/json;",
        ] {
            assert!(accepts(&Method::POST, &[kind]), "{kind}");
        }
        assert!(accepts(&Method::POST, &[]));
        for kind in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonx",
            "application/vnd.api+json",
            "text/json",
            "application/json; charset=utf-16",
            "application/json; charset=latin1",
            "application/json; a=b; charset=us-ascii",
            "*/*",
            "json",
            "é",
        ] {
            assert!(!accepts(&Method::POST, &[kind]), "{kind}");
        }
        assert!(!accepts(&Method::POST, &["application/json", "application/json"]));
    }

    #[test]
    fn a_merge_patch_belongs_to_patch() {
        assert!(accepts(&Method::PATCH, &["application/merge-patch+json; charset=utf-8"]));
        assert!(accepts(&Method::PATCH, &["application/json"]));
        assert!(!accepts(&Method::POST, &["application/merge-patch+json"]));
        assert!(!accepts(&Method::PATCH, &["application/json-patch+json"]));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_says_json_in_utf_8(
            bytes in "(application/|text/)?(json|merge-patch\\+json|x)?( ?; ?(charset|a)?=?\"?(utf-?8|UTF-8|latin1)?\"?){0,3}"
                .prop_map(String::into_bytes)
                .boxed()
                .prop_union(prop::collection::vec(0x20_u8.., 0..60).boxed()),
            patch: bool,
        ) {
            prop_assume!(!bytes.contains(&0x7f));
            let method = if patch { Method::PATCH } else { Method::POST };
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_TYPE, HeaderValue::from_bytes(&bytes).unwrap());
            if check(&method, &headers).is_ok() {
                let text = String::from_utf8(bytes).unwrap().to_lowercase();
                let json = text.starts_with("application/json");
                prop_assert!(json || (patch && text.starts_with("application/merge-patch+json")), "{}", text);
                prop_assert!(!text.replace(' ', "").contains("charset=latin1"), "{}", text);
            }
        }
    }
}
