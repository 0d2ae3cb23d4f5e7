//! What a client would rather read (RFC 9110, section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

use super::fields::split;

/// How much a media type is wanted, in thousandths: 0 not at all, 1000 most.
type Quality = u16;

/// Whether errors should be written as `application/problem+json` (RFC 9457): only for a client that names this type
/// itself, and wants `application/json` no more than it.
pub(crate) fn wants_problems(headers: &HeaderMap) -> bool {
    let problem = quality(headers, &[b"application/problem+json"]);
    // The range that fits closest counts, so `*/*` beside it says nothing new of a type that is named.
    let json = quality(headers, &[b"application/json", b"application/*", b"*/*"]);
    problem.is_some_and(|problem| problem > 0 && json.is_none_or(|json| problem >= json))
}

/// The quality that the client gives to the first of these ranges that it names.
fn quality(headers: &HeaderMap, ranges: &[&[u8]]) -> Option<Quality> {
    ranges.iter().find_map(|range| {
        let values = headers.get_all(ACCEPT).iter();
        let named = values
            .flat_map(|value| split(value.as_bytes(), b','))
            .filter_map(|element| named(element, range));
        named.max()
    })
}

/// The quality of one element, when it names this range: 1000 unless it says another.
fn named(element: &[u8], range: &[u8]) -> Option<Quality> {
    let mut parts = split(element, b';').map(<[u8]>::trim_ascii);
    if !parts.next()?.eq_ignore_ascii_case(range) {
        return None;
    }
    let weight = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
    weight.map_or(Some(1_000), thousandths)
}

/// `0.5` is 500; none for what is no weight.
fn thousandths(text: &[u8]) -> Option<Quality> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !matches!(whole, "0" | "1") {
        return None;
    }
    format!("{whole}{decimals:0<3}").parse().ok().filter(|weight| *weight <= 1_000)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn asked(values: &[&'static str]) -> bool {
        wants_problems(&values.iter().map(|value| (ACCEPT, HeaderValue::from_static(value))).collect())
    }

    #[test]
    fn problems_for_those_who_name_them() {
        for yes in [
            "application/problem+json",
            "Application/Problem+JSON",
            "application/problem+json; charset=utf-8",
            "application/problem+json;q=0.001",
            "application/problem+json, application/json",
            "application/json, application/problem+json",
            "application/json;q=0.9, application/problem+json;q=0.9",
            "application/problem+json, */*",
            "application/problem+json;q=0.5, application/json;q=0.4, */*;q=0.9",
            "text/html, application/problem+json;q=0.3, */*;q=0.1",
            "application/problem+json;title=\"a, b;q=0\"",
            "application/problem+json;q=0, application/problem+json",
        ] {
            assert!(asked(&[yes]), "{yes}");
        }
        assert!(asked(&["application/json;q=0.5", "application/problem+json"]));
    }

    #[test]
    fn and_for_nobody_else() {
        for no in [
            "",
            "*/*",
            "application/*",
            "application/json",
            "application/json, */*",
            "application/problem+xml",
            "application/problem+json;q=0",
            "application/problem+json;q=0.000",
            "application/problem+json;q=0.5, application/json",
            "application/problem+json;q=0.5, */*",
            "application/problem+json;q=0.5, application/*;q=0.6, */*;q=0.1",
            "application/problem+json;q=x",
            "application/problem+json;q=2",
            "application/problem+json;q=1.001",
            "application/problem+json;q=-1",
            "application/problem+json;q=0.5555",
            "text/plain;x=\"application/problem+json, application/problem+json\"",
        ] {
            assert!(!asked(&[no]), "{no}");
        }
        assert!(!asked(&[]));
        assert!(!asked(&["application/json", "application/problem+json;q=0.5"]));
    }

    proptest! {
        #[test]
        fn no_header_can_break_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                wants_problems(&HeaderMap::from_iter([(ACCEPT, value)]));
            }
        }
    }
}
