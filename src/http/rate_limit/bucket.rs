//! The bucket of one user or address, as a single point in time (the generic cell rate algorithm): when it will be
//! full again. All times are nanoseconds since whatever begin the clock has.

use std::time::Duration;

use crate::config::limits::RateLimit;

/// A limit: so many tokens, and how long one takes to come back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    count: u64,
    step: u64,
}

/// How a bucket stands after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether there was a token.
    pub(super) allowed: bool,
    /// How many are left.
    pub(super) left: u64,
    /// Until it is full.
    pub(super) full_in: Duration,
    /// Until there is a token; nothing while there is one.
    pub(super) next_in: Duration,
}

impl Pace {
    pub(super) fn of(limit: RateLimit) -> Self {
        let window = u64::try_from(limit.window().as_nanos()).unwrap_or(u64::MAX);
        Self { count: limit.count(), step: window / limit.count() }
    }

    /// Nanoseconds that one token takes to come back.
    pub(super) fn step(self) -> u64 {
        self.step
    }

    /// Nanoseconds that all of them take.
    pub(super) fn whole(self) -> u64 {
        self.count * self.step
    }

    /// Takes a token now, if there is one, out of the bucket that is full at `full`; when it is full after that.
    pub(super) fn take(self, full: u64, now: u64) -> (u64, Standing) {
        let owed = full.saturating_sub(now);
        let after = owed.saturating_add(self.step);
        if after <= self.whole() {
            (now + after, self.standing(true, after))
        } else {
            (full, self.standing(false, owed))
        }
    }

    /// How the bucket that is full at `full` stands now; nothing is taken.
    pub(super) fn look(self, full: u64, now: u64) -> Standing {
        let owed = full.saturating_sub(now);
        self.standing(owed.saturating_add(self.step) <= self.whole(), owed)
    }

    /// The standing of a bucket that is full after so many nanoseconds.
    pub(super) fn standing(self, allowed: bool, owed: u64) -> Standing {
        let room = self.whole().saturating_sub(owed);
        Standing {
            allowed,
            left: room / self.step,
            full_in: Duration::from_nanos(owed),
            next_in: Duration::from_nanos(self.step.saturating_sub(room)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn pace(text: &str) -> Pace {
        let vars = [("RATE_LIMIT".to_owned(), text.to_owned())];
        Pace::of(crate::config::Config::from_vars(vars).unwrap().0.limits.rate.unwrap())
    }

    #[test]
    fn exactly_so_many_at_once_then_one_by_one() {
        for (text, count) in [
            ("5/second", 5),
            ("600/minute", 600),
            ("7/minute", 7),
            ("1/day", 1),
            ("1000000/second", 1_000_000),
        ] {
            let pace = pace(text);
            let (mut full, now) = (0, 17 * SECOND);
            for taken in 1..=count {
                let (next, standing) = pace.take(full, now);
                assert!(standing.allowed && standing.left == count - taken, "{text} {taken} {standing:?}");
                full = next;
            }
            let (same, standing) = pace.take(full, now);
            assert_eq!((standing.allowed, standing.left, same), (false, 0, full), "{text}");
            let wait = u64::try_from(standing.next_in.as_nanos()).unwrap();
            assert_eq!(wait, pace.step(), "{text}");
            assert!(!pace.take(full, now + wait - 1).1.allowed, "{text}: not too early");
            let (later, standing) = pace.take(full, now + wait);
            assert!(standing.allowed && standing.left == 0, "{text}: when it was told to come");
            assert!(!pace.take(later, now + wait).1.allowed, "{text}: and one only");
        }
    }

    #[test]
    fn after_its_time_it_is_full_and_no_fuller() {
        let pace = pace("600/minute");
        let (full, standing) = pace.take(0, 100 * SECOND);
        assert_eq!((standing.left, standing.full_in), (599, Duration::from_millis(100)));
        assert_eq!(full, 100 * SECOND + SECOND / 10);
        assert_eq!(pace.take(full, 900 * SECOND).1.left, 599, "a long pause saves nothing up");
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate(count in 1u64..50, pauses in prop::collection::vec(0u64..SECOND, 1..400)) {
            let pace = pace(&format!("{count}/second"));
            let (mut full, mut now, mut taken) = (0, SECOND, 0u64);
            for pause in pauses {
                now += pause;
                let (next, standing) = pace.take(full, now);
                full = next;
                taken += u64::from(standing.allowed);
                prop_assert!(taken <= count + (now - SECOND) / pace.step());
                prop_assert_eq!(standing.allowed || standing.left == 0, true);
                prop_assert_eq!(standing.next_in.is_zero(), standing.left > 0);
            }
        }
    }
}
