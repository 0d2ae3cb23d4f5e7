//! Which version of which row: what an entity tag says (RFC 9110, section 8.8.3).

use std::fmt::Write;

use serde_json::Value;
use uuid::Uuid;

use super::form::Field;
use super::id::parse_uuid;

/// One version of one row. Its text is the row's id and version, because a version alone is no name: two users of one
/// browser share the address `/api/tasks/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowVersion {
    /// The row's id.
    pub id: Uuid,
    /// Its `version`.
    pub version: i64,
}

impl RowVersion {
    /// The entity tag, in its quotes, of this version in one of its forms: `form` is empty or names the settings that
    /// change the row's JSON.
    pub fn tag(self, form: &str) -> String {
        let mut tag = format!("\"{}-{}", self.id, self.version);
        if !form.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(tag, ".{form}");
        }
        tag.push('"');
        tag
    }

    /// Reads what stands between an entity tag's quotes, whatever the form: it is the row that must be the same.
    fn parse(text: &str) -> Option<Self> {
        let text = text.split_once('.').map_or(text, |(version, _form)| version);
        let (id, version) = (text.get(..36)?, text.get(36..)?.strip_prefix('-')?);
        let plain = version.bytes().all(|byte| byte.is_ascii_digit()) && !version.starts_with('0');
        Some(Self { id: parse_uuid(id)?, version: version.parse().ok().filter(|_| plain)? })
    }
}

/// As many versions are looked at; a row that only a later one would name is refused, not overwritten.
const MOST: usize = 50;

/// What a row must be for a write to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// `*`: it must be there.
    Any,
    /// One of these versions; none at all can be met by no row.
    OneOf(Vec<RowVersion>),
}

impl Expected {
    /// Reads the value of an `If-Match` (RFC 9110, section 13.1.1). A `W/` that a proxy has put on is passed over; a tag
    /// that this server did not make matches nothing.
    pub fn parse(value: &str) -> Self {
        // Sent in several lines it is a list of stars.
        if value.split(',').all(|part| part.trim() == "*") {
            return Self::Any;
        }
        let mut versions = Vec::new();
        for version in tags(value).into_iter().filter_map(RowVersion::parse) {
            if versions.len() < MOST && !versions.contains(&version) {
                versions.push(version);
            }
        }
        Self::OneOf(versions)
    }

    /// Whether a row of this version meets it.
    pub fn is_met_by(&self, version: RowVersion) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

impl Field for Expected {
    fn parse(label: &str, value: &Value) -> Result<Self, String> {
        value.as_str().map(Self::parse).ok_or_else(|| format!("{label} must be a string"))
    }
}

/// Whether the value of an `If-None-Match` names this entity tag, or any (RFC 9110, section 13.1.2): a weak comparison.
pub fn names(value: &str, tag: &str) -> bool {
    value.trim() == "*"
        || tags(value).iter().any(|named| Some(*named) == tag.get(1..tag.len().saturating_sub(1)))
}

/// What stands between the quotes of each entity tag of a list.
fn tags(value: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = value;
    while let Some((_, begun)) = rest.split_once('"') {
        let Some((tag, after)) = begun.split_once('"') else { break };
        tags.push(tag);
        rest = after;
    }
    tags
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0198c2a4-7d1f-7abc-8def-0123456789ab";

    fn version(version: i64) -> RowVersion {
        RowVersion { id: parse_uuid(ID).unwrap(), version }
    }

    #[test]
    fn a_tag_is_read_back_in_any_form() {
        for form in ["", "n", "ni"] {
            let tag = version(7).tag(form);
            for value in
                [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag} , W/\"y\""), tag.to_uppercase()]
            {
                let expected = Expected::parse(&value);
                assert!(expected.is_met_by(version(7)), "{value}");
                assert!(!expected.is_met_by(version(8)), "{value}");
                assert!(!expected.is_met_by(RowVersion { id: Uuid::nil(), version: 7 }), "{value}");
            }
        }
        assert_eq!(version(7).tag(""), format!("\"{ID}-7\""));
        assert!(Expected::parse(" * ").is_met_by(version(1)));
        assert!(Expected::parse("*,*").is_met_by(version(1)));
    }

    #[test]
    fn what_this_server_did_not_make_matches_nothing() {
        for value in [
            "",
            ID,
            "\"\"",
            "\"7\"",
            "\"*\"",
            &format!("\"{ID}\""),
            &format!("\"{ID}-\""),
            &format!("\"{ID}-07\""),
            &format!("\"{ID}-+7\""),
            &format!("\"{ID}-99999999999999999999\""),
            &format!("{ID}-7"),
            &format!("\"{ID}-7"),
        ] {
            assert_eq!(Expected::parse(value), Expected::OneOf(vec![]), "{value}");
        }
    }

    #[test]
    fn a_long_list_stays_a_short_condition() {
        let list: Vec<String> = (1..=2_000).map(|i| version(i % 70 + 1).tag("")).collect();
        let Expected::OneOf(versions) = Expected::parse(&list.join(",")) else { panic!("no list") };
        assert_eq!(versions.len(), MOST);
    }

    #[test]
    fn an_unchanged_row_is_named_in_its_own_form_only() {
        let tag = version(7).tag("n");
        for value in ["*".to_owned(), tag.clone(), format!("W/{tag}"), format!("\"a\",{tag}")] {
            assert!(names(&value, &tag), "{value}");
        }
        for value in [version(7).tag(""), version(8).tag("n"), String::new(), "\"".to_owned()] {
            assert!(!names(&value, &tag), "{value}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read(value in "[-W/*\", .0-9a-f]{0,120}|\\PC{0,60}") {
            let _ = Expected::parse(&value);
            let _ = names(&value, "\"x\"");
        }

        #[test]
        fn every_version_comes_back(id in any::<u128>(), number in 1..=i64::MAX) {
            let version = RowVersion { id: Uuid::from_u128(id), version: number };
            prop_assert_eq!(Expected::parse(&version.tag("i")), Expected::OneOf(vec![version]));
        }
    }

    proptest! {
        #[test]
        fn a_list_of_tags_names_the_versions_it_was_made_of(
            versions in prop::collection::vec((any::<u128>(), 1..=i64::MAX), 1..8),
            form in "[a-z]{0,6}",
            weak in "(W/)?",
            blank in "[ \t]{0,2}",
        ) {
            let mut versions: Vec<_> =
                versions.into_iter().map(|(id, version)| RowVersion { id: Uuid::from_u128(id), version }).collect();
            let tags: Vec<_> = versions.iter().map(|version| version.tag(&form)).collect();
            let value: Vec<_> = tags.iter().map(|tag| format!("{blank}{weak}{tag}{blank}")).collect();
            let value = value.join(",");
            prop_assert!(tags.iter().all(|tag| names(&value, tag)));
            let other = RowVersion { id: Uuid::nil(), version: 1 }.tag(&form);
            prop_assert!(!names(&value, &other));
            versions.dedup();
            prop_assert_eq!(Expected::parse(&value), Expected::OneOf(versions));
        }
    }
}
