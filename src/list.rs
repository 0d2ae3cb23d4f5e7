//! What the lists of tasks and ideas share: which rows, in which order, which window; as SQL.

pub mod binding;
pub mod cursor;
pub mod facts;
pub mod filter;
mod found;
pub mod order;
pub mod page;
mod reading;
mod walk;

use uuid::Uuid;

use crate::change::TagTable;
use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Row, Statement, Value};
use crate::field::choice::Choice;

use cursor::{Cursor, Position, Way};
use filter::TagTest;
use walk::{Place, Stretch, Walk};

pub use filter::Filter;
pub use order::{Key, Order};
pub use page::{Fetched, Start, Window};
pub use reading::{after, fetch};

/// As many rows are counted beside the page, on the connection that others share; the count of a longer list takes a
/// round trip and a connection of its own, so that nobody waits behind it.
const COUNTED: i64 = 10_000;

/// What a list has to know of its table.
#[derive(Debug)]
pub struct Table {
    /// `@tasks` or `@ideas`.
    pub name: &'static str,
    /// The columns to read, in the order of the row reader.
    pub columns: &'static str,
    /// The folded long text that `search` looks into beside the title.
    pub long_text: &'static str,
    /// The condition under which a row is done and so never overdue.
    pub done: &'static str,
    /// The expression that `sort=stage` or `sort=completed` orders by.
    pub state: &'static str,
    /// The table that finds rows by tag.
    pub tags: &'static TagTable,
}

/// A row that a list can show, and go on after.
pub trait Listed {
    /// The row's id: it breaks ties.
    fn id(&self) -> Uuid;
    /// The value that the row is ordered by under this key.
    fn sort_value(&self, key: Key) -> Value;
}

/// Which rows of a table: the condition beyond the owner's.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    /// The table.
    pub table: &'static Table,
    /// A condition of the resource's own (`completed = …`, `stage in …`), as a column and the values it may have.
    pub only: Option<(&'static str, Vec<Value>)>,
    /// What tasks and ideas share.
    pub filter: &'a Filter,
}

