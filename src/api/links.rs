//! The `Link` header of a page (RFC 8288): where the next, the previous and the first page are.

use http::header::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::query::ListQuery;
use crate::field::params::Params;
use crate::list::cursor::{Cursor, Position, Way};
use crate::list::{Fetched, Listed};

/// What stands for itself in a query here: RFC 3986's unreserved characters, so that no parser of the header can stumble.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The header of a page. Its targets are nothing but queries, so they hold below whatever prefix a proxy has put before
/// the path; they repeat the request's own, with another cursor and without `offset`.
pub fn links<F, T: Listed>(
    params: &Params,
    asked: &ListQuery<F>,
    fetched: &Fetched<T>,
) -> Option<HeaderValue> {
    let Fetched { items, total: _, has_previous, has_more } = fetched;
    let cursor = |row: Option<&T>, way| {
        let position = Position::of(&asked.order, row?);
        Some(Cursor { way, position }.write(asked.binding))
    };
    let next = cursor(items.last().filter(|_| *has_more), Way::Next);
    let previous = cursor(items.first().filter(|_| *has_previous), Way::Prev);
    let query = repeated(params, asked.window.limit);
    let mut links = Vec::with_capacity(3);
    for (name, cursor) in [("next", next), ("prev", previous)] {
        if let Some(cursor) = cursor {
            links.push(format!("<?{query}&cursor={cursor}>; rel=\"{name}\""));
        }
    }
    links.push(format!("<?{query}>; rel=\"first\""));
    HeaderValue::try_from(links.join(", ")).ok()
}

/// The request's parameters but for its place in the list. The limit is always among them: a todo list without any of
/// the three is another shape.
fn repeated(params: &Params, limit: u32) -> String {
    let mut query = Vec::new();
    for (name, value) in params.pairs().filter(|(name, _)| !matches!(*name, "cursor" | "offset")) {
        query.push(format!("{}={}", utf8_percent_encode(name, QUERY), utf8_percent_encode(value, QUERY)));
    }
    if !params.names().any(|name| name == "limit") {
        query.push(format!("limit={limit}"));
    }
    query.join("&")
}
