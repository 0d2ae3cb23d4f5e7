//! What a connection is waiting for, and how long it may. The HTTP library has one time for the head of a request and
//! for the pause before it; behind a proxy that keeps connections for a minute they must differ.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::app::Flag;
use crate::http::load::Load;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The head of a request, from its first byte; of the first request, from the connection's begin.
    pub(crate) head: Duration,
    /// The pause between an answer and the next request.
    pub(crate) idle: Duration,
    /// The same while few places are left for others.
    pub(crate) crowded_idle: Duration,
    /// A client that takes hardly any bytes of its answer: fewer than [`A_LITTLE`] in this time.
    pub(crate) stall: Duration,
    /// The same while little room is left for the answers of others.
    pub(crate) crowded_stall: Duration,
    /// At the end: a head that has begun, or a connection without a request so far.
    pub(crate) last_head: Duration,
    /// A pause in what a client still sends after the last answer, until which it is read.
    pub(crate) linger: Duration,
    /// `SHUTDOWN_DELAY`.
    pub(crate) delay: Duration,
    /// `SHUTDOWN_GRACE`.
    pub(crate) grace: Duration,
}

impl Times {
    /// The times of a real server.
    pub(crate) fn usual(delay: Duration, grace: Duration) -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            crowded_idle: Duration::from_secs(1),
            stall: Duration::from_secs(30),
            crowded_stall: Duration::from_secs(10),
            last_head: Duration::from_millis(500),
            linger: Duration::from_millis(500),
            delay,
            grace,
        }
    }
}

/// A client that is waited for has to take so many bytes in time, so that drop by drop is no way to hold a list in memory.
/// What it has taken is seen in steps of [`UNSENT`] and a segment (64 KiB on this machine): with twice as many bytes in
/// time it is never cut off.
const A_LITTLE: u64 = 64 * 1024;
/// Bytes that the system keeps of an answer beyond what the client has room for. By itself it would keep megabytes, and
/// ask for more only when a third of them is gone.
pub(super) const UNSENT: u32 = 64 * 1024;

/// No point in time.
const NEVER: u64 = u64::MAX;

/// What a connection is at when the server closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// An answer is made or sent.
    Answer,
    /// A request is on its way, or the first one may be.
    Head,
    /// It is idle.
    Nothing,
}

/// Written by the connection's socket and service, read by its task, all of which take turns: no ordering is needed.
#[derive(Debug)]
pub(super) struct Pulse {
    /// The connection's begin; all points are milliseconds from it.
    begin: Instant,
    /// Between a request's head and the end of its answer's body.
    busy: AtomicBool,
    /// The first byte of the head that is being read.
    head: AtomicU64,
    /// The last answer's end, or the last bytes of it that were sent.
    quiet: AtomicU64,
    /// Since when the client is waited for.
    stalled: AtomicU64,
    /// How many bytes it has taken since then.
    taken: AtomicU64,
    /// Since when the server is closing.
    closing: AtomicU64,
    /// The client has sent its last byte.
    ended: AtomicBool,
    /// Where the answer takes room that others wait for.
    load: OnceLock<Load>,
    /// Few places are left for others.
    crowded: Flag,
}

