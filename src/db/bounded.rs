//! A map by SQL text that cannot grow without end, whatever texts come.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// At most `capacity` entries; when full, those not asked for since the last sweep go.
#[derive(Debug)]
pub(super) struct Bounded<V> {
    entries: RwLock<HashMap<Arc<str>, Entry<V>>>,
    capacity: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    used: AtomicBool,
}

impl<V: Clone> Bounded<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: RwLock::default(), capacity }
    }

    pub(super) fn get(&self, key: &str) -> Option<V> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(key)?;
        // Read before written: a shared cache line stays shared while nothing changes.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    pub(super) fn remove(&self, key: &str) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    pub(super) fn insert(&self, key: Arc<str>, value: V) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.capacity {
            entries.retain(|_, entry| std::mem::take(entry.used.get_mut()));
        }
        if entries.len() >= self.capacity {
            entries.clear();
        }
        entries.insert(key, Entry { value, used: AtomicBool::new(false) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_used_and_stays_small() {
        let map = Bounded::new(4);
        map.insert("hot".into(), 0);
        for i in 0..1000 {
            map.insert(i.to_string().into(), i);
            assert_eq!(map.get("hot"), Some(0));
            assert!(map.entries.read().unwrap().len() <= 4);
        }
        assert_eq!(map.get("1"), None);
        assert_eq!(map.get("999"), Some(999));
    }

    #[test]
    fn it_empties_when_everything_is_used() {
        let map = Bounded::new(3);
        for i in 0..10 {
            map.insert(i.to_string().into(), i);
            assert_eq!(map.get(&i.to_string()), Some(i));
        }
        assert!(map.entries.read().unwrap().len() <= 3);
    }
}
