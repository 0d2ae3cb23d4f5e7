//! A page of the rows that have a word or a tag, however many have it.
//!
//! Where many rows have it, the list is walked until the page is full; where few have it, all of them are fetched by the
//! index of words or tags, and sorted. Which one is short depends on what the user's own rows hold, and neither planner
//! knows that: PostgreSQL's statistics are those of all users together, SQLite has none. So there are three ways, each
//! with an end in sight but the last:
//!
//! 1. Tags are listed, up to a bound. Below it lie all tags of nearly all users, and their page is made of the list.
//! 2. A list that is longer, and words, which nobody can list: the nearest rows are tried, and fill the page where many
//!    have what is asked for.
//! 3. Where they do not, all that have it are fetched.

use super::filter::TagTest;
use super::walk::{Stretch, Walk};
use super::{Key, Order, Rows, Seen, Window};
use crate::db::draft::Draft;
use crate::db::{DbError, Engine, Plan, Row, Scope, Statement};

/// So many entries of tags are listed: their rows are fetched and sorted in about the time that the nearest rows take.
const LISTED: u32 = 1_000;

/// So many rows of the list are looked at before an index is asked. What less than one in 200 of them have is fetched
/// in about the time that this look takes, also among a million rows.
const NEAREST: u32 = 4_000;

/// So many rows are looked at for each that is asked for.
const PER_ROW: u32 = 40;

/// The shortest word that an index of trigrams finds.
const TRIGRAM: usize = 3;

/// How a page begins to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// In its order: that way leads to the end of it.
    Walk,
    /// By the list of its tags, if that is short.
    Listed,
    /// Among the nearest rows.
    Nearest,
}

impl Rows<'_> {
    /// Where to begin: an index finds the rows and another one walks them in their order, or there is nothing to choose.
    pub(super) fn first(&self, order: &Order, engine: Engine) -> First {
        let words = match engine {
            Engine::Postgres => self.filter.words.iter().any(|word| word.chars().count() >= TRIGRAM),
            // No index holds words there: an index over all users would make a small one pay for a large one.
            Engine::Sqlite => false,
        };
        match order.keys() {
            [(Key::CreatedAt, _)] if !self.filter.tags.is_empty() => First::Listed,
            [(Key::CreatedAt, _)] if words => First::Nearest,
            _ => First::Walk,
        }
    }

    /// The statement that a page begins with.
    pub(super) fn begun(&self, first: First, order: &Order, window: &Window) -> Statement {
        match first {
            First::Walk => self.page(order, window),
            First::Listed => self.listed(order, window),
            First::Nearest => self.nearest(order, window),
        }
    }

    /// The rows of the window, given what the statement that it begins with has found.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn ended(
        &self,
        first: First,
        order: &Order,
        window: &Window,
        begun: Vec<Row>,
        scope: Scope<'_>,
    ) -> Result<Vec<Row>, DbError> {
        let nearest = match first {
            First::Walk => return Ok(begun),
            First::Listed if !is_cut(&begun)? => return Ok(begun),
            First::Listed => scope.read(self.nearest(order, window)).await?,
            First::Nearest => begun,
        };
        if nearest.len() > window.limit as usize {
            return Ok(nearest);
        }
        scope.read(self.found(order, window)).await
    }

    /// The window, out of the rows that a short list of tags names, each row followed by `false`; where the list is too
    /// long, nothing but a row that ends in `true`. It is one statement, so both say the same about the same moment.
    fn listed(&self, order: &Order, window: &Window) -> Statement {
        let Seen { back, from, range } = Seen::through(window);
        let (table, walk) = (self.table, Walk { table: self.table, order, back });
        let mut draft = Draft::new("with listed as materialized (");
        self.filter.list_tags(table, &mut draft);
        draft.push(&format!(
            " limit {}), list as (select count(*) > {LISTED} as cut from listed)",
            LISTED + 1
        ));
        // A list that was cut is not gone through.
        draft.push(", few as (select * from listed where (select not cut from list))");
        // Apart from the other conditions, so that no planner goes by one of those instead of by these rows' keys.
        draft.push(", tagged as materialized (select ");
        self.filtered_columns(&mut draft);
        draft.push(" from ").push(table.name).push(" where user_id = $1");
        self.filter.tag_condition(table, TagTest::In("few"), &mut draft);
        draft.push("), page as (select ").push(table.columns).push(" from tagged");
        self.condition_by(TagTest::Done, &mut draft);
        walk.condition(Stretch::Whole, from, &mut draft);
        walk.order_by(Stretch::Whole, &mut draft);
        range.limit(&mut draft);
        draft.push(") select ").push(table.columns);
        draft.push(", cut from list left join page on 1 = 1 where cut or id is not null");
        walk.order_by(Stretch::Whole, &mut draft);
        draft.finish(Plan::Fresh)
    }

    /// Adds the columns that a row is read from, and those that a filter looks at.
    fn filtered_columns(&self, draft: &mut Draft) {
        draft.push(self.table.columns).push(", user_id, title_fold, ").push(self.table.long_text);
    }

    /// The window, as far as the nearest rows of the list fill it.
    pub(super) fn nearest(&self, order: &Order, window: &Window) -> Statement {
        let Seen { back, from, range } = Seen::through(window);
        let (table, walk) = (self.table, Walk { table: self.table, order, back });
        let mut draft = Draft::new("select ");
        draft.push(table.columns).push(" from (select ");
        self.filtered_columns(&mut draft);
        draft.push(" from ").push(table.name).push(" where user_id = $1");
        walk.condition(Stretch::Whole, from, &mut draft);
        walk.order_by(Stretch::Whole, &mut draft);
        // A long chunk of a list looks further.
        let bound = NEAREST.max(window.limit.saturating_mul(PER_ROW));
        draft.push(&format!(" limit {bound}) as nearest"));
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

/// Whether the list of tags was too long to make a page of.
fn is_cut(begun: &[Row]) -> Result<bool, DbError> {
    begun.first().map_or(Ok(false), |row| row.bool(row.width() - 1))
}

#[cfg(test)]
mod tests;
