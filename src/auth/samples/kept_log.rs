//! The log of this room, as text, for tests.

use std::sync::{Arc, Mutex};

use tracing::dispatcher::{DefaultGuard, Dispatch, set_default};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The events of this room on this thread, from the making until the end of the test.
pub(in crate::auth) struct KeptLog {
    lines: Lines,
    _until: DefaultGuard,
    /// With one subscriber alone, `tracing` would ask the thread that first meets an event, which may be another test's.
    _other: Dispatch,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl KeptLog {
    pub(in crate::auth) fn keep() -> Self {
        let lines = Lines::default();
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(lines.clone()));
        let other = Dispatch::new(tracing_subscriber::registry());
        Self { lines, _until: set_default(&dispatch), _other: other }
    }

    /// `LEVEL message=… field=…`, line by line.
    pub(in crate::auth) fn lines(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().clone()
    }
}

struct Line<'l>(&'l mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "creatorvault::auth" {
            let mut line = event.metadata().level().to_string();
            event.record(&mut Line(&mut line));
            self.0.lock().unwrap().push(line);
        }
    }
}
