//! A page of the rows that have a word or a tag, however many have it.
//!
//! Two ways lead there. Where many rows have it, the list is walked until the page is full; where few have it, all of
//! them are fetched by the index of words or tags, and sorted. Which one is short depends on what the user's own rows
//! hold, and neither planner knows that: PostgreSQL's statistics are those of all users together, SQLite has none. So
//! the first way is gone for some thousand rows, and then the second one to its end.

use super::filter::TagTest;
use super::walk::{Stretch, Walk};
use super::{Key, Order, Rows, Seen, Window};
use crate::db::draft::Draft;
use crate::db::{Engine, Plan, Statement};

/// So many rows of the list are looked at before an index is asked. What less than one in 200 of them have is fetched
/// in about the time that this look takes, also among a million rows.
const NEAREST: u32 = 4_000;

/// The shortest word that an index of trigrams finds.
const TRIGRAM: usize = 3;

impl Rows<'_> {
    /// Whether an index finds the rows and another one walks them in their order.
    pub(super) fn has_two_ways(&self, order: &Order, engine: Engine) -> bool {
        let words = match engine {
            Engine::Postgres => self.filter.words.iter().any(|word| word.chars().count() >= TRIGRAM),
            // No index holds words there: an index over all users would make a small one pay for a large one.
            Engine::Sqlite => false,
        };
        let by_creation = matches!(order.keys(), [(Key::CreatedAt, _)]);
        by_creation && (words || !self.filter.tags.is_empty())
    }

    /// The window, as far as the nearest rows of the list fill it.
    pub(super) fn nearest(&self, order: &Order, window: &Window) -> Statement {
        let Seen { back, from, range } = Seen::through(window);
        let (table, walk) = (self.table, Walk { table: self.table, order, back });
        let mut draft = Draft::new("select ");
        draft.push(table.columns).push(" from (select ").push(table.columns).push(", user_id, title_fold, ");
        draft.push(table.long_text).push(" from ").push(table.name).push(" where user_id = $1");
        walk.condition(Stretch::Whole, from, &mut draft);
        walk.order_by(Stretch::Whole, &mut draft);
        draft.push(&format!(" limit {NEAREST}) as nearest"));
        self.condition_by(TagTest::OfRow("nearest"), &mut draft);
        walk.order_by(Stretch::Whole, &mut draft);
        range.limit(&mut draft);
        draft.finish(Plan::Fresh)
    }

    /// The window, out of all rows that the filter lets through, found before they are put in order.
    pub(super) fn found(&self, order: &Order, window: &Window) -> Statement {
        let Seen { back, from, range } = Seen::through(window);
        let (table, walk) = (self.table, Walk { table: self.table, order, back });
        let mut draft = Draft::new("with found as materialized (select ");
        draft.push(table.columns).push(" from ").push(table.name);
        self.condition_by(TagTest::Listed, &mut draft);
        walk.condition(Stretch::Whole, from, &mut draft);
        draft.push(") select ").push(table.columns).push(" from found");
        walk.order_by(Stretch::Whole, &mut draft);
        range.limit(&mut draft);
        draft.finish(Plan::Fresh)
    }
}

#[cfg(test)]
mod tests;
