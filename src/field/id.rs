//! Ids as they are written in paths.

use uuid::Uuid;

/// The UUID in its canonical form of 36 characters (RFC 9562, section 4), either case; nothing else: not in braces, not
/// as a URN, not without hyphens, because two spellings of one row would be two resources.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    let hyphened = text.len() == 36 && [8, 13, 18, 23].iter().all(|&place| text.as_bytes()[place] == b'-');
    if hyphened { Uuid::try_parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_form_in_either_case() {
        let id = "0198c2a4-7d1f-7abc-8def-0123456789ab";
        assert_eq!(parse_uuid(id).map(|id| id.to_string()).as_deref(), Some(id));
        assert_eq!(parse_uuid(&id.to_uppercase()), parse_uuid(id));
        for other in [
            "",
            "1",
            "{0198c2a4-7d1f-7abc-8def-0123456789ab}",
            "urn:uuid:0198c2a4-7d1f-7abc-8def-0123456789ab",
            "0198c2a47d1f7abc8def0123456789ab",
            "0198c2a4-7d1f-7abc-8def-0123456789a",
            "0198c2a4-7d1f-7abc-8def-0123456789ag",
            " 198c2a4-7d1f-7abc-8def-0123456789ab",
            "0198c2a47-d1f-7abc-8def-0123456789ab",
            "0198c2a4-7d1f-7abc-8def-0123456789ab\0",
            "0198c2a47d1f7abc8def0123456789abcdef",
            "é198c2a4-7d1f-7abc-8def-0123456789a",
        ] {
            assert_eq!(parse_uuid(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_the_text_itself(text in "[0-9a-fA-F-]{36}|\\PC{30,40}") {
            if let Some(id) = parse_uuid(&text) {
                prop_assert_eq!(id.to_string(), text.to_lowercase());
            }
        }

        #[test]
        fn every_id_is_accepted(id in any::<u128>()) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(parse_uuid(&id.to_string()), Some(id));
        }
    }
}
