//! When something is due: the forms in which a date may be sent.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::form::Field;
use super::timestamp::{Timestamp, start_of_day};

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// When something is due, in UTC.
///
/// Accepted: RFC 3339 with any offset up to ±23:59; the same without an offset, also without seconds (an
/// `<input type="datetime-local">` sends that), meaning UTC; a date alone, meaning 00:00 UTC. `T` and `Z` may be lower
/// case, a space may stand for `T`. More than six decimals are cut. Refused: `:60`, `24:00`, impossible days, whatever
/// lies in UTC outside the years 0001 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueDate(pub Timestamp);

/// Why a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Form,
    Range,
}

impl Fault {
    fn about(self, label: &str) -> String {
        match self {
            Self::Form => format!("{label} must be an RFC 3339 date-time or a date (YYYY-MM-DD)"),
            Self::Range => format!("{label} must lie in the years 0001 to 9999 in UTC"),
        }
    }
}

impl DueDate {
    /// Reads one of the accepted forms.
    ///
    /// # Errors
    /// The rule that the text breaks, as a sentence about `Due date`.
    pub fn parse_text(text: &str) -> Result<Self, String> {
        Self::parse_labelled("Due date", text)
    }

    /// Reads one of the accepted forms.
    ///
    /// # Errors
    /// The rule that the text breaks, as a sentence about `label`.
    pub fn parse_labelled(label: &str, text: &str) -> Result<Self, String> {
        point(text).map(Self).map_err(|fault| fault.about(label))
    }

    /// The point in time.
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl Field for DueDate {
    fn parse(label: &str, value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| Fault::Form.about(label))?;
        Self::parse_labelled(label, text)
    }
}

impl Serialize for DueDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

fn point(text: &str) -> Result<Timestamp, Fault> {
    let mut rest = Rest(text.as_bytes());
    let micros = rest.date_time().filter(|_| rest.0.is_empty()).ok_or(Fault::Form)?;
    Timestamp::checked_from_micros(micros).ok_or(Fault::Range)
}

