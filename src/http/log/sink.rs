//! The way of lines to their output: gathered in memory, written in batches by a thread of its own, so that neither a
//! request nor its worker waits for a slow reader of the log.

use std::io::Write;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that wait at most; a reader that stands still costs lines, never memory or answers.
const MOST_PENDING: usize = 4 << 20;
/// What a buffer keeps between batches.
const KEPT: usize = 256 << 10;
/// How long lines are gathered: one wake-up and one write for all of them.
const GATHER: Duration = Duration::from_millis(5);
/// How long the last lines may take.
const LAST: Duration = Duration::from_secs(1);

/// Takes whole lines.
pub(super) trait Output: Send + Sync + 'static {
    /// Takes one line; returns how many lines were lost before it that nobody was told of.
    fn push(&self, line: &[u8]) -> u64;
}

/// The gathering output. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sink(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something changed for the writing thread.
    work: Condvar,
    /// The writing thread is done.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    lost: u64,
    finishing: bool,
    finished: bool,
}

impl Sink {
    /// Starts the writing thread. Where there can be none, lines are lost once the buffer is full.
    pub(super) fn start(output: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let spawned =
            std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_to(output));
        if spawned.is_err() {
            shared.lock().finished = true;
        }
        Self(shared)
    }

    /// Writes what is left and ends the thread; gives up on an output that takes nothing.
    pub(super) fn finish(&self) {
        let mut state = self.0.lock();
        state.finishing = true;
        self.0.work.notify_one();
        let waiting = |state: &mut State| !state.finished;
        drop(self.0.done.wait_timeout_while(state, LAST, waiting).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Output for Sink {
    fn push(&self, line: &[u8]) -> u64 {
        let mut state = self.0.lock();
        if state.pending.len() + line.len() > MOST_PENDING {
            state.lost += 1;
            return 0;
        }
        let first = state.pending.is_empty();
        state.pending.extend_from_slice(line);
        let lost = mem::take(&mut state.lost);
        drop(state);
        if first {
            self.0.work.notify_one();
        }
        lost
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut output: impl Write) {
        let mut batch = Vec::new();
        while self.gather(&mut batch) {
            // an output that is gone (a closed pipe) must not end the server
            let _ = output.write_all(&batch).and_then(|()| output.flush());
            batch.clear();
            batch.shrink_to(KEPT);
        }
        self.lock().finished = true;
        self.done.notify_all();
    }

    /// Waits for lines and takes them; false when there will be no more.
    fn gather(&self, batch: &mut Vec<u8>) -> bool {
        let idle = |state: &mut State| state.pending.is_empty() && !state.finishing;
        let state = self.work.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let more = |state: &mut State| !state.finishing && state.pending.len() < KEPT;
        let waited = self.work.wait_timeout_while(state, GATHER, more);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut state.pending, batch);
        !batch.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Takes nothing until it is told to.
    struct Stuck(mpsc::Receiver<()>, Kept);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_order_before_the_end() {
        let kept = Kept::default();
        let sink = Sink::start(kept.clone());
        let mut expected = String::new();
        for number in 0..10_000 {
            let line = format!("line {number}\n");
            assert_eq!(sink.push(line.as_bytes()), 0);
            expected.push_str(&line);
        }
        sink.finish();
        assert_eq!(String::from_utf8(kept.0.lock().unwrap().clone()).unwrap(), expected);
    }

    #[test]
    fn a_stuck_reader_costs_lines_but_neither_time_nor_memory() {
        let (go, wait) = mpsc::channel();
        let sink = Sink::start(Stuck(wait, Kept::default()));
        let line = [b'x'; 1 << 16];
        // The writer may take one batch, on which it is stuck, before or after the first loss; then it is told already.
        let told_early: u64 = (0..1000).map(|_| sink.push(&line)).sum();
        assert!(sink.0.lock().pending.len() <= MOST_PENDING);
        assert!(sink.0.lock().lost + told_early > 800);
        drop(go);
        let start = std::time::Instant::now();
        let told = loop {
            match sink.push(b"after\n") {
                0 if start.elapsed() < Duration::from_secs(10) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                told => break told,
            }
        };
        assert!(told + told_early > 800, "the first line after a loss says how much was lost: {told}");
        sink.finish();
    }

    #[test]
    fn an_output_that_never_takes_anything_does_not_hold_the_end() {
        let (_go, wait) = mpsc::channel();
        let sink = Sink::start(Stuck(wait, Kept::default()));
        sink.push(b"line\n");
        let start = std::time::Instant::now();
        sink.finish();
        assert!(start.elapsed() < LAST * 3);
    }
}
