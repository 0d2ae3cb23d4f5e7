//! Which part of a list is asked for, and what was found of it.

use super::Invalid;
use super::params::Params;

/// The largest offset: beyond it a JavaScript number is no longer exact.
const FURTHEST: u64 = 1 << 53;

/// Which rows of a list: at most `limit` of them, after `offset` others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many rows at most, at least 1.
    pub limit: u32,
    /// How many rows to leave out, at most 2^53.
    pub offset: u64,
}

impl Window {
    /// Reads `limit` (1 to `max`, else `default`) and `offset` (0 to 2^53, else 0).
    pub fn read(params: &Params, max: u32, default: u32, invalid: &mut Invalid) -> Self {
        let limit = params.integer(&["limit"], 1, u64::from(max), invalid);
        let offset = params.integer(&["offset"], 0, FURTHEST, invalid);
        Self {
            limit: limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(default),
            offset: offset.unwrap_or(0),
        }
    }
}

/// What a list gave: the rows of the window, and what lies around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched<T> {
    /// The rows of the window, in order.
    pub items: Vec<T>,
    /// How many rows there are in all.
    pub total: u64,
    /// Whether there are rows after the window.
    pub has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(query: &str) -> (Window, usize) {
        let mut invalid = Invalid::default();
        let window = Window::read(&Params::parse(query).unwrap(), 100, 20, &mut invalid);
        (window, invalid.fields().len())
    }

    #[test]
    fn limit_and_offset_within_bounds() {
        assert_eq!(window(""), (Window { limit: 20, offset: 0 }, 0));
        assert_eq!(window("limit=1&offset=40"), (Window { limit: 1, offset: 40 }, 0));
        assert_eq!(window("limit=100&offset=9007199254740992"), (Window { limit: 100, offset: 1 << 53 }, 0));
        for (query, complaints) in [
            ("limit=0", 1),
            ("limit=101", 1),
            ("limit=4294967297", 1),
            ("offset=-1", 1),
            ("offset=9007199254740993", 1),
            ("offset=9223372036854775808", 1),
            ("limit=&offset=", 2),
            ("limit=5&limit=5&offset=1e3", 2),
        ] {
            assert_eq!(window(query), (Window { limit: 20, offset: 0 }, complaints), "{query}");
        }
    }
}
