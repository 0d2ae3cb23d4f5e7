//! Points in time as other back ends have written them.

use crate::field::due::DueDate;
use crate::field::timestamp::Timestamp;

/// Reads a text (without an offset it is UTC) or a number since 1970. The complaint is a sentence about `label`.
pub(super) fn point(label: &str, text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return since_1970(label, text);
    }
    DueDate::parse_labelled(label, &usual(text)).map(|due| due.0)
}

/// Seconds, milliseconds or microseconds: the ranges in which each means a day between 1973 and 5138 do not touch.
fn since_1970(label: &str, text: &str) -> Result<Timestamp, String> {
    let unclear = || format!("{label} is a number that is not clearly one of seconds, ms or µs since 1970");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().map_err(|_| unclear())?;
    let digits = match whole {
        100_000_000..100_000_000_000 => 6,
        100_000_000_000..100_000_000_000_000 => 3,
        100_000_000_000_000..100_000_000_000_000_000 => 0,
        _ => return Err(unclear()),
    };
    // What is finer than a microsecond is cut, as it is everywhere.
    let fraction: String = decimals.chars().chain("000000".chars()).take(digits).collect();
    let fraction: i64 = if digits == 0 { 0 } else { fraction.parse().map_err(|_| unclear())? };
    let micros = whole * [1, 1_000, 1_000_000][digits / 3] + fraction;
    Timestamp::checked_from_micros(micros).ok_or_else(unclear)
}

/// The text with its offset as RFC 3339 has it: `+00`, `+0000`, ` +00:00` and ` UTC` are usual too.
fn usual(text: &str) -> String {
    for zone in [" UTC", " GMT", " Z"] {
        if let Some(time) = text.strip_suffix(zone) {
            return format!("{}Z", time.trim_end());
        }
    }
    // Signs before this place belong to the date.
    let after_date = text.char_indices().skip(11).filter(|(_, c)| matches!(c, '+' | '-')).last();
    let Some((at, sign)) = after_date else { return text.to_owned() };
    let (time, offset) = (text[..at].trim_end(), &text[at + 1..]);
    let offset = match (offset.len(), offset.get(..2), offset.get(2..)) {
        (2, ..) => format!("{offset}:00"),
        (4, Some(hours), Some(minutes)) => format!("{hours}:{minutes}"),
        (8, ..) if offset.ends_with(":00") => offset[..5].to_owned(),
        _ => offset.to_owned(),
    };
    format!("{time}{sign}{offset}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<String, String> {
        point("Created at", text).map(|time| time.to_string())
    }

    #[test]
    fn the_forms_in_which_back_ends_write_times() {
        for (written, meant) in [
            ("2026-03-01 10:20:30.123456", "2026-03-01T10:20:30.123456Z"),
            ("2026-03-01T10:20:30.123456+00:00", "2026-03-01T10:20:30.123456Z"),
            ("2026-03-01 10:20:30.5+00", "2026-03-01T10:20:30.5Z"),
            ("2026-03-01 10:20:30+0530", "2026-03-01T04:50:30Z"),
            ("2026-03-01 10:20:30 -05:00", "2026-03-01T15:20:30Z"),
            ("2026-03-01 10:20:30 +0000", "2026-03-01T10:20:30Z"),
            ("2026-03-01 10:20:30+01:00:00", "2026-03-01T09:20:30Z"),
            ("2026-03-01 10:20:30 UTC", "2026-03-01T10:20:30Z"),
            ("2026-03-01 10:20:30.123Z", "2026-03-01T10:20:30.123Z"),
            (" 2026-03-01 ", "2026-03-01T00:00:00Z"),
            ("1772360430", "2026-03-01T10:20:30Z"),
            ("1772360430.25", "2026-03-01T10:20:30.25Z"),
            ("1772360430250", "2026-03-01T10:20:30.25Z"),
            ("1772360430250.5", "2026-03-01T10:20:30.2505Z"),
            ("1772360430250001", "2026-03-01T10:20:30.250001Z"),
        ] {
            assert_eq!(read(written).as_deref(), Ok(meant), "{written}");
        }
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        for unclear in ["", "0", "20260301", "42", "99999999999999999999", "2461100.9", ".", "1.2.3"] {
            let complaint = read(unclear).unwrap_err();
            assert!(
                complaint.starts_with("Created at is a number that is not clearly"),
                "{unclear}: {complaint}"
            );
        }
        for odd in
            ["yesterday", "infinity", "01/03/2026", "0044-03-15 00:00:00+00 BC", "2026-02-30 10:00:00", "é"]
        {
            assert!(read(odd).unwrap_err().starts_with("Created at must be"), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_back(text in "[0-9T:Zz+. -]{0,40}|\\PC{0,40}") {
            if let Ok(time) = read(&text) {
                prop_assert_eq!(read(&time), Ok(time.clone()), "{}", time);
            }
        }
    }
}