impl Rows<'_> {
    fn condition(&self, draft: &mut Draft) {
        self.condition_by(TagTest::Listed, draft);
    }

    fn condition_by(&self, tags: TagTest, draft: &mut Draft) {
        draft.push(" where user_id = $1");
        if let Some((column, values)) = &self.only {
            draft.push(" and ").push(column).push(" in (").bind_all(values.iter().cloned()).push(")");
        }
        self.filter.condition(self.table, tags, draft);
    }

    /// Whether one plan serves every value of the condition and an index serves it together with the order.
    fn steady(&self, order: &Order) -> bool {
        let only = self.only.as_ref().map_or(0, |(_, values)| values.len());
        let served = match order.keys() {
            [(Key::CreatedAt, _)] => only <= 1,
            [(Key::Priority | Key::State(_) | Key::DueDate, _)] => only == 0,
            [(Key::UpdatedAt | Key::Title, _)] | [] | [_, _, ..] => false,
        };
        served && self.filter.is_plain()
    }

    /// The rows of a window, one more than its limit so that the reader sees whether there are more. Going back they
    /// come nearest first.
    fn page(&self, order: &Order, window: &Window) -> Statement {
        let Seen { back, from, range } = Seen::through(window);
        // A deep offset reads all it skips; it must not hold up the statements behind it on a shared connection.
        self.walk(order, back, from, range, range.skip <= 200)
    }

    /// Of a page from a cursor among few values (of priority, say) the rows of the cursor's own value, and what reads as
    /// many of the others; none where one statement reads the page. Nearly every page ends before the others begin.
    fn ranges(&self, order: &Order, window: &Window) -> Option<(Statement, impl Fn(i64) -> Statement)> {
        let Seen { back, from, range } = Seen::through(window);
        let walk = Walk { table: self.table, order, back };
        let (Stretch::Same, Some(far)) = walk.stretches(from) else { return None };
        let plan = if self.steady(order) { Plan::Steady } else { Plan::Fresh };
        let read = move |stretch, take| {
            let mut draft = Draft::new("");
            self.part("", &walk, from, stretch, &mut draft);
            Range { take, skip: 0 }.limit(&mut draft);
            draft.finish(plan)
        };
        Some((read(Stretch::Same, range.take), move |take| read(far, take)))
    }

    /// The first row at the place or after it.
    fn here(&self, order: &Order, position: &Position) -> Statement {
        let from = Some(Place { position, with_it: true });
        self.walk(order, false, from, Range { take: 1, skip: 0 }, true)
    }

    /// How many rows there are, at most [`COUNTED`] and one.
    fn count_some(&self) -> Statement {
        let mut draft = Draft::new("select count(*) from (select id from ");
        draft.push(self.table.name);
        self.condition(&mut draft);
        draft.push(&format!(" limit {}) as counted", COUNTED + 1));
        let steady = self.steady(&Order::default());
        draft.finish(if steady { Plan::Steady } else { Plan::Fresh })
    }

    /// How many rows there are, however many.
    fn count_all(&self) -> Statement {
        let mut draft = Draft::new("select count(*) from ");
        draft.push(self.table.name);
        self.condition(&mut draft);
        draft.finish(Plan::Fresh)
    }

    /// At most `limit` rows from a place on, in their order.
    fn chunk(&self, order: &Order, start: &Start, limit: u32) -> Statement {
        let from = match start {
            Start::Offset(_) => None,
            Start::Cursor(Cursor { way: _, position }) => Some(Place { position, with_it: false }),
        };
        // A long chunk keeps a shared connection busy for others; it takes one of its own.
        self.walk(order, false, from, Range { take: i64::from(limit), skip: 0 }, limit <= 100)
    }

    /// The rows beyond a place, or from the first one on.
    fn walk(
        &self,
        order: &Order,
        back: bool,
        from: Option<Place<'_>>,
        range: Range,
        short: bool,
    ) -> Statement {
        let walk = Walk { table: self.table, order, back };
        let mut draft = Draft::new("");
        match walk.stretches(from) {
            (stretch, None) => {
                self.part("", &walk, from, stretch, &mut draft);
                range.limit(&mut draft);
            }
            (near, Some(far)) => self.in_two(&walk, from, (near, far), range, &mut draft),
        }
        draft.finish(if short && self.steady(order) { Plan::Steady } else { Plan::Fresh })
    }

    /// The rows of two stretches, each by its index, the second only as far as the first leaves room; then in order what
    /// little that is.
    fn in_two(
        &self,
        walk: &Walk<'_>,
        from: Option<Place<'_>>,
        (near, far): (Stretch, Stretch),
        range: Range,
        draft: &mut Draft,
    ) {
        // What titles are ordered by is no column of a row.
        let by_title = walk.order.keys().iter().any(|(key, _)| *key == Key::Title);
        let (columns, more) = (self.table.columns, if by_title { ", title_fold" } else { "" });
        draft.push("with near as (");
        self.part(more, walk, from, near, draft);
        range.limit(draft);
        draft.push(&format!(
            ") select {columns} from (select {columns}{more} from near union all select {columns}{more} from ("
        ));
        self.part(more, walk, from, far, draft);
        let take = draft.push(" limit ").param(Value::Int(range.take));
        draft.push(&take).push(" - (select count(*) from near)");
        if range.skip > 0 {
            // What the first stretch is too short to skip.
            let skip = draft.push(" offset (select ").param(Value::Int(range.skip));
            draft.push(&format!("{skip} - count(*) from (select 1 from {}", self.table.name));
            self.condition(draft);
            walk.condition(near, from, draft);
            // In its order, so that the same index serves it.
            walk.order_by(near, draft);
            draft.push(&format!(" limit {skip}) as skipped)"));
        }
        draft.push(") as far) as found");
        walk.order_by(Stretch::Whole, draft);
    }

    /// The rows of a stretch in their order, with these columns more.
    fn part(
        &self,
        more: &str,
        walk: &Walk<'_>,
        from: Option<Place<'_>>,
        stretch: Stretch,
        draft: &mut Draft,
    ) {
        draft.push("select ").push(self.table.columns).push(more).push(" from ").push(self.table.name);
        self.condition(draft);
        walk.condition(stretch, from, draft);
        walk.order_by(stretch, draft);
    }
}

/// What a window shows: which way, from where, and how much.
#[derive(Debug, Clone, Copy)]
struct Seen<'a> {
    back: bool,
    from: Option<Place<'a>>,
    range: Range,
}

impl<'a> Seen<'a> {
    fn through(window: &'a Window) -> Self {
        let take = i64::from(window.limit) + 1;
        match &window.start {
            Start::Offset(offset) => {
                let skip = i64::try_from(*offset).unwrap_or(i64::MAX);
                Self { back: false, from: None, range: Range { take, skip } }
            }
            Start::Cursor(Cursor { way, position }) => {
                let from = Some(Place { position, with_it: false });
                Self { back: *way == Way::Prev, from, range: Range { take, skip: 0 } }
            }
        }
    }
}

/// How many rows are read, after how many others.
#[derive(Debug, Clone, Copy)]
struct Range {
    take: i64,
    skip: i64,
}

impl Range {
    fn limit(self, draft: &mut Draft) {
        draft.push(" limit ").bind(Value::Int(self.take));
        if self.skip > 0 {
            draft.push(" offset ").bind(Value::Int(self.skip));
        }
    }
}

/// Reads a word of a fixed set from a row; an unknown one is a fault of the database's contents.
///
/// # Errors
/// [`DbError::Fault`] when the column holds none of the words.
pub fn read_choice<C: Choice>(row: &Row, column: usize) -> Result<C, DbError> {
    C::from_text(&row.text(column)?)
        .ok_or_else(|| DbError::Fault(format!("a row holds an unknown {}", C::LABEL)))
}

#[cfg(test)]
mod tests;