/// What is still to be read.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    /// The date and time in microseconds since the Unix epoch, in years a little beyond both ends.
    fn date_time(&mut self) -> Option<i64> {
        let midnight = self.date()?;
        if self.0.is_empty() {
            return Some(midnight);
        }
        self.one_of(b"Tt ")?;
        let hours = self.number(2).filter(|&hours| hours <= 23)?;
        self.one_of(b":")?;
        let minutes = self.number(2).filter(|&minutes| minutes <= 59)?;
        let whole = midnight + (hours * 60 + minutes) * MICROS_PER_MINUTE;
        if self.0.is_empty() {
            return Some(whole);
        }
        self.one_of(b":")?;
        let seconds = self.number(2).filter(|&seconds| seconds <= 59)?;
        let micros = self.decimals()?;
        // 10:00+05:00 is 05:00 in UTC.
        Some(whole + seconds * 1_000_000 + micros - self.offset()?)
    }

    /// The date, as the point in time at which it begins in UTC.
    fn date(&mut self) -> Option<i64> {
        let year = self.number(4)?;
        self.one_of(b"-")?;
        let month = self.number(2)?;
        self.one_of(b"-")?;
        let day = self.number(2)?;
        start_of_day(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?)
    }

    /// The decimals of a second in microseconds, those after the sixth cut; none is zero, a bare point is wrong.
    fn decimals(&mut self) -> Option<i64> {
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let mut micros = 0;
        let mut worth = 100_000;
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        for digit in &self.0[..count] {
            micros += i64::from(digit - b'0') * worth;
            worth /= 10;
        }
        self.0 = &self.0[count..];
        (count > 0).then_some(micros)
    }

    /// The offset from UTC in microseconds, up to ±23:59; no offset is UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.one_of(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'+' { 1 } else { -1 };
        let hours = self.number(2)?;
        self.one_of(b":")?;
        let minutes = self.number(2)?;
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * MICROS_PER_MINUTE)
    }

    /// A number of exactly so many ASCII digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number
            .iter()
            .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    }

    /// The next byte, if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        bytes.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn echoed(text: &str) -> Result<String, String> {
        DueDate::parse("Due date", &json!(text)).map(|due| due.0.to_string())
    }

    #[test]
    fn the_accepted_forms() {
        for (sent, answered) in [
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30Z"),
            ("2026-03-01t10:20:30z", "2026-03-01T10:20:30Z"),
            ("2026-03-01 10:20:30Z", "2026-03-01T10:20:30Z"),
            ("2026-03-01T10:20:30", "2026-03-01T10:20:30Z"),
            ("2026-03-01T10:20", "2026-03-01T10:20:00Z"),
            ("2026-03-01T10:20:30.25", "2026-03-01T10:20:30.25Z"),
            ("2026-03-01T10:20:30.000Z", "2026-03-01T10:20:30Z"),
            ("2026-03-01T10:20:30.123456789Z", "2026-03-01T10:20:30.123456Z"),
            ("2026-03-01T10:20:30.9999999999999999999999+00:00", "2026-03-01T10:20:30.999999Z"),
            ("2026-03-01T10:20:30+05:30", "2026-03-01T04:50:30Z"),
            ("2026-03-01T10:20:30+16:00", "2026-02-28T18:20:30Z"),
            ("2026-03-01T10:20:30-23:59", "2026-03-02T10:19:30Z"),
            ("2026-03-01T10:20:30+23:59", "2026-02-28T10:21:30Z"),
            ("2026-03-01T10:20:30-00:00", "2026-03-01T10:20:30Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("0001-01-01", "0001-01-01T00:00:00Z"),
            ("0000-12-31T23:00:00-01:00", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"),
        ] {
            assert_eq!(echoed(sent).as_deref(), Ok(answered), "{sent}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_rule() {
        for sent in [
            "",
            " ",
            "tomorrow",
            "2026",
            "2026-03",
            "2026-3-1",
            "20260301",
            "26-03-01",
            "2026/03/01",
            "2026-02-30",
            "2025-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-04-31",
            "2026-03-01T",
            "2026-03-01Z",
            "2026-03-01T10",
            "2026-03-01T10Z",
            "2026-03-01T10:20Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T24:00",
            "2026-03-01T10:60:00Z",
            "2026-12-31T23:59:60Z",
            "9999-12-31T23:59:60Z",
            "2016-12-31T23:59:60Z",
            "2026-03-01T10:20:30.Z",
            "2026-03-01T10:20:30,5Z",
            "2026-03-01T10:20:30+5:00",
            "2026-03-01T10:20:30+0500",
            "2026-03-01T10:20:30+05",
            "2026-03-01T10:20:30+24:00",
            "2026-03-01T10:20:30+05:60",
            "2026-03-01T10:20:30Z ",
            " 2026-03-01",
            "2026-03-01\n",
            "+2026-03-01",
            "-2026-03-01",
            "12026-03-01",
            "2026-03-01  10:20:30Z",
            "2026-03-01T10:20:30 Z",
            "2026-03-01T10:20:30 05:00",
            "２０２６-03-01",
            "2026-03-01T10:20:30Z\0",
            "2026-03-01T10:20:30[UTC]",
            "2026-W09-1",
            "2026-060",
            "2026-03-01T-1:00:00Z",
            "2026-03-01T10:20:30ZZ",
        ] {
            let complaint = "Due date must be an RFC 3339 date-time or a date (YYYY-MM-DD)";
            assert_eq!(echoed(sent), Err(complaint.to_owned()), "{sent}");
        }
        for value in [json!(1_767_225_600), json!(true), json!(["2026-03-01"]), json!({})] {
            assert!(DueDate::parse("Due date", &value).is_err());
        }
    }

    #[test]
    fn years_beyond_the_ends_are_refused_after_the_offset() {
        for sent in [
            "0000-01-01",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T00:01:00-23:59",
        ] {
            let complaint = "Due date must lie in the years 0001 to 9999 in UTC";
            assert_eq!(echoed(sent), Err(complaint.to_owned()), "{sent}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics_and_what_is_accepted_reads_back(
            text in "[0-9T:Zz+. -]{0,40}|\\PC{0,40}",
        ) {
            if let Ok(due) = DueDate::parse_text(&text) {
                prop_assert_eq!(DueDate::parse_text(&due.0.to_string()), Ok(due));
            }
        }

        #[test]
        fn rfc_3339_agrees_with_the_calendar(
            micros in Timestamp::MIN.micros()..=jiff::Timestamp::MAX.as_microsecond(),
            minutes in -1439_i32..=1439,
            more in "[0-9]{0,9}",
        ) {
            let offset = Offset::from_seconds(minutes * 60).unwrap();
            let point = jiff::Timestamp::from_microsecond(micros).unwrap();
            let local = offset.to_datetime(point);
            prop_assume!((0..=9999).contains(&local.year()));
            let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
            let text = format!(
                "{}.{:06}{more}{sign}{:02}:{:02}",
                local.strftime("%Y-%m-%dT%H:%M:%S"), local.subsec_nanosecond() / 1000, minutes / 60, minutes % 60,
            );
            prop_assert_eq!(DueDate::parse_text(&text), Ok(DueDate(Timestamp::from_micros(micros))), "{}", text);
            let answered = Timestamp::from_micros(micros).to_string();
            prop_assert_eq!(DueDate::parse_text(&answered).unwrap().0.micros(), micros);
        }
    }
}
