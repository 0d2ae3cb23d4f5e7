//! What the server counts about itself, and the text in which it tells: OpenMetrics 1.0, as Prometheus reads it.
//!
//! A leaf: every room may count here, and this one knows no other. What changes all the time is counted with atomic
//! numbers, without a lock; what can be asked (a pool, the age of the keys, `/proc`) is asked when the text is made
//! ([`Readings`]). No label's value comes from a client, so strangers cannot make the text longer.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text::encode};
use prometheus_client::registry::Registry;

mod auth;
mod count;
mod database;
mod histogram;
mod process;
mod readings;
mod requests;
mod text;

pub use auth::Auth;
pub use count::{Counter, Gauge, Held};
pub use database::{Database, Failure, Operation, Queue, Timed};
pub use histogram::Histogram;
pub use readings::{Build, Keys, Lane, Load, Pool, Readings, Waiting};
pub use requests::{InFlight, Requests, Shed};

use text::Text;

/// The `Content-Type` of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that one server counts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Requests and their answers.
    pub requests: Arc<Requests>,
    /// Connections of the API that are open.
    pub connections: Gauge,
    /// Connections that were closed because their address has its share already.
    pub refused_connections: Arc<Counter>,
    /// Tokens.
    pub auth: Arc<Auth>,
    /// What was asked of the database.
    pub database: Arc<Database>,
}

impl Metrics {
    /// Everything as text, with what was read for it just now.
    pub fn text(&self, readings: Readings) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape { metrics: self.clone(), readings }));
        let mut text = String::with_capacity(32 << 10);
        // Writing into a String does not fail, and nothing here makes an error of its own.
        let _ = encode(&mut text, &registry);
        text
    }
}

/// One look at everything.
#[derive(Debug)]
struct Scrape {
    metrics: Metrics,
    readings: Readings,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut text = Text::new(encoder);
        let Metrics { requests, connections, refused_connections, auth, database } = &self.metrics;
        requests.write(&mut text)?;
        text.gauge("http_connections_open", "Connections of the API that are open", connections.get())?;
        let help = "Connections that were closed because their address has its share of them";
        text.counter("http_connections_refused", help, refused_connections.get())?;
        auth.write(&mut text)?;
        database.write(&mut text)?;
        self.readings.write(&mut text)?;
        process::write(&mut text)
    }
}

#[cfg(test)]
mod tests;
