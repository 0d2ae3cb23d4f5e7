//! `RATE_LIMIT`: so many requests in so much time, or `off`.

use std::fmt;
use std::time::Duration;

/// More than this in a second no server answers; it keeps a request's share of the time above a microsecond.
const MOST_IN_A_SECOND: u64 = 1_000_000;

/// So many requests in so much time. After a pause all of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    count: u64,
    per: Per,
}

/// The time that a limit speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Per {
    Second,
    Minute,
    Hour,
    Day,
}

impl Per {
    const ALL: [(&'static str, Self); 4] =
        [("second", Self::Second), ("minute", Self::Minute), ("hour", Self::Hour), ("day", Self::Day)];

    fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

impl RateLimit {
    /// 600 a minute.
    pub(super) const USUAL: Self = Self { count: 600, per: Per::Minute };

    /// How many requests; never 0.
    pub fn count(self) -> u64 {
        self.count
    }

    /// In how much time.
    pub fn window(self) -> Duration {
        Duration::from_secs(self.per.seconds())
    }

    /// `600/minute`, `100/second`, `off` (`None`); any case, blanks around the slash do no harm.
    ///
    /// # Errors
    /// The rule, when the text is none of these.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(None);
        }
        let wrong =
            || "must be a number of requests per second, minute, hour or day such as 600/minute, or off";
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let (count, per) = (count.trim(), per.trim());
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count: u64 = count.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
        let known = Per::ALL.iter().find(|(name, _)| per.eq_ignore_ascii_case(name));
        let per = known.map(|(_, per)| *per).ok_or_else(wrong)?;
        match count {
            0 => Err("must let at least one request through: write off for no limit".to_owned()),
            _ if count > MOST_IN_A_SECOND * per.seconds() => {
                Err(format!("must be at most {MOST_IN_A_SECOND}/second: write off for no limit"))
            }
            _ => Ok(Some(Self { count, per })),
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Per::ALL.iter().find(|(_, per)| *per == self.per).map_or("", |(name, _)| name);
        write!(f, "{}/{name}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_per_time_or_off() {
        for (text, count, seconds) in [
            ("600/minute", 600, 60),
            ("100/minute", 100, 60),
            ("1000000/second", 1_000_000, 1),
            ("1/Day", 1, 86_400),
            (" 7 / HOUR ", 7, 3_600),
            ("0010/second", 10, 1),
            ("86400000000/day", 86_400_000_000, 86_400),
        ] {
            let limit = RateLimit::parse(text.trim()).unwrap().unwrap();
            assert_eq!((limit.count(), limit.window()), (count, Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(RateLimit::parse("OFF"), Ok(None));
    }

    #[test]
    fn anything_else_is_told_with_its_cure() {
        for text in [
            "600",
            "600/",
            "/minute",
            "600/minutes",
            "600/m",
            "-1/second",
            "+1/second",
            "1.5/second",
            "on",
            "1/second/second",
        ] {
            assert!(RateLimit::parse(text).unwrap_err().contains("600/minute, or off"), "{text}");
        }
        assert!(RateLimit::parse("0/minute").unwrap_err().contains("write off"));
        for text in ["1000001/second", "60000001/minute", "18446744073709551615/day"] {
            assert!(RateLimit::parse(text).unwrap_err().contains("at most 1000000/second"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_what_it_takes_it_writes_the_same(text in "[0-9]{0,21} ?/? ?[a-zA-Z]{0,7}|\\PC{0,20}") {
            if let Ok(Some(limit)) = RateLimit::parse(&text) {
                prop_assert_eq!(RateLimit::parse(&limit.to_string()), Ok(Some(limit)));
                prop_assert!(limit.count() > 0 && limit.count() <= MOST_IN_A_SECOND * limit.window().as_secs());
            }
        }
    }
}
