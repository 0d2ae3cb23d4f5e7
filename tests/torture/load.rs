//! Several writers at once, and when they last had success.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::ground::Ground;
use crate::server::token;
use crate::writer::{Tally, Writer};

/// Hears every success, and keeps the first ones since a mark.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Option<Firsts>>);

#[derive(Debug, Clone, Copy)]
struct Firsts {
    mark: Instant,
    read: Option<Instant>,
    write: Option<Instant>,
}

impl Pulse {
    pub(crate) fn beat(&self, is_read: bool) {
        if let Some(firsts) = self.0.lock().expect("no holder panics").as_mut() {
            let first = if is_read { &mut firsts.read } else { &mut firsts.write };
            first.get_or_insert_with(Instant::now);
        }
    }

    /// From now on the first successes are wanted.
    pub(crate) fn mark(&self, mark: Instant) {
        *self.0.lock().expect("no holder panics") = Some(Firsts { mark, read: None, write: None });
    }

    /// How long after the mark the first write and the first read had success, waited for.
    pub(crate) async fn firsts(&self, patience: Duration) -> Option<(Duration, Duration)> {
        let began = Instant::now();
        while began.elapsed() < patience {
            let firsts = *self.0.lock().expect("no holder panics");
            if let Some(Firsts { mark, read: Some(read), write: Some(write) }) = firsts {
                return Some((write.saturating_duration_since(mark), read.saturating_duration_since(mark)));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        None
    }
}

/// Writers, each a user of her own.
#[derive(Debug)]
pub(crate) struct Writers {
    resting: Vec<Writer>,
    working: Vec<JoinHandle<Writer>>,
    stop: watch::Sender<bool>,
    pub(crate) pulse: Arc<Pulse>,
}

impl Writers {
    pub(crate) fn new(ground: &Ground, kind: &str, count: usize, address: SocketAddr) -> Self {
        Self::with_ballast(ground, kind, count, address, 0)
    }

    /// Writers whose rows are so many bytes large.
    pub(crate) fn with_ballast(
        ground: &Ground,
        kind: &str,
        count: usize,
        address: SocketAddr,
        bytes: usize,
    ) -> Self {
        let pulse = Arc::new(Pulse::default());
        let mut dice = ground.dice(kind);
        let writer = |i: usize| {
            let name = format!("{kind}-{i}");
            let client = Client::new(address, token(&name));
            Writer::new(&name, client, dice.split(), Arc::clone(&pulse)).with_ballast(bytes)
        };
        let resting = (0..count).map(writer).collect();
        Self { resting, working: Vec::new(), stop: watch::channel(false).0, pulse }
    }

    /// All of them begin.
    pub(crate) fn begin(&mut self) {
        self.stop.send_replace(false);
        let stop = &self.stop;
        self.working.extend(self.resting.drain(..).map(|writer| tokio::spawn(writer.work(stop.subscribe()))));
    }

    /// All of them end what they do.
    pub(crate) async fn rest(&mut self) {
        self.stop.send_replace(true);
        for writer in self.working.drain(..) {
            self.resting.push(writer.await.expect("a writer"));
        }
    }

    /// All of them compare; what was counted since the last time.
    pub(crate) async fn check(&mut self) -> Tally {
        let checks = self.resting.iter_mut().map(Writer::check);
        futures_util::future::join_all(checks).await;
        let mut sum = Tally::default();
        for writer in &mut self.resting {
            sum.add(&writer.take_tally());
        }
        sum
    }
}

/// So many milliseconds, for a note.
pub(crate) fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1_000.0;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// The value that this share of all, in hundredths, does not exceed.
pub(crate) fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * hundredths).div_ceil(100).max(1) - 1;
    times.get(at).copied().unwrap_or_default()
}
