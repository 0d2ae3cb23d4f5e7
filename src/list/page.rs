//! Which part of a list is asked for, and what was found of it.

use super::cursor::Cursor;
use crate::field::Invalid;
use crate::field::params::Params;

/// The largest offset: beyond it a JavaScript number is no longer exact.
const FURTHEST: u64 = 1 << 53;

/// Where a window begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// After so many rows, at most 2^53.
    Offset(u64),
    /// Beside a row.
    Cursor(Cursor),
}

impl Start {
    /// How many rows are left out, where that is known.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Offset(offset) => Some(*offset),
            Self::Cursor(_) => None,
        }
    }
}

/// Which rows of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// How many rows at most, at least 1.
    pub limit: u32,
    /// Where they begin.
    pub start: Start,
    /// Whether all rows of the list are counted.
    pub count: bool,
}

impl Window {
    /// Reads `limit` (1 to `max`, else `default`), `offset` (0 to 2^53, else 0) and `count` (else true). A `cursor`,
    /// which the caller has read, takes the place of `offset`.
    pub fn read(
        params: &Params,
        max: u32,
        default: u32,
        cursor: Option<Cursor>,
        invalid: &mut Invalid,
    ) -> Self {
        let limit = params.integer(&["limit"], 1, u64::from(max), invalid);
        let offset = params.integer(&["offset"], 0, FURTHEST, invalid);
        let sent = |wanted| params.names().any(|name| name == wanted);
        if sent("offset") && sent("cursor") {
            invalid
                .add("offset", "offset and cursor exclude each other: a cursor says where its page begins");
        }
        Self {
            limit: limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(default),
            start: cursor.map_or(Start::Offset(offset.unwrap_or(0)), Start::Cursor),
            count: params.switch(&["count"], invalid).unwrap_or(true),
        }
    }
}

/// What a list gave: the rows of the window, and what lies around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched<T> {
    /// The rows of the window, in order.
    pub items: Vec<T>,
    /// How many rows there are in all, where they were counted.
    pub total: Option<u64>,
    /// Whether there are rows before the window.
    pub has_previous: bool,
    /// Whether there are rows after the window.
    pub has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(query: &str) -> (Window, usize) {
        let mut invalid = Invalid::default();
        let window = Window::read(&Params::parse(query).unwrap(), 100, 20, None, &mut invalid);
        (window, invalid.fields().len())
    }

    fn counted(limit: u32, offset: u64) -> Window {
        Window { limit, start: Start::Offset(offset), count: true }
    }

    #[test]
    fn limit_and_offset_within_bounds() {
        assert_eq!(window(""), (counted(20, 0), 0));
        assert_eq!(window("limit=1&offset=40"), (counted(1, 40), 0));
        assert_eq!(window("limit=100&offset=9007199254740992"), (counted(100, 1 << 53), 0));
        for (query, complaints) in [
            ("limit=0", 1),
            ("limit=101", 1),
            ("limit=4294967297", 1),
            ("offset=-1", 1),
            ("offset=9007199254740993", 1),
            ("offset=9223372036854775808", 1),
            ("limit=&offset=", 2),
            ("limit=5&limit=5&offset=1e3", 2),
            ("count=1", 1),
            ("offset=0&cursor=x", 1),
        ] {
            assert_eq!(window(query), (counted(20, 0), complaints), "{query}");
        }
    }

    #[test]
    fn a_count_is_left_out_only_when_asked() {
        assert!(window("count=true").0.count);
        assert!(!window("count=false").0.count);
    }
}
