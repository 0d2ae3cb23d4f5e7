//! The hosts of a URL, each tried with a part of the time, so that one that is silent does not use it up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_postgres::config::LoadBalanceHosts;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use crate::config::database::{Host, PostgresUrl, SessionAttrs};

use super::connector::Stream;
use super::tls::Tls;
use super::trouble;

/// A connection and what drives it.
pub(in crate::db) type Made = (Client, Connection<Socket, Stream>);

/// The hosts, in the order of the URL.
#[derive(Debug)]
pub(super) struct Hosts {
    each: Vec<Target>,
    first: First,
    /// The one that was taken last.
    good: AtomicUsize,
}

struct Target {
    /// For the log.
    name: String,
    config: Config,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Which host is tried first; the others follow in their order.
#[derive(Debug, Clone, Copy)]
enum First {
    /// The first of the URL: any would do, and it is preferred.
    Named,
    /// The one that was taken last: it was the primary, and likely still is.
    Good,
    /// By chance.
    Any,
}

/// Why no host was taken.
#[derive(Debug)]
pub(super) struct Refused {
    /// What each of them said, for the log.
    pub(super) text: String,
    /// What the last one said.
    pub(super) error: Error,
}

impl Hosts {
    /// The hosts of a URL, all else about them as in `config`.
    pub(super) fn new(url: &PostgresUrl, config: &Config) -> Self {
        let each = url.hosts.iter().map(|(host, port)| {
            let mut config = config.clone();
            let name = match host {
                Host::Name(name) => {
                    config.host(name);
                    format!("{name}:{port}")
                }
                Host::Socket(path) => {
                    config.host_path(path);
                    format!("{}:{port}", path.display())
                }
            };
            config.port(*port);
            if url.balance_hosts {
                // Also among the addresses of one name.
                config.load_balance_hosts(LoadBalanceHosts::Random);
            }
            Target { name, config }
        });
        let first = match url.session_attrs {
            _ if url.balance_hosts => First::Any,
            SessionAttrs::Any => First::Named,
            SessionAttrs::ReadWrite | SessionAttrs::ReadOnly => First::Good,
        };
        Self { each: each.collect(), first, good: AtomicUsize::new(0) }
    }

    /// The first connection that is made, to a host that takes writes where the URL asks for that. All hosts but the
    /// last have their part of `time`; the caller ends the last.
    pub(super) async fn connect(&self, tls: &Tls, time: Duration) -> Result<Made, Refused> {
        let count = self.each.len();
        let first = match self.first {
            First::Named => 0,
            First::Good => self.good.load(Ordering::Relaxed),
            First::Any => by_chance(count),
        };
        let part = time / u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let mut said = Vec::new();
        for step in 1..count {
            let at = (first + step - 1) % count;
            match tokio::time::timeout(part, self.each[at].config.connect(tls.clone())).await {
                Ok(Ok(made)) => return Ok(self.take(at, made)),
                Ok(Err(error)) => said.push(self.told(at, &trouble::connecting(&error))),
                Err(_) => said.push(self.told(at, &format!("no answer in {} ms", part.as_millis()))),
            }
        }
        let at = (first + count - 1) % count;
        match self.each[at].config.connect(tls.clone()).await {
            Ok(made) => Ok(self.take(at, made)),
            Err(error) => {
                said.push(self.told(at, &trouble::connecting(&error)));
                Err(Refused { text: said.join("; "), error })
            }
        }
    }

    fn take(&self, at: usize, made: Made) -> Made {
        if self.good.swap(at, Ordering::Relaxed) != at && !matches!(self.first, First::Any) {
            tracing::info!(target: "creatorvault::db", host = self.each[at].name, "database host changed");
        }
        made
    }

    /// Which of several hosts it is about.
    fn told(&self, at: usize, text: &str) -> String {
        if self.each.len() == 1 { text.to_owned() } else { format!("{}: {text}", self.each[at].name) }
    }
}

/// One of so many, by chance.
fn by_chance(count: usize) -> usize {
    let parts = u32::try_from(count).unwrap_or(1).max(1);
    let chance = crate::db::wait::chance();
    (1..parts).take_while(|part| f64::from(*part) / f64::from(parts) <= chance).count()
}
