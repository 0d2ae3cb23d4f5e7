//! Time zones by their IANA names, and when it is today in one. The database of zones is built in: no system has to
//! have one.

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::timestamp::Timestamp;

/// A time zone of the IANA database.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

/// One calendar day in some zone. Where the clocks change it has 23 or 25 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment of the next day.
    pub end: Timestamp,
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone of this name, whatever its case.
    ///
    /// # Errors
    /// What a name is, as a sentence about `label`.
    pub fn parse_labelled(label: &str, name: &str) -> Result<Self, String> {
        let zone = TimeZone::get(name).ok().filter(|zone| !zone.is_unknown());
        zone.map(Self).ok_or_else(|| format!("{label} must be an IANA time zone such as Asia/Karachi"))
    }

    /// The calendar day that it is now in this zone.
    pub fn day(&self, now: Timestamp) -> Day {
        // The last day of the year 9999 is beyond what a zone is known for.
        let point = jiff::Timestamp::from_microsecond(now.micros()).unwrap_or(jiff::Timestamp::MAX);
        let here = point.to_zoned(self.0.clone());
        // Not midnight to midnight: there are days that begin at 01:00, or were left out altogether.
        let start = here.start_of_day();
        let end = here.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
        Day { start: start.map_or(Timestamp::MIN, moment), end: end.map_or(Timestamp::MAX, moment) }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it ends a chain of results")]
fn moment(zoned: Zoned) -> Timestamp {
    Timestamp::from_micros(zoned.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    fn day(zone: &str, now: &str) -> (String, String, i64) {
        let Day { start, end } = Zone::parse_labelled("tz", zone).unwrap().day(at(now));
        (start.to_string(), end.to_string(), (end.seconds() - start.seconds()) / 3_600)
    }

    #[track_caller]
    fn is(zone: &str, now: &str, start: &str, end: &str, hours: i64) {
        assert_eq!(day(zone, now), (start.to_owned(), end.to_owned(), hours), "{zone} {now}");
    }

    #[test]
    fn a_day_begins_at_midnight_there() {
        is("UTC", "2026-11-20T23:59:59.999999Z", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", 24);
        is("UTC", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", 24);
        is("Asia/Karachi", "2026-11-20T18:59:59Z", "2026-11-19T19:00:00Z", "2026-11-20T19:00:00Z", 24);
        is("Asia/Karachi", "2026-11-20T19:00:00Z", "2026-11-20T19:00:00Z", "2026-11-21T19:00:00Z", 24);
        is("Asia/Kathmandu", "2026-11-20T12:00:00Z", "2026-11-19T18:15:00Z", "2026-11-20T18:15:00Z", 24);
        is("Pacific/Kiritimati", "2026-11-20T12:00:00Z", "2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z", 24);
        is("america/new_york", "2026-11-20T04:59:59Z", "2026-11-19T05:00:00Z", "2026-11-20T05:00:00Z", 24);
    }

    #[test]
    fn a_day_on_which_the_clocks_change_is_shorter_or_longer() {
        is("Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23);
        is("Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25);
        is("America/New_York", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", 25);
        // Midnight itself is left out: the day begins at 01:00.
        is("Asia/Beirut", "2026-03-29T10:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z", 23);
        // A whole day is left out.
        is("Pacific/Apia", "2011-12-29T20:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", 24);
        is("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", 24);
    }

    #[test]
    fn only_names_of_zones_are_taken() {
        let complaint = "tz must be an IANA time zone such as Asia/Karachi";
        for bad in
            ["", "Karachi", "Asia/Karachi ", "+05:00", "PKT", "Mars/Olympus", "../etc/passwd", "Etc/Unknown"]
        {
            assert_eq!(Zone::parse_labelled("tz", bad).unwrap_err(), complaint, "{bad}");
        }
        for good in ["UTC", "Etc/UTC", "Asia/Calcutta", "EST5EDT", "America/Argentina/Buenos_Aires"] {
            assert!(Zone::parse_labelled("tz", good).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_ends_of_time_have_days_too() {
        for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Niue"] {
            for now in [Timestamp::MIN, Timestamp::MAX] {
                let Day { start, end } = Zone::parse_labelled("tz", zone).unwrap().day(now);
                assert!(start < end, "{zone} {now}");
            }
        }
    }

    proptest! {
        #[test]
        fn now_is_today(seconds in 0_i64..4_102_444_800, zone in prop::sample::select(vec![
            "UTC", "Asia/Karachi", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns",
            "Pacific/Chatham", "Asia/Tehran", "Africa/Casablanca", "America/Sao_Paulo",
        ])) {
            // St. John's put its clocks back a minute after midnight until 2011, so a piece of a day came twice.
            prop_assume!(zone != "America/St_Johns" || seconds > 1_325_376_000);
            let now = Timestamp::from_seconds(seconds);
            let zone = Zone::parse_labelled("tz", zone).unwrap();
            let Day { start, end } = zone.day(now);
            prop_assert!(start <= now && now < end, "{start} {now} {end}");
            let hours = (end.micros() - start.micros()) / 3_600_000_000;
            prop_assert!((22..=26).contains(&hours), "{hours}");
            prop_assert_eq!(zone.day(end).start, end);
        }
    }

    proptest! {
        #[test]
        fn no_name_panics(name in "[A-Z][a-z]{0,6}(/[A-Z][a-z_]{0,8}){0,2}|[+-]?[0-9:]{0,6}|\\PC{0,40}", micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros()) {
            if let Ok(zone) = Zone::parse_labelled("tz", &name) {
                let now = Timestamp::from_micros(micros);
                let day = zone.day(now);
                prop_assert!(day.start <= day.end);
            }
        }
    }
}
