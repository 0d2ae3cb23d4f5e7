//! What an import has done: every refused row as it comes, progress, and the sums at the end. It names ids, fields and
//! rules, never what somebody wrote.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cli::{complain, say};
use crate::field::Invalid;

/// How often progress is told.
const PACE: Duration = Duration::from_secs(2);

/// How much of an id is shown.
const SHOWN: usize = 64;

/// A row that was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(String);

impl Refusal {
    /// For every rule that it breaks.
    pub(super) fn new(row: &str, invalid: &Invalid) -> Self {
        let texts: Vec<_> =
            invalid.fields().iter().map(|(field, texts)| format!("{field}: {}", texts.join(", "))).collect();
        Self(format!("{row}: {}", texts.join("; ")))
    }

    /// For one rule.
    pub(super) fn of(row: &str, field: &str, rule: &str) -> Self {
        Self::new(row, &Invalid::one(field, rule))
    }
}

/// What a refusal calls a row: by its id, and by its user where one is needed beside the id.
pub(super) fn row(id: Option<&str>, user: Option<&str>) -> String {
    let row = id.map_or_else(|| "row without an id".to_owned(), |id| format!("row {}", shown(id)));
    user.map_or_else(|| row.clone(), |user| format!("{row} of user {}", shown(user)))
}

/// An id on a line of a terminal: without control characters, and not too long.
fn shown(id: &str) -> String {
    let short: String = id.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    format!("{short}{}", if id.chars().nth(SHOWN).is_some() { "…" } else { "" })
}

/// Counts and tells.
#[derive(Debug)]
pub(super) struct Report {
    total: i64,
    pub(super) read: u64,
    pub(super) taken: u64,
    pub(super) there: u64,
    pub(super) refused: u64,
    pub(super) users: u64,
    notes: BTreeMap<&'static str, u64>,
    told: Instant,
}

impl Report {
    /// A report about so many rows.
    pub(super) fn new(total: i64) -> Self {
        Self {
            total,
            read: 0,
            taken: 0,
            there: 0,
            refused: 0,
            users: 0,
            notes: BTreeMap::new(),
            told: Instant::now(),
        }
    }

    /// Tells of a row that is not taken.
    pub(super) fn refuse(&mut self, Refusal(text): &Refusal) {
        self.refused += 1;
        say(&format!("refused {text}"));
    }

    /// Counts what there is to say of rows that fit.
    pub(super) fn note(&mut self, note: &'static str) {
        *self.notes.entry(note).or_default() += 1;
    }

    /// Tells how far it is, now and then.
    pub(super) fn progress(&mut self) {
        if self.told.elapsed() < PACE {
            return;
        }
        self.told = Instant::now();
        let Self { total, read, taken, there, refused, .. } = self;
        complain(&format!(
            "{read} of {total} rows read: {taken} taken, {there} already there, {refused} refused"
        ));
    }

    /// The sums.
    pub(super) fn finish(&self, dry_run: bool) {
        let Self { total: _, read, taken, there, refused, users, notes, told: _ } = self;
        for (note, count) in notes {
            say(&format!("note: {count} rows: {note}"));
        }
        let would = if dry_run { " (dry run: nothing was written)" } else { "" };
        say(&format!("{read:>9} rows read{would}"));
        say(&format!("{taken:>9} taken"));
        say(&format!("{there:>9} already there"));
        say(&format!("{refused:>9} refused"));
        say(&format!("{users:>9} users made"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_row_and_every_rule() {
        let mut invalid = Invalid::one("title", "Title is required");
        invalid.add("tags", "Each tag must be a string");
        let refusal = Refusal::new(&row(Some("17"), None), &invalid);
        assert_eq!(refusal.0, "row 17: title: Title is required; tags: Each tag must be a string");
        let odd = Refusal::of(&row(Some(&format!("a\n\u{1b}{}", "x".repeat(100))), None), "id", "rule");
        assert!(odd.0.starts_with("row a\\n\\u{1b}x") && odd.0.ends_with("x…: id: rule"), "{odd:?}");
        assert_eq!(row(None, None), "row without an id");
        assert_eq!(row(Some("1"), Some("a\nb")), "row 1 of user a\\nb");
    }
}