impl Pulse {
    /// Of a connection among others, which say that they are too many.
    pub(super) fn new(crowded: Flag) -> Self {
        Self {
            begin: Instant::now(),
            busy: AtomicBool::new(false),
            head: AtomicU64::new(0),
            quiet: AtomicU64::new(0),
            stalled: AtomicU64::new(NEVER),
            taken: AtomicU64::new(0),
            closing: AtomicU64::new(NEVER),
            ended: AtomicBool::new(false),
            load: OnceLock::new(),
            crowded,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        if !self.is_busy() && self.head.load(Ordering::Relaxed) == NEVER {
            self.head.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The client's last byte came.
    pub(super) fn ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// A request's head is complete.
    pub(super) fn asked(&self) {
        self.busy.store(true, Ordering::Relaxed);
        self.head.store(NEVER, Ordering::Relaxed);
    }

    /// The answer takes room of this.
    pub(super) fn weighs(&self, load: Load) {
        self.load.get_or_init(|| load);
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.crowded.is_up()
    }

    /// An answer's body has been handed over whole.
    pub(super) fn answered(&self) {
        self.busy.store(false, Ordering::Relaxed);
        self.quiet.store(self.now(), Ordering::Relaxed);
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// The client took so many bytes.
    pub(super) fn sent(&self, bytes: usize) {
        if self.stalled.load(Ordering::Relaxed) != NEVER {
            let taken = self.taken.load(Ordering::Relaxed).saturating_add(bytes as u64);
            self.taken.store(taken, Ordering::Relaxed);
            if taken >= A_LITTLE {
                self.stalled.store(NEVER, Ordering::Relaxed);
            }
        }
        if !self.is_busy() {
            self.quiet.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The client has taken all that there was so far.
    pub(super) fn flushed(&self) {
        self.stalled.store(NEVER, Ordering::Relaxed);
    }

    /// The client takes no more bytes for now.
    pub(super) fn stalled(&self) {
        if self.stalled.load(Ordering::Relaxed) == NEVER {
            self.taken.store(0, Ordering::Relaxed);
            self.stalled.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The server is closing: what the connection is at.
    pub(super) fn closing(&self) -> Last {
        self.closing.store(self.now(), Ordering::Relaxed);
        if self.is_busy() || self.stalled.load(Ordering::Relaxed) != NEVER {
            Last::Answer
        } else if self.head.load(Ordering::Relaxed) != NEVER {
            Last::Head
        } else {
            Last::Nothing
        }
    }

    /// Until when what the connection waits for must have come; `None` while a handler is at work.
    pub(super) fn due(&self, times: &Times) -> Option<Instant> {
        let [head, quiet, stalled, closing] = [&self.head, &self.quiet, &self.stalled, &self.closing]
            .map(|point| point.load(Ordering::Relaxed));
        let after = |point: u64, time: Duration| self.begin + Duration::from_millis(point) + time;
        if stalled != NEVER {
            let short = self.load.get().is_some_and(Load::is_short);
            Some(after(stalled, if short { times.crowded_stall } else { times.stall }))
        } else if self.is_busy() {
            None
        } else if closing != NEVER {
            Some(after(closing, times.last_head))
        } else if head != NEVER {
            Some(after(head, times.head))
        } else {
            Some(after(quiet, if self.is_crowded() { times.crowded_idle } else { times.idle }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        Times::usual(Duration::ZERO, Duration::from_secs(20))
    }

    /// Seconds from now until it is due.
    fn left(pulse: &Pulse) -> Option<u64> {
        pulse.due(&times()).map(|due| (due - Instant::now()).as_millis().div_ceil(1000) as u64)
    }

    async fn seconds(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn head_and_pause_have_times_of_their_own() {
        let pulse = Pulse::new(Flag::default());
        assert_eq!(left(&pulse), Some(10), "the first head counts from the connection's begin");
        seconds(4).await;
        pulse.received();
        assert_eq!(left(&pulse), Some(6), "a byte of it changes nothing");
        pulse.asked();
        assert_eq!(left(&pulse), None, "a handler has its own deadline");
        seconds(20).await;
        pulse.answered();
        assert_eq!(left(&pulse), Some(75));
        seconds(60).await;
        pulse.received();
        assert_eq!(left(&pulse), Some(10));
        seconds(3).await;
        pulse.received();
        assert_eq!(left(&pulse), Some(7), "dripping does not help");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off() {
        let pulse = Pulse::new(Flag::default());
        pulse.asked();
        pulse.stalled();
        seconds(29).await;
        pulse.stalled();
        assert_eq!(left(&pulse), Some(1));
        pulse.sent(A_LITTLE as usize);
        assert_eq!(left(&pulse), None);
    }

    #[tokio::test(start_paused = true)]
    async fn drop_by_drop_is_not_enough() {
        let pulse = Pulse::new(Flag::default());
        pulse.asked();
        pulse.stalled();
        for _ in 0..29 {
            seconds(1).await;
            pulse.sent(1_000);
            pulse.stalled();
        }
        assert_eq!(left(&pulse), Some(1));
        pulse.flushed();
        assert_eq!(left(&pulse), None, "whoever took all of it is waited for no more");
        pulse.stalled();
        assert_eq!(left(&pulse), Some(30), "and what comes then has its own time");
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_only_a_begun_head_is_awaited() {
        let fresh = Pulse::new(Flag::default());
        assert_eq!(fresh.closing(), Last::Head);
        assert_eq!(left(&fresh), Some(1));
        let idle = Pulse::new(Flag::default());
        idle.asked();
        idle.answered();
        assert_eq!(idle.closing(), Last::Nothing);
        let busy = Pulse::new(Flag::default());
        busy.asked();
        assert_eq!(busy.closing(), Last::Answer);
        assert_eq!(left(&busy), None);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_keeps_others_waiting_has_less_time() {
        let crowded = Flag::default();
        let pulse = Pulse::new(crowded.clone());
        pulse.asked();
        pulse.answered();
        assert_eq!(left(&pulse), Some(75));
        crowded.raise();
        assert_eq!(left(&pulse), Some(1));
        let load = Load::new(1 << 20, std::sync::Arc::default());
        pulse.asked();
        pulse.weighs(load.clone());
        pulse.stalled();
        assert_eq!(left(&pulse), Some(30), "there is room");
        let others = load.filled();
        assert_eq!(left(&pulse), Some(10));
        drop(others);
        assert_eq!(left(&pulse), Some(30));
    }
}
