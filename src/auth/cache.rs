//! What was found out about tokens before, so that a signature is checked once and not with every request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use crate::field::timestamp::Timestamp;

/// At most so many tokens in each of the two halves.
const HALF: usize = 4_096;

/// What stands for a token: its SHA-256, so that no token lies in memory longer than its request.
pub(super) type Key = [u8; 32];

/// What is known of tokens, each entry until its end. At most two halves: when the young one is full it becomes the old
/// one and the old one is dropped; a token that is still used comes back into the young one.
#[derive(Debug)]
pub(super) struct Remembered<V>(Mutex<Halves<V>>);

#[derive(Debug)]
struct Halves<V> {
    young: HashMap<Key, Entry<V>>,
    old: HashMap<Key, Entry<V>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    life: Life,
}

/// When an entry counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// From when: it says nothing about the time before it was made, in which the token may not have been valid yet.
    pub(super) since: Timestamp,
    /// Until when, exclusive.
    pub(super) until: Timestamp,
    /// Under which keys; it dies with them.
    pub(super) generation: u64,
}

impl Life {
    fn lasts(&self, generation: u64, now: Timestamp) -> bool {
        self.generation == generation && self.since <= now && now < self.until
    }
}

impl<V> Default for Remembered<V> {
    fn default() -> Self {
        Self(Mutex::new(Halves { young: HashMap::new(), old: HashMap::new() }))
    }
}

impl<V: Clone> Remembered<V> {
    /// What is known of the token under these keys at this time.
    pub(super) fn get(&self, key: &Key, generation: u64, now: Timestamp) -> Option<V> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = halves.young.get(key) {
            return entry.life.lasts(generation, now).then(|| entry.value.clone());
        }
        let entry = halves.old.remove(key).filter(|entry| entry.life.lasts(generation, now))?;
        let value = entry.value.clone();
        halves.put(*key, entry);
        Some(value)
    }

    /// Keeps what was found out just now.
    pub(super) fn put(&self, key: Key, value: V, life: Life) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, Entry { value, life });
    }
}

impl<V> Halves<V> {
    fn put(&mut self, key: Key, entry: Entry<V>) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

/// What stands for this token.
pub(super) fn key(token: &str) -> Key {
    let hash = digest(&SHA256, token.as_bytes());
    let mut key = Key::default();
    key.copy_from_slice(hash.as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(since: i64, until: i64, generation: u64) -> Life {
        Life { since: Timestamp::from_micros(since), until: Timestamp::from_micros(until), generation }
    }

    #[test]
    fn an_entry_lives_from_its_making_to_its_end_under_its_keys() {
        let known = Remembered::default();
        known.put(key("a.b.c"), "ann", life(50, 100, 3));
        let at = |generation, micros| known.get(&key("a.b.c"), generation, Timestamp::from_micros(micros));
        assert_eq!((at(3, 50), at(3, 99)), (Some("ann"), Some("ann")));
        assert_eq!(at(3, 100), None, "its end itself is over");
        assert_eq!(at(3, 49), None, "the token may not have been valid then");
        assert_eq!((at(2, 50), at(4, 50)), (None, None), "other keys");
        assert_eq!(known.get(&key("a.b.d"), 3, Timestamp::from_micros(50)), None);
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let known = Remembered::default();
        let (now, life) = (Timestamp::from_micros(0), life(0, 100, 0));
        known.put(key("used"), (), life);
        for i in 0..3 * HALF {
            known.put(key(&i.to_string()), (), life);
            if i % 100 == 0 {
                assert!(known.get(&key("used"), 0, now).is_some(), "after {i}");
            }
        }
        assert!(known.get(&key("0"), 0, now).is_none(), "the oldest are gone");
        let halves = known.0.lock().unwrap();
        assert!(halves.young.len() <= HALF && halves.old.len() <= HALF);
    }
}
