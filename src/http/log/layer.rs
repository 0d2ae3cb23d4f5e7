//! Between `tracing` and the output: which events are written, and which request they belong to.

use std::cell::RefCell;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::line::{self, Trail};
use super::sink::Output;
use crate::clock::Clock;
use crate::config::log::{Format, Level};

thread_local! {
    /// A line is put together here, so that none costs an allocation.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Writes events as lines.
#[derive(Debug)]
pub(super) struct LogLayer<O> {
    level: LevelFilter,
    format: Format,
    clock: Clock,
    output: O,
}

impl<O: Output> LogLayer<O> {
    /// Lines from `level` on, timed by `clock`, go to `output`.
    pub(super) fn new(level: Level, format: Format, clock: Clock, output: O) -> Self {
        let level = match level {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warning => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        };
        Self { level, format, clock, output }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        // debug lines of libraries quote statements, headers and values
        let ours = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        let level = if ours { self.level } else { self.level.min(LevelFilter::WARN) };
        *metadata.level() <= level
    }

    fn write(&self, event: &Event<'_>, trail: Option<&Trail>) -> u64 {
        LINE.with(|line| {
            // a value whose own formatting logs would come back here: that inner line is left out
            let Ok(mut line) = line.try_borrow_mut() else { return 0 };
            line.clear();
            line::write(&mut line, self.format, self.clock.now(), event, trail);
            self.output.push(line.as_bytes())
        })
    }
}

impl<S, O> Layer<S> for LogLayer<O>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    O: Output,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut found = TrailFields::default();
        attributes.record(&mut found);
        if let (Some(span), Some(correlation)) = (context.span(id), found.correlation) {
            span.extensions_mut().insert(Trail { correlation, trace: found.trace });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let spans = context.event_scope(event).into_iter().flatten();
        let mut lost = None;
        for span in spans {
            if let Some(trail) = span.extensions().get::<Trail>() {
                lost = Some(self.write(event, Some(trail)));
                break;
            }
        }
        let lost = lost.unwrap_or_else(|| self.write(event, None));
        if lost > 0 {
            tracing::warn!(target: "creatorvault::log", lost, "Log lines lost: their reader was too slow");
        }
    }
}

/// The fields of a span that lines repeat.
#[derive(Default)]
struct TrailFields {
    correlation: Option<Box<str>>,
    trace: Option<Box<str>>,
}

impl Visit for TrailFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "correlation_id" => self.correlation = Some(value.into()),
            "trace_id" => self.trace = Some(value.into()),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::field::timestamp::Timestamp;

    /// Keeps the lines.
    #[derive(Debug, Clone, Default)]
    pub(in crate::http::log) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Output for Kept {
        fn push(&self, line: &[u8]) -> u64 {
            self.0.lock().unwrap().extend_from_slice(line);
            0
        }
    }

    impl Kept {
        /// Everything that was written.
        pub(in crate::http::log) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        /// Each line, which must be one JSON object.
        pub(in crate::http::log) fn lines(&self) -> Vec<Value> {
            let text = self.text();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }

        /// A subscriber that writes here.
        pub(in crate::http::log) fn subscriber(
            &self,
            level: Level,
            format: Format,
        ) -> impl Subscriber + use<> {
            let clock = Clock::held(Timestamp::from_micros(1_700_000_000_123_456));
            tracing_subscriber::registry().with(LogLayer::new(level, format, clock, self.clone()))
        }
    }

    fn kept(level: Level, format: Format, events: impl FnOnce()) -> Kept {
        let kept = Kept::default();
        tracing::subscriber::with_default(kept.subscriber(level, format), events);
        kept
    }

    #[test]
    fn a_line_has_its_fields_in_the_documented_order() {
        let kept = kept(Level::Info, Format::Json, || {
            let span = tracing::error_span!("request", correlation_id = "abc", trace_id = "4bf9");
            let _in = span.enter();
            let idea = uuid::Uuid::nil();
            tracing::info!(target: "creatorvault::ideas", idea_id = %idea, count = 3, share = 0.5, ok = true, "Idea created");
        });
        assert_eq!(
            kept.text(),
            "{\"timestamp\":\"2023-11-14T22:13:20.123456Z\",\"level\":\"info\",\"logger\":\"creatorvault::ideas\",\
             \"event\":\"Idea created\",\"correlation_id\":\"abc\",\"trace_id\":\"4bf9\",\
             \"idea_id\":\"00000000-0000-0000-0000-000000000000\",\"count\":3,\"share\":0.5,\"ok\":true}\n"
        );
    }

    #[test]
    fn whatever_a_value_holds_a_line_is_one_object() {
        let nasty = "a\r\n{\"level\":\"error\"}\u{2028}\x1b[2J\"\\\0";
        let kept = kept(Level::Debug, Format::Json, || {
            tracing::warn!(target: "creatorvault::x", text = nasty, shown = %nasty, debug = ?nasty, nan = f64::NAN, "{nasty}");
        });
        let lines = kept.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["text"], nasty);
        assert_eq!(lines[0]["shown"], nasty);
        assert_eq!(lines[0]["event"], nasty);
        assert_eq!(lines[0]["level"], "warning");
        assert!(!kept.text().trim_end().contains(['\u{2028}', '\x1b', '\r', '\n', '\0']));
    }

    #[test]
    fn pretty_lines_are_one_line_each_too() {
        let kept = kept(Level::Info, Format::Pretty, || {
            tracing::info!(target: "creatorvault::x", text = "two words\r\n\x1b[2J", "Something\nhappened");
        });
        let text = kept.text();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(
            text.contains("Something\\nhappened") && text.contains("\"two words\\r\\n\\u001b[2J\""),
            "{text}"
        );
    }

    #[test]
    fn levels_and_loggers_are_filtered() {
        let events = || {
            tracing::trace!(target: "creatorvault::a", "ours trace");
            tracing::debug!(target: "creatorvault::a", "ours debug");
            tracing::info!(target: "creatorvault::a", "ours info");
            tracing::info!(target: "some_library", "library info");
            tracing::warn!(target: "some_library", "library warning");
            tracing::error!(target: "creatorvault::a", "ours error");
        };
        let events_at = |level| -> Vec<String> {
            let lines = kept(level, Format::Json, events).lines();
            lines.iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(events_at(Level::Debug), ["ours debug", "ours info", "library warning", "ours error"]);
        assert_eq!(events_at(Level::Info), ["ours info", "library warning", "ours error"]);
        assert_eq!(events_at(Level::Warning), ["library warning", "ours error"]);
        assert_eq!(events_at(Level::Error), ["ours error"]);
    }
}
