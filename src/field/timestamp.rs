//! A point in time as both databases hold it: whole microseconds, years 0001 to 9999.

use std::fmt;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::Offset;
use serde::{Serialize, Serializer};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The calendar repeats itself every 400 years. jiff's points in time end a day before the year 9999 does, so it is
/// always asked about 400 years earlier.
const CYCLE_YEARS: i16 = 400;
const CYCLE_MICROS: i64 = 146_097 * 86_400 * MICROS_PER_SECOND;

/// The longest text of a point in time: `2026-01-31T23:59:59.123456Z`.
const LONGEST: usize = 27;

/// Microseconds since the Unix epoch, UTC; between 0001-01-01 and 9999-12-31.
///
/// Shown and serialized as RFC 3339 in UTC ending in `Z`, with as many decimals as needed and six at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800 * MICROS_PER_SECOND);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_800 * MICROS_PER_SECOND - 1);

    /// From microseconds since the Unix epoch; what lies outside the years 0001 to 9999 becomes the nearest end.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// From microseconds since the Unix epoch; `None` outside the years 0001 to 9999.
    pub const fn checked_from_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 { None } else { Some(Self(micros)) }
    }

    /// From seconds since the Unix epoch; what lies outside the years 0001 to 9999 becomes the nearest end.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// So much later, at most [`Timestamp::MAX`]; less than a microsecond is dropped.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The RFC 3339 text, written into `buffer`: times are in every answer, so they cost no allocation.
    fn write(self, buffer: &mut [u8; LONGEST]) -> &str {
        let earlier = jiff::Timestamp::from_microsecond(self.0 - CYCLE_MICROS);
        let civil = Offset::UTC.to_datetime(earlier.unwrap_or(jiff::Timestamp::UNIX_EPOCH));
        buffer[..19].copy_from_slice(b"0000-00-00T00:00:00");
        digits(&mut buffer[0..4], u32::from((civil.year() + CYCLE_YEARS).unsigned_abs()));
        digits(&mut buffer[5..7], u32::from(civil.month().unsigned_abs()));
        digits(&mut buffer[8..10], u32::from(civil.day().unsigned_abs()));
        digits(&mut buffer[11..13], u32::from(civil.hour().unsigned_abs()));
        digits(&mut buffer[14..16], u32::from(civil.minute().unsigned_abs()));
        digits(&mut buffer[17..19], u32::from(civil.second().unsigned_abs()));
        let end = decimals(buffer, self.0.rem_euclid(MICROS_PER_SECOND));
        buffer[end] = b'Z';
        std::str::from_utf8(&buffer[..=end]).unwrap_or_default()
    }
}

/// The microseconds since the Unix epoch at which a day of the years 0000 to 9999 begins in UTC; `None` for an impossible
/// day. The year 0000 is there because an offset may carry a time out of it.
pub(super) fn start_of_day(year: i16, month: i8, day: i8) -> Option<i64> {
    let earlier = Date::new(year.checked_sub(CYCLE_YEARS)?, month, day).ok()?;
    let point = Offset::UTC.to_timestamp(earlier.at(0, 0, 0, 0)).ok()?;
    Some(point.as_microsecond() + CYCLE_MICROS)
}

/// Writes `number` right-aligned over the zeros of `place`.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

/// Writes the decimals after the seconds without trailing zeros, none for a whole second; says where the text goes on.
fn decimals(buffer: &mut [u8; LONGEST], micros: i64) -> usize {
    if micros == 0 {
        return 19;
    }
    buffer[19] = b'.';
    digits(&mut buffer[20..26], u32::try_from(micros).unwrap_or_default());
    let mut end = 26;
    while buffer[end - 1] == b'0' {
        end -= 1;
    }
    end
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.write(&mut [0; LONGEST]))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write(&mut [0; LONGEST]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn written_as_rfc_3339_in_utc_without_trailing_zeros() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000001Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_500_000, "1970-01-01T00:00:01.5Z"),
            (1_709_164_799_120_000, "2024-02-28T23:59:59.12Z"),
            (1_709_164_800_000_100, "2024-02-29T00:00:00.0001Z"),
            (Timestamp::MIN.micros(), "0001-01-01T00:00:00Z"),
            (Timestamp::MAX.micros(), "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Timestamp::from_micros(micros).to_string(), text);
            let json = serde_json::to_string(&Timestamp::from_micros(micros)).unwrap();
            assert_eq!(json, format!("\"{text}\""));
        }
    }

    #[test]
    fn never_outside_the_years_0001_to_9999() {
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_seconds(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::checked_from_micros(Timestamp::MAX.micros() + 1), None);
        assert_eq!(Timestamp::checked_from_micros(Timestamp::MIN.micros() - 1), None);
    }

    #[test]
    fn seconds_round_towards_the_past() {
        assert_eq!(Timestamp::from_micros(-1).seconds(), -1);
        assert_eq!(Timestamp::from_micros(1_999_999).seconds(), 1);
        assert_eq!(Timestamp::from_seconds(7).plus(Duration::from_millis(3)).micros(), 7_003_000);
    }

    #[test]
    fn days_begin_where_the_calendar_says() {
        assert_eq!(start_of_day(1970, 1, 1), Some(0));
        assert_eq!(start_of_day(1, 1, 1), Some(Timestamp::MIN.micros()));
        assert_eq!(start_of_day(9999, 12, 31), Some(Timestamp::MAX.micros() + 1 - 86_400_000_000));
        assert_eq!(start_of_day(0, 2, 29), Some(Timestamp::MIN.micros() - 307 * 86_400_000_000));
        for (year, month, day) in [(1900, 2, 29), (2023, 2, 29), (2024, 2, 30), (2024, 0, 1), (2024, 1, 0)] {
            assert_eq!(start_of_day(year, month, day), None);
        }
    }

    proptest! {
        #[test]
        fn the_calendar_reads_back_what_was_written(
            micros in Timestamp::MIN.micros()..=jiff::Timestamp::MAX.as_microsecond(),
        ) {
            let text = Timestamp::from_micros(micros).to_string();
            prop_assert_eq!(text.parse::<jiff::Timestamp>().unwrap().as_microsecond(), micros);
        }
    }
}
