//! The `key=value` part of a database URL and its percent-encoding.

use percent_encoding::percent_decode_str;

/// One part of a URL after percent-decoding.
pub(super) fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| "must be UTF-8 after percent-decoding".to_owned())
}

/// The pairs of a query, decoded, in their order; keys in lower case.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode(key)?.to_ascii_lowercase(), decode(value)?))
        })
        .collect()
}

/// The warning about a key that nothing is done with; a key that is no plain word is not repeated.
pub(super) fn ignored(key: &str) -> String {
    let plain = (1..=40).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if plain {
        format!("has the key {key}, which is ignored")
    } else {
        "has an unknown key, which is ignored".to_owned()
    }
}

/// `true`/`false` and their kin.
pub(super) fn switch(key: &str, value: &str) -> Result<bool, String> {
    crate::config::parse_switch(value).map_err(|_| format!("has a {key} that is neither true nor false"))
}
