//! Chance that can be repeated: `TEST_SEED=… scripts/test NAME` throws the same again.

use creatorvault::clock::Clock;

/// SplitMix64 (Steele, Lea and Flood, 2014), from a seed that is printed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        let given =
            std::env::var("TEST_SEED").ok().map(|text| text.parse().expect("TEST_SEED is a whole number"));
        let seed = given.unwrap_or_else(|| Clock::system().now().micros().unsigned_abs());
        println!("TEST_SEED={seed}"); // shown when the test fails
        Self::of(seed)
    }

    /// Those of a known seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for one of several that throw at once.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// A number from 0 to `end - 1`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
