//! The tags of a task or an idea.

use serde::Serialize;
use serde_json::Value;

use super::form::Field;

/// How many tags there may be.
const MOST: usize = 20;
/// How many Unicode scalar values a tag may have.
const LONGEST: usize = 50;

/// Up to 20 different tags in the order they were sent: each trimmed, 1–50 Unicode scalar values, case-sensitive,
/// without a comma (queries part tags by it) and without U+0000.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tags(Vec<String>);

impl Tags {
    /// How many tags a row may have.
    pub const MOST: usize = MOST;

    /// The tags, in order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The tags, given away.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }
}

impl Field for Tags {
    fn parse(label: &str, value: &Value) -> Result<Self, String> {
        let sent = value.as_array().ok_or_else(|| format!("{label} must be an array of strings"))?;
        let mut tags: Vec<String> = Vec::with_capacity(sent.len().min(MOST));
        for value in sent {
            let tag = one(value)?;
            if tags.iter().any(|known| known == tag) {
                continue;
            }
            if tags.len() == MOST {
                return Err(format!("At most {MOST} tags are allowed"));
            }
            tags.push(tag.to_owned());
        }
        Ok(Self(tags))
    }
}

fn one(value: &Value) -> Result<&str, String> {
    let tag = value.as_str().ok_or("Each tag must be a string")?.trim();
    if tag.is_empty() {
        return Err("Each tag must have at least 1 character".to_owned());
    }
    if tag.len() > LONGEST && tag.chars().nth(LONGEST).is_some() {
        return Err(format!("Each tag must have at most {LONGEST} characters"));
    }
    if tag.contains(',') {
        return Err("Each tag must be free of commas".to_owned());
    }
    if tag.contains('\0') {
        return Err("Each tag must be free of the character U+0000".to_owned());
    }
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tags(value: &Value) -> Result<Vec<String>, String> {
        Tags::parse("Tags", value).map(Tags::into_vec)
    }

    fn complaint(value: &Value) -> String {
        tags(value).unwrap_err()
    }

    #[test]
    fn trimmed_in_order_without_duplicates_and_case_sensitive() {
        let sent = json!(["blog", " video ", "Blog", "blog", "video", "日本"]);
        assert_eq!(tags(&sent).unwrap(), ["blog", "video", "Blog", "日本"]);
        assert!(tags(&json!([])).unwrap().is_empty());
    }

    #[test]
    fn every_rule_is_named() {
        assert_eq!(complaint(&json!("blog")), "Tags must be an array of strings");
        assert_eq!(complaint(&json!({"a": 1})), "Tags must be an array of strings");
        assert_eq!(complaint(&json!(["a", 1])), "Each tag must be a string");
        assert_eq!(complaint(&json!(["a", null])), "Each tag must be a string");
        assert_eq!(complaint(&json!([["a"]])), "Each tag must be a string");
        assert_eq!(complaint(&json!(["a", "  "])), "Each tag must have at least 1 character");
        assert_eq!(complaint(&json!(["a,b"])), "Each tag must be free of commas");
        assert_eq!(complaint(&json!(["a\0"])), "Each tag must be free of the character U+0000");
    }

    #[test]
    fn lengths_and_counts_at_the_boundary_and_one_over() {
        for sign in ["a", "é", "日", "\u{1F468}"] {
            assert!(tags(&json!([sign.repeat(50)])).is_ok());
            assert_eq!(complaint(&json!([sign.repeat(51)])), "Each tag must have at most 50 characters");
        }
        let twenty: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(tags(&json!(twenty)).unwrap(), twenty);
        let repeated: Vec<_> = twenty.iter().cycle().take(1000).collect();
        assert_eq!(tags(&json!(repeated)).unwrap(), twenty, "duplicates do not count");
        let over: Vec<_> = (0..21).map(|n| n.to_string()).collect();
        assert_eq!(complaint(&json!(over)), "At most 20 tags are allowed");
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_obeys_the_rules_and_is_accepted_again(
            sent in proptest::collection::vec("[ab ,\\x00é]{0,4}|\\PC{0,60}", 0..30),
        ) {
            if let Ok(kept) = tags(&json!(sent)) {
                prop_assert!(kept.len() <= 20);
                for (place, tag) in kept.iter().enumerate() {
                    prop_assert!((1..=50).contains(&tag.chars().count()));
                    prop_assert!(tag.trim() == tag && !tag.contains([',', '\0']));
                    prop_assert!(!kept[..place].contains(tag));
                    prop_assert!(sent.iter().any(|s| s.trim() == tag));
                }
                prop_assert_eq!(tags(&json!(kept.clone())).unwrap(), kept);
            }
        }
    }
}
