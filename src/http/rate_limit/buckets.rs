//! The buckets in memory. Each is eight bytes beside its key; one that is full again is the same as none, so those are
//! swept out, and there are never more than a fixed number of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bucket::{Pace, Standing};

/// Locks, so that threads seldom wait for each other. A power of two.
const SHARDS: usize = 64;
/// So many are compared where one has to give way.
const SOME: usize = 16;
/// Nanoseconds between two looks through a shard that stays at its most.
const WHILE: u64 = 100_000_000;
/// A shard with fewer buckets is not looked through.
const FEW: usize = 64;

/// The buckets of all users, or of all addresses. Keys are well-mixed already.
#[derive(Debug)]
pub(super) struct Buckets {
    shards: Box<[Mutex<Shard>]>,
    /// Buckets in a shard at most.
    most: usize,
}

#[derive(Debug, Default)]
struct Shard {
    /// When the bucket of a key is full.
    full: HashMap<u64, u64, BuildHasherDefault<AsItIs>>,
    /// With so many buckets it is looked through.
    sweep_at: usize,
    /// And when it has as many as it may, not before this time.
    next_sweep: u64,
}

impl Buckets {
    /// At most `most` buckets.
    pub(super) fn new(most: usize) -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, most: (most / SHARDS).max(1) }
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        // the map in it goes by the lowest and the highest bits
        let place = (key >> 32) as usize % SHARDS;
        // a bucket that a panicking thread has left is a whole one
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the bucket of this key stands.
    pub(super) fn look(&self, key: u64, pace: Pace, now: u64) -> Standing {
        let full = self.shard(key).full.get(&key).copied().unwrap_or(0);
        pace.look(full, now)
    }

    /// Takes a token out of the bucket of this key.
    pub(super) fn take(&self, key: u64, pace: Pace, now: u64) -> Standing {
        let mut shard = self.shard(key);
        if let Some(full) = shard.full.get_mut(&key) {
            let (after, standing) = pace.take(*full, now);
            *full = after;
            return standing;
        }
        shard.make_room(self.most, now);
        let (after, standing) = pace.take(0, now);
        shard.full.insert(key, after);
        standing
    }
}

impl Shard {
    /// Sweeps when it has doubled since the last time, or when it is at its most, then once in a while. Where no place
    /// is free after that the fullest of a few gives way: its owner gains the least by it.
    fn make_room(&mut self, most: usize, now: u64) {
        let at_most = self.full.len() >= most;
        if self.full.len() >= self.sweep_at.max(FEW.min(most)) && (!at_most || now >= self.next_sweep) {
            self.full.retain(|_, full| *full > now);
            self.full.shrink_to(self.full.len() * 2);
            self.sweep_at = (self.full.len() * 2).min(most);
            self.next_sweep = now + WHILE;
        }
        if self.full.len() >= most {
            let fullest = self.full.iter().take(SOME).min_by_key(|(_, full)| **full).map(|(key, _)| *key);
            fullest.and_then(|key| self.full.remove(&key));
        }
    }
}

/// Keys are hashes themselves.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SECOND: u64 = 1_000_000_000;

    fn pace() -> Pace {
        let vars = [("RATE_LIMIT".to_owned(), "5/second".to_owned())];
        Pace::of(Config::from_vars(vars).unwrap().0.limits.rate.unwrap())
    }

    /// Keys that differ in every bit, as hashes do.
    fn key(number: u64) -> u64 {
        number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn count(buckets: &Buckets) -> usize {
        buckets.shards.iter().map(|shard| shard.lock().unwrap().full.len()).sum()
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let buckets = Buckets::new(1_000);
        for left in (0..5).rev() {
            assert_eq!(buckets.take(key(1), pace(), SECOND).left, left);
        }
        assert!(!buckets.take(key(1), pace(), SECOND).allowed);
        assert_eq!(buckets.take(key(2), pace(), SECOND).left, 4);
        assert!(buckets.take(key(1), pace(), SECOND + SECOND / 5).allowed);
    }

    #[test]
    fn full_ones_are_forgotten() {
        let buckets = Buckets::new(1 << 20);
        for number in 0..200_000 {
            // ten new keys every millisecond, each full again after 200 ms
            buckets.take(key(number), pace(), SECOND + number * SECOND / 10_000);
        }
        assert!(count(&buckets) <= 3 * SHARDS * FEW, "{} are kept", count(&buckets));
        let room: usize = buckets.shards.iter().map(|shard| shard.lock().unwrap().full.capacity()).sum();
        assert!(room <= 8 * SHARDS * FEW, "room for {room}");
    }

    #[test]
    fn there_are_never_more_than_the_most_and_who_is_at_the_limit_stays() {
        let buckets = Buckets::new(6_400);
        for _ in 0..6 {
            buckets.take(key(0), pace(), SECOND);
        }
        for number in 1..100_000 {
            buckets.take(key(number), pace(), SECOND);
        }
        assert!(count(&buckets) <= 6_400);
        assert!(!buckets.take(key(0), pace(), SECOND).allowed);
    }

    #[test]
    fn threads_together_get_exactly_the_limit() {
        let buckets = Buckets::new(1_000);
        let taken: usize = std::thread::scope(|scope| {
            let taking = || (0..1_000).filter(|_| buckets.take(key(7), pace(), SECOND).allowed).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(taking)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 5);
    }
}
