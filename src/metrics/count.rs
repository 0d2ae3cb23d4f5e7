//! Numbers that many threads change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts up and down; who counts up sees to it that it is counted down.
#[derive(Debug, Default)]
pub(super) struct Level(AtomicU64);

impl Level {
    pub(super) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many of something there are now. Cheap to clone; the clones count together.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<Level>);

/// One of them, until it is dropped.
#[derive(Debug)]
#[must_use = "it counts until it is dropped"]
pub struct Held(Gauge);

impl Gauge {
    /// One more, for as long as the answer is held.
    pub fn hold(&self) -> Held {
        self.0.up();
        Held(self.clone())
    }

    /// How many there are.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.down();
    }
}
