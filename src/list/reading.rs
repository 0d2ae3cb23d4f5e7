//! Reads what a list shows: pages with their totals, and the chunks of a list that is read whole.

use super::cursor::{Cursor, Position, Way};
use super::found::First;
use super::{COUNTED, Fetched, Listed, Order, Rows, Start, Window};
use crate::db::{DbError, Row, Scope, Statement};

/// Reads a page and, where it is asked for, its total, in one round trip unless the list is very long.
///
/// # Errors
/// What the database says.
pub async fn fetch<T>(
    scope: Scope<'_>,
    rows: &Rows<'_>,
    order: &Order,
    window: &Window,
    read: impl Fn(&Row) -> Result<T, DbError>,
) -> Result<Fetched<T>, DbError> {
    let first = rows.first(order, scope.engine());
    let (page, far) = match rows.ranges(order, window) {
        Some((near, far)) => (near, Some(far)),
        None => (rows.begun(first, order, window), None),
    };
    let mut statements = vec![page];
    if let Start::Cursor(Cursor { way: Way::Prev, position }) = &window.start {
        statements.push(rows.here(order, position));
    }
    if window.count {
        statements.push(rows.count_some());
    }
    let mut answers = scope.read_all(statements).await?;
    let count = if window.count { answers.pop() } else { None };
    let total = match count {
        Some(some) => Some(total(scope, rows, &some).await?),
        None => None,
    };
    let here = answers.get(1).is_some_and(|here| !here.is_empty());
    let begun = if answers.is_empty() { Vec::new() } else { answers.swap_remove(0) };
    let page = match far {
        Some(far) => filled(begun, i64::from(window.limit) + 1, far, scope).await?,
        None => rows.ended(first, order, window, begun, scope).await?,
    };
    let beyond = page.len() > window.limit as usize;
    let mut items: Vec<T> = page.iter().take(window.limit as usize).map(read).collect::<Result<_, _>>()?;
    let (has_previous, has_more) = match &window.start {
        Start::Offset(offset) => (*offset > 0, beyond),
        Start::Cursor(Cursor { way: Way::Next, .. }) => (true, beyond),
        Start::Cursor(Cursor { way: Way::Prev, .. }) => {
            items.reverse();
            (beyond, here)
        }
    };
    Ok(Fetched { items, total, has_previous, has_more })
}

/// The rows of one range, and where they are fewer than wanted, those of the next behind them.
async fn filled(
    mut rows: Vec<Row>,
    wanted: i64,
    next: impl Fn(i64) -> Statement,
    scope: Scope<'_>,
) -> Result<Vec<Row>, DbError> {
    let room = wanted - i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if room > 0 {
        rows.extend(scope.read(next(room)).await?);
    }
    Ok(rows)
}

/// At most `limit` rows that come after `last` in the order (the first rows without one), found as a page is.
///
/// # Errors
/// What the database says.
pub async fn after<T: Listed>(
    scope: Scope<'_>,
    rows: &Rows<'_>,
    order: &Order,
    last: Option<&T>,
    limit: u32,
) -> Result<Vec<Row>, DbError> {
    let start = match last {
        Some(last) => Start::Cursor(Cursor { way: Way::Next, position: Position::of(order, last) }),
        None => Start::Offset(0),
    };
    let first = rows.first(order, scope.engine());
    if first == First::Walk {
        return scope.read(rows.chunk(order, &start, limit)).await;
    }
    // A window reads one row more than it shows.
    let window = Window { limit: limit.saturating_sub(1), start, count: false };
    let begun = scope.read(rows.begun(first, order, &window)).await?;
    rows.ended(first, order, &window, begun, scope).await
}

/// How many rows there are, where those that were counted beside the page may not be all.
async fn total(scope: Scope<'_>, rows: &Rows<'_>, some: &[Row]) -> Result<u64, DbError> {
    let mut total = some.first().map_or(Ok(0), |row| row.int(0))?;
    if total > COUNTED {
        let count = scope.read(rows.count_all()).await?;
        total = count.first().map_or(Ok(0), |row| row.int(0))?;
    }
    Ok(u64::try_from(total).unwrap_or(0))
}
