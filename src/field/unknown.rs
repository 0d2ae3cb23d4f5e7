//! What nobody reads: ignored, unless the client wants to be told.

use std::collections::HashSet;

use super::Invalid;

/// As many unknown names are told; whoever sends more has other worries.
const TOLD: usize = 20;
/// As much of a name is told, in characters.
const LONGEST: usize = 100;

/// What rows come back with and the server sets by itself: front-ends send whole rows back, so these are always ignored.
const SET_BY_THE_SERVER: [&str; 7] =
    ["user_id", "id", "number", "version", "created_at", "updated_at", "completed_at"];

/// The names in a body or a query that nobody reads, each once, in the order they were sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unknown {
    /// `member` or `parameter`.
    kind: &'static str,
    names: Vec<String>,
    /// How many there are beyond those that are told.
    more: usize,
    known: Vec<&'static str>,
}

impl Unknown {
    /// The unknown ones among the members of a body, of which its reader knows `known`.
    pub fn members<'a>(sent: impl IntoIterator<Item = &'a str>, known: &[&'static str]) -> Self {
        let sent = sent.into_iter().filter(|name| !SET_BY_THE_SERVER.contains(name));
        Self::among("member", sent, known.to_vec())
    }

    /// The unknown ones among the parameters of a query, of which its reader knows `known`.
    pub fn parameters<'a>(sent: impl IntoIterator<Item = &'a str>, known: &[&[&'static str]]) -> Self {
        Self::among("parameter", sent, known.concat())
    }

    fn among<'a>(
        kind: &'static str,
        sent: impl IntoIterator<Item = &'a str>,
        known: Vec<&'static str>,
    ) -> Self {
        let mut seen: HashSet<&str> = known.iter().copied().collect();
        let mut names: Vec<&str> = sent.into_iter().filter(|name| seen.insert(name)).collect();
        let more = names.len().saturating_sub(TOLD);
        names.truncate(TOLD);
        Self { kind, names: names.into_iter().map(shortened).collect(), more, known }
    }

    /// Whether everything is known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Complains about each of them under its own name.
    pub fn complain(&self, invalid: &mut Invalid) {
        let Self { kind, names, more, known } = self;
        let cure = match known.as_slice() {
            [] => "There are none here".to_owned(),
            known => format!("Must be one of: {}", known.join(", ")),
        };
        for name in names {
            invalid.add(name, format!("Unknown {kind}. {cure}"));
        }
        if let (Some(last), true) = (names.last(), *more > 0) {
            invalid.add(last, format!("And {more} more are unknown"));
        }
    }
}

/// The beginning of a name that is too long to be told.
fn shortened(name: &str) -> String {
    let mut told: String = name.chars().take(LONGEST).collect();
    if told.len() < name.len() {
        told.push('…');
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(unknown: &Unknown) -> Vec<String> {
        let mut invalid = Invalid::default();
        unknown.complain(&mut invalid);
        let all = invalid.fields().iter();
        all.flat_map(|(name, texts)| texts.iter().map(move |text| format!("{name}: {text}"))).collect()
    }

    #[test]
    fn what_is_known_or_the_servers_own_is_no_complaint() {
        let unknown =
            Unknown::members(["title", "id", "user_id", "completed_at", "version"], &["title", "tags"]);
        assert!(unknown.is_empty());
        assert!(complaints(&unknown).is_empty());
        assert!(Unknown::parameters(["limit", "q"], &[&["q"], &["limit"]]).is_empty());
        assert!(!Unknown::parameters(["id"], &[&["q"]]).is_empty(), "no parameter is the server's own");
    }

    #[test]
    fn each_unknown_name_is_told_once() {
        let unknown = Unknown::members(["titel", "tags", "done", "titel"], &["title", "tags"]);
        let cure = "Unknown member. Must be one of: title, tags";
        assert_eq!(complaints(&unknown), [format!("titel: {cure}"), format!("done: {cure}")]);
        let unknown = Unknown::parameters(["x"], &[]);
        assert_eq!(complaints(&unknown), ["x: Unknown parameter. There are none here"]);
    }

    #[test]
    fn a_flood_is_answered_with_a_few_words() {
        let names: Vec<String> = (0..200_000).map(|i| format!("{i}-{}", "é".repeat(LONGEST))).collect();
        let unknown = Unknown::members(names.iter().map(String::as_str), &["title"]);
        let told = complaints(&unknown);
        assert_eq!(told.len(), TOLD + 1);
        assert!(told[0].starts_with("0-é") && told[0].contains("é…: Unknown member"), "{}", told[0]);
        assert!(told[TOLD].ends_with(": And 199980 more are unknown"), "{}", told[TOLD]);
    }
}
