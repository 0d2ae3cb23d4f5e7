//! How values spread over buckets, counted without a lock. The library's own histogram takes a mutex for each value.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::MetricEncoder;
use prometheus_client::encoding::NoLabelSet;

/// A bucket's upper bound: as values are counted, and as the text shows it.
pub(super) type Bound = (u64, f64);

/// Times of requests: from what a read by its id takes to what nobody waits for.
pub(super) const REQUEST: &[Bound] = &[
    (500_000, 0.0005),
    (1_000_000, 0.001),
    (2_500_000, 0.0025),
    (5_000_000, 0.005),
    (10_000_000, 0.01),
    (25_000_000, 0.025),
    (50_000_000, 0.05),
    (100_000_000, 0.1),
    (250_000_000, 0.25),
    (500_000_000, 0.5),
    (1_000_000_000, 1.0),
    (2_500_000_000, 2.5),
    (5_000_000_000, 5.0),
    (10_000_000_000, 10.0),
];

/// Times of statements.
pub(super) const STATEMENT: &[Bound] = &[
    (50_000, 0.00005),
    (100_000, 0.0001),
    (250_000, 0.00025),
    (500_000, 0.0005),
    (1_000_000, 0.001),
    (2_500_000, 0.0025),
    (5_000_000, 0.005),
    (10_000_000, 0.01),
    (25_000_000, 0.025),
    (50_000_000, 0.05),
    (100_000_000, 0.1),
    (250_000_000, 0.25),
    (500_000_000, 0.5),
    (1_000_000_000, 1.0),
    (5_000_000_000, 5.0),
];

/// Writes that share a commit.
pub(super) const GROUP: &[Bound] =
    &[(1, 1.0), (2, 2.0), (4, 4.0), (8, 8.0), (16, 16.0), (32, 32.0), (64, 64.0), (128, 128.0)];

/// How values spread over buckets.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [Bound],
    /// One for each bound, and one for what is beyond the last.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// How much of what is counted makes one of what is shown.
    unit: f64,
}

impl Histogram {
    /// Of times, which are counted in nanoseconds and shown in seconds.
    pub(super) fn of_times(bounds: &'static [Bound]) -> Self {
        Self::new(bounds, 1e9)
    }

    /// Of plain numbers.
    pub(super) fn of_numbers(bounds: &'static [Bound]) -> Self {
        Self::new(bounds, 1.0)
    }

    fn new(bounds: &'static [Bound], unit: f64) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0), unit }
    }

    /// Counts a time.
    pub fn took(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a number.
    pub fn add(&self, value: u64) {
        let at = self.bounds.partition_point(|(bound, _)| *bound < value);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(super) fn write(&self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        let uppers = self.bounds.iter().map(|(_, shown)| *shown).chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = uppers.zip(counts).collect();
        // Counted from the buckets: a value that comes meanwhile must not make them differ.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.sum.load(Ordering::Relaxed) as f64 / self.unit;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}
