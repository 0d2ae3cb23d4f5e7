//! Logs: one line per request and per event on standard output, one JSON object each (or for eyes, on a terminal).
//!
//! Events are `tracing` events: the message is the line's `event`, the target its `logger`. Every line written while
//! a request is worked on carries its `correlation_id`, from the span that the request log opens. Lines of other
//! libraries appear from warning on only: their debug lines may quote statements and values.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::clock::Clock;
use crate::config::log::{Format, LogConfig};

mod layer;
mod line;
pub(crate) mod requests;
mod sink;

use layer::LogLayer;
use sink::Sink;

/// Keeps the log going; what is still in its buffer is written when it is dropped (at most a second is spent on it).
#[derive(Debug)]
#[must_use = "lines that are not written yet are written when the guard is dropped"]
pub struct LogGuard(Sink);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Sends the process's events and panics to standard output from now on, and its spans to `beside`. Where a subscriber is there already, that
/// one stays.
pub fn init(config: &LogConfig, clock: Clock, beside: impl Layer<Registry> + Send + Sync) -> LogGuard {
    let unset = || if std::io::stdout().is_terminal() { Format::Pretty } else { Format::Json };
    let format = config.format.unwrap_or_else(unset);
    let sink = Sink::start(std::io::stdout());
    let lines = LogLayer::new(config.level, format, clock, sink.clone());
    if tracing::subscriber::set_global_default(tracing_subscriber::registry().with(beside).with(lines))
        .is_ok()
    {
        std::panic::set_hook(Box::new(log_panic));
    }
    LogGuard(sink)
}

/// Where it happened, but never the panic's text: texts of failed slices and unwraps quote what users sent.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let (file, line) = panic.location().map_or(("unknown", 0), |place| (place.file(), place.line()));
    tracing::error!(target: "creatorvault::panic", file, line, "Panic");
}

#[cfg(test)]
mod tests {
    use super::layer::tests::Kept;
    use super::*;
    use crate::config::log::Level;

    #[test]
    fn a_panics_text_stays_out_of_the_log() {
        let kept = Kept::default();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        tracing::subscriber::with_default(kept.subscriber(Level::Debug, Format::Json), || {
            let title = "a canary é";
            assert!(std::panic::catch_unwind(|| title[..10].len()).is_err());
        });
        std::panic::set_hook(before);
        let line = &kept.lines()[0];
        assert_eq!((line["event"].as_str(), line["level"].as_str()), (Some("Panic"), Some("error")));
        assert!(line["file"].as_str().is_some_and(|file| file.ends_with("log.rs")));
        assert!(!kept.text().contains("canary"));
    }
}
