//! How long to wait before another try.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Between half of a wait and all of it, by chance, so that many servers do not knock at once.
pub fn spread(wait: Duration) -> Duration {
    part(wait, chance())
}

fn part(wait: Duration, chance: f64) -> Duration {
    wait / 2 + (wait / 2).mul_f64(chance)
}

/// A number in [0, 1); nothing secret depends on it.
pub(super) fn chance() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_vary_between_half_and_whole() {
        let wait = Duration::from_secs(4);
        assert_eq!(part(wait, 0.0), Duration::from_secs(2));
        assert_eq!(part(wait, 0.5), Duration::from_secs(3));
        let waits: Vec<_> = (0..1000).map(|_| spread(wait)).collect();
        assert!(waits.iter().all(|one| (wait / 2..=wait).contains(one)));
        assert!(waits.iter().min() < waits.iter().max());
    }
}
