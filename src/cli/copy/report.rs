//! What was copied and compared, on standard output.

use serde::Serialize;

use super::compare::{Comparison, Difference};
use super::ends::Ends;
use crate::cli::say;

/// What this run has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// All of it stays.
    All,
    /// Rows were written, and taken back.
    TakenBack,
    /// Nothing was to be written.
    Nothing,
}

/// What there is to tell.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) written: Written,
    /// Whether the source was written to meanwhile.
    pub(super) source_changed: bool,
    pub(super) comparison: Comparison,
}

/// The report as JSON.
#[derive(Serialize)]
struct Json<'a> {
    copied: bool,
    same: bool,
    source_changed: bool,
    users: u64,
    rows: u64,
    checksum: &'a str,
    tables: Vec<TableJson>,
    differing: u64,
    differences: Vec<DifferenceJson<'a>>,
}

#[derive(Serialize)]
struct TableJson {
    table: &'static str,
    rows: u64,
    target_rows: u64,
}

#[derive(Serialize)]
struct DifferenceJson<'a> {
    user: &'a str,
    table: &'static str,
    rows: u64,
    target_rows: u64,
}

impl Report {
    /// Prints it. As text only where both sides are the same, and stay so; otherwise the failure says it.
    pub(super) fn say(&self, json: bool) {
        if json {
            say(&serde_json::to_string_pretty(&self.json()).unwrap_or_default());
        } else if self.comparison.is_same() && self.written != Written::TakenBack {
            say(&self.text());
        }
    }

    fn rows(&self) -> u64 {
        self.comparison.tables.iter().map(|(_, rows, _)| rows).sum()
    }

    fn text(&self) -> String {
        let Comparison { tables, users, checksum, named: _, differing: _ } = &self.comparison;
        let mut lines: Vec<_> =
            tables.iter().map(|(table, rows, _)| format!("{table:18}{rows:>10}")).collect();
        let done = match self.written {
            Written::All => "copied, and the same on both sides",
            Written::TakenBack | Written::Nothing => "the same on both sides",
        };
        let word = if *users == 1 { "user" } else { "users" };
        lines.push(format!("{users} {word}, {}: {done}", rows(self.rows())));
        lines.push(format!("checksum {checksum}"));
        lines.join("\n")
    }

    fn json(&self) -> Json<'_> {
        let Comparison { tables, users, checksum, named, differing } = &self.comparison;
        let table = |(table, rows, target_rows): &(&'static str, u64, u64)| TableJson {
            table,
            rows: *rows,
            target_rows: *target_rows,
        };
        Json {
            copied: self.written == Written::All,
            same: self.comparison.is_same(),
            source_changed: self.source_changed,
            users: *users,
            rows: self.rows(),
            checksum,
            tables: tables.iter().map(table).collect(),
            differing: *differing,
            differences: named.iter().map(DifferenceJson::of).collect(),
        }
    }

    /// What is not as it should be, with the cure; nothing for a success.
    pub(super) fn wrong(&self, ends: &Ends) -> Vec<String> {
        let mut lines = if self.comparison.is_same() { Vec::new() } else { self.differences() };
        if self.source_changed {
            lines.push(match self.written {
                Written::All => ends.written_at_last(),
                Written::TakenBack | Written::Nothing => ends.written_meanwhile(),
            });
        }
        lines
    }

    /// A line for each user and table that is not the same, and what that means.
    fn differences(&self) -> Vec<String> {
        let Comparison { named, differing, .. } = &self.comparison;
        let mut lines: Vec<_> = named.iter().map(Difference::line).collect();
        let told = u64::try_from(named.len()).unwrap_or(u64::MAX);
        if *differing > told {
            lines.push(format!("… and {} more", differing - told));
        }
        let end = match self.written {
            Written::TakenBack => {
                "nothing was copied, because the rows do not read back as they were written: something in the target \
                 (a trigger, a rule, a disk) changes them"
            }
            Written::Nothing | Written::All => {
                "the two databases differ: somebody has written to one of them since the copy"
            }
        };
        lines.push(end.to_owned());
        lines
    }
}

impl Difference {
    fn line(&self) -> String {
        let Self { user, table, in_source, in_target } = self;
        let user = user.escape_debug();
        if in_source == in_target {
            return format!("user {user}, {table}: {} on both sides, and not the same", rows(*in_source));
        }
        format!("user {user}, {table}: {} in the source, {in_target} in the target", rows(*in_source))
    }
}

impl<'a> DifferenceJson<'a> {
    fn of(difference: &'a Difference) -> Self {
        let Difference { user, table, in_source, in_target } = difference;
        Self { user, table, rows: *in_source, target_rows: *in_target }
    }
}

/// A number of rows for people.
pub(super) fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}
