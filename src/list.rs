//! What the lists of tasks and ideas share: which rows, in which order, which window; as SQL.

pub mod facts;
pub mod filter;
pub mod order;

use uuid::Uuid;

use crate::change::TagTable;
use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Row, Scope, Statement, Value};
use crate::field::choice::Choice;
use crate::field::page::{Fetched, Window};

pub use filter::Filter;
pub use order::{Key, Order};

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
        draft.push(" where user_id = $1");
        if let Some((column, values)) = &self.only {
            draft.push(" and ").push(column).push(" in (").bind_all(values.iter().cloned()).push(")");
        }
        self.filter.condition(self.table, draft);
    }

    /// Whether one plan serves every value of the condition and an index serves the order.
    fn steady(&self, order: &Order) -> bool {
        self.filter.is_plain()
            && order.is_by_creation()
            && self.only.as_ref().is_none_or(|(_, v)| v.len() == 1)
    }

    /// The rows of a window, one more than its limit so that the reader sees whether there are more.
    pub fn page(&self, order: &Order, window: Window) -> Statement {
        let mut draft = self.select();
        self.condition(&mut draft);
        order.order_by(self.table, &mut draft);
        draft.push(" limit ").bind(Value::Int(i64::from(window.limit) + 1));
        if window.offset > 0 {
            draft.push(" offset ").bind(Value::Int(i64::try_from(window.offset).unwrap_or(i64::MAX)));
        }
        // A deep offset reads all it skips; it must not hold up the statements behind it on a shared connection.
        let plan = if self.steady(order) && window.offset <= 200 { Plan::Steady } else { Plan::Fresh };
        draft.finish(plan)
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

    /// At most `limit` rows that come after `last` in the order (the first rows without one).
    pub fn after<T: Listed>(&self, order: &Order, last: Option<&T>, limit: u32) -> Statement {
        let mut draft = self.select();
        self.condition(&mut draft);
        if let Some(last) = last {
            draft.push(" and ");
            order.after(self.table, last, &mut draft);
        }
        order.order_by(self.table, &mut draft);
        draft.push(" limit ").bind(Value::Int(i64::from(limit)));
        // A long chunk keeps a shared connection busy for others; it takes one of its own.
        let short = limit <= 100;
        draft.finish(if short && self.steady(order) { Plan::Steady } else { Plan::Fresh })
    }

    fn select(&self) -> Draft {
        let mut draft = Draft::new("select ");
        draft.push(self.table.columns).push(" from ").push(self.table.name);
        draft
    }
}

/// Reads a page and its total, in one round trip unless the list is very long.
///
/// # Errors
/// What the database says.
pub async fn fetch<T>(
    scope: Scope<'_>,
    rows: &Rows<'_>,
    order: &Order,
    window: Window,
    read: impl Fn(&Row) -> Result<T, DbError>,
) -> Result<Fetched<T>, DbError> {
    let answers = scope.read_all(vec![rows.page(order, window), rows.count_some()]).await?;
    let [page, count] = answers.as_slice() else {
        return Err(DbError::Fault("a page and its count came back as something else".to_owned()));
    };
    let has_more = page.len() > window.limit as usize;
    let items = page.iter().take(window.limit as usize).map(read).collect::<Result<_, _>>()?;
    let mut total = count.first().map_or(Ok(0), |row| row.int(0))?;
    if total > COUNTED {
        let count = scope.read(rows.count_all()).await?;
        total = count.first().map_or(Ok(0), |row| row.int(0))?;
    }
    Ok(Fetched { items, total: u64::try_from(total).unwrap_or(0), has_more })
}

/// Reads a word of a fixed set from a row; an unknown one is a fault of the database's contents.
///
/// # Errors
/// [`DbError::Fault`] when the column holds none of the words.
pub fn read_choice<C: Choice>(row: &Row, column: usize) -> Result<C, DbError> {
    C::from_text(&row.text(column)?)
        .ok_or_else(|| DbError::Fault(format!("a row holds an unknown {}", C::LABEL)))
}
