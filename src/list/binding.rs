//! What a cursor is bound to: the order and the filters of the list that it came from.

use aws_lc_rs::digest::{SHA256, digest};

use super::{Filter, Order};
use crate::field::choice::Choice;
use crate::field::timestamp::Timestamp;

/// Stands for an order and filters: the first 8 bytes of the SHA-256 of their canonical text. Equal for queries that mean
/// the same however they are written, and the same in every process and release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding(pub(super) [u8; 8]);

/// The canonical text of an order and filters, being written.
///
/// What is not asked for adds nothing, so a filter that a later release brings leaves the cursors of this one good.
#[derive(Debug)]
pub struct Terms(String);

impl Terms {
    /// Begins with what the list is of, `tasks` say, and its order.
    pub fn new(list: &str, order: &Order) -> Self {
        let mut terms = Self(String::new());
        terms.add("list", [list]);
        let keys = order.keys().iter().map(|(key, direction)| format!("{} {}", key.name(), direction.word()));
        terms.one("sort", &keys.collect::<Vec<_>>().join(","));
        terms
    }

    /// Adds a filter with the values that may be; nothing when there are none. Their order and doubles say nothing.
    pub fn add<'v>(&mut self, name: &str, values: impl IntoIterator<Item = &'v str>) {
        let mut values: Vec<&str> = values.into_iter().collect();
        values.sort_unstable();
        values.dedup();
        if values.is_empty() {
            return;
        }
        self.0.push_str(name);
        for value in values {
            // With its length before it no value can look like another term.
            self.0.push_str(&format!("={}:{value}", value.len()));
        }
        self.0.push(';');
    }

    /// Adds a filter with one value.
    pub fn one(&mut self, name: &str, value: &str) {
        self.add(name, [value]);
    }

    /// Adds a filter that is on, off or not asked for.
    pub fn switch(&mut self, name: &str, value: Option<bool>) {
        self.add(name, value.map(|on| if on { "true" } else { "false" }));
    }

    fn time(&mut self, name: &str, time: Option<Timestamp>) {
        if let Some(time) = time {
            self.one(name, &time.micros().to_string());
        }
    }

    /// Adds the filters that tasks and ideas share. The time of the question is none of them: `overdue` means the same
    /// rows from page to page, but for those whose time has come meanwhile.
    pub fn filter(&mut self, filter: &Filter) {
        let Filter {
            nothing,
            words,
            priorities,
            tags,
            all_tags,
            due_before,
            due_after,
            overdue,
            has_due_date,
        } = filter;
        self.switch("nothing", nothing.then_some(true));
        self.add("search", words.iter().map(String::as_str));
        self.add("priority", priorities.iter().map(|priority| priority.as_str()));
        // One tag is all of them and any of them.
        let all = *all_tags && tags.len() > 1;
        self.add(if all { "all tags" } else { "tags" }, tags.iter().map(String::as_str));
        self.time("due_before", *due_before);
        self.time("due_after", *due_after);
        self.switch("overdue", overdue.map(|(wanted, _)| wanted));
        self.switch("has_due_date", *has_due_date);
    }

    /// What stands for the text.
    pub fn binding(self) -> Binding {
        let mut binding = [0; 8];
        binding.copy_from_slice(&digest(&SHA256, self.0.as_bytes()).as_ref()[..8]);
        Binding(binding)
    }
}
