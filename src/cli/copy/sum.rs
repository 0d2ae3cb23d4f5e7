//! Sums over rows: SHA-256 of a text that both engines' rows come to.

use std::fmt::Write;

use aws_lc_rs::digest::{Context, SHA256};

use crate::db::bulk::Datum;

/// A sum under way.
#[derive(Clone)]
pub(super) struct Sum {
    hash: Context,
    pub(super) rows: u64,
}

impl Sum {
    pub(super) fn new() -> Self {
        Self { hash: Context::new(&SHA256), rows: 0 }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: &[Datum]) {
        let mut text = String::with_capacity(512);
        row.iter().for_each(|datum| write_datum(datum, &mut text));
        text.push('\n');
        self.hash.update(text.as_bytes());
        self.rows += 1;
    }

    /// Adds a line of a sum over sums; it counts as no row.
    pub(super) fn line(&mut self, line: &str) {
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
    }

    /// SHA-256 in hex.
    pub(super) fn hex(self) -> String {
        self.hash.finish().as_ref().iter().fold(String::new(), |mut hex, byte| {
            push(&mut hex, format_args!("{byte:02x}"));
            hex
        })
    }
}

/// A value as its length in bytes, a colon and its text, so that no two rows come to the same; `-` for null. Times are
/// microseconds since 1970, tags a JSON array.
fn write_datum(datum: &Datum, out: &mut String) {
    let text = match datum {
        Datum::Null => return out.push('-'),
        Datum::Text(text) => {
            push(out, format_args!("{}:{text}", text.len()));
            return;
        }
        Datum::Uuid(id) => id.to_string(),
        Datum::Int(int) | Datum::Time(int) => int.to_string(),
        Datum::Bool(bool) => bool.to_string(),
        Datum::Tags(tags) => serde_json::Value::from(tags.clone()).to_string(),
    };
    push(out, format_args!("{}:{text}", text.len()));
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    out.write_fmt(text).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(row: &[Datum]) -> String {
        let mut text = String::new();
        row.iter().for_each(|datum| write_datum(datum, &mut text));
        text
    }

    #[test]
    fn the_text_is_the_documented_one() {
        let row = [
            Datum::Text("añb".to_owned()),
            Datum::Null,
            Datum::Text(String::new()),
            Datum::Uuid(uuid::Uuid::nil()),
            Datum::Int(-7),
            Datum::Bool(true),
            Datum::Time(1_000_001),
            Datum::Tags(vec!["b\"".to_owned(), "a".to_owned()]),
        ];
        let expected =
            "4:añb-0:36:00000000-0000-0000-0000-0000000000002:-74:true7:100000111:[\"b\\\"\",\"a\"]";
        assert_eq!(text(&row), expected);
    }

    #[test]
    fn a_sum_is_sha_256_of_the_lines() {
        let mut sum = Sum::new();
        sum.add(&[Datum::Text("ab".to_owned()), Datum::Null]);
        assert_eq!(sum.rows, 1);
        // printf '2:ab-\n' | sha256sum
        let by_hand = aws_lc_rs::digest::digest(&SHA256, b"2:ab-\n");
        let mut lines = Sum::new();
        lines.line("2:ab-");
        assert_eq!(lines.rows, 0);
        let hex = sum.hex();
        assert_eq!((&hex, hex.len()), (&lines.hex(), 2 * by_hand.as_ref().len()));
        assert!(hex.starts_with(&format!("{:02x}", by_hand.as_ref()[0])));
    }

    #[test]
    fn what_moves_from_one_value_to_the_next_is_seen() {
        let pair = |a: &str, b: &str| text(&[Datum::Text(a.to_owned()), Datum::Text(b.to_owned())]);
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
        assert_ne!(text(&[Datum::Null]), text(&[Datum::Text("-".to_owned())]));
    }
}
