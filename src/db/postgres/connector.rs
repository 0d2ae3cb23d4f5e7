//! Makes connections to PostgreSQL, and asks for statements to be cancelled.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::config::{ChannelBinding, SslMode, TargetSessionAttrs};
use tokio_postgres::{CancelToken, Client, Config, Error, Socket};

use crate::config::database::{self as settings, DatabaseConfig, PostgresUrl};

use super::fence::ALL_OR_ERROR;
use super::hosts::{Hosts, Made};
use super::reach::Reach;
use super::tls::{self, Tls};
use super::trouble;

/// The longest that one try to connect may take: somebody is waiting.
const LONGEST: Duration = Duration::from_secs(5);

/// How long a request to cancel may take; the statement timeout ends the statement anyway.
const CANCEL: Duration = Duration::from_secs(1);

/// The stream of a connection, encrypted or not.
pub(in crate::db) type Stream = <Tls as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream;

/// Makes connections. Cheap to clone.
#[derive(Clone)]
pub(in crate::db) struct Connector {
    hosts: Arc<Hosts>,
    tls: Tls,
    timeout: Duration,
    reach: Arc<Reach>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl Connector {
    /// Connections for the server: sessions end their statements after `statement_timeout`, where it is given.
    ///
    /// # Errors
    /// A root certificate that does not read.
    pub(in crate::db) fn new(
        settings: &DatabaseConfig,
        url: &PostgresUrl,
        statement_timeout: Option<Duration>,
    ) -> Result<Self, String> {
        let timeout = url.connect_timeout.unwrap_or(LONGEST).min(settings.acquire_timeout).min(LONGEST);
        let mut config = Config::new();
        security(&mut config, url);
        login(&mut config, url);
        let options = options(url, statement_timeout, settings.rls);
        if !options.is_empty() {
            config.options(options);
        }
        config.connect_timeout(timeout);
        // A peer that is gone without a word is noticed within half a minute, and within ten seconds of a statement.
        config.keepalives_idle(Duration::from_secs(15));
        config.keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(10));
        let hosts = Arc::new(Hosts::new(url, &config));
        Ok(Self { hosts, tls: tls::connector(url)?, timeout, reach: Arc::default() })
    }

    /// Connects, within the time that one try may take.
    ///
    /// # Errors
    /// The reason, for the log.
    pub(in crate::db) async fn connect(&self) -> Result<Made, String> {
        match tokio::time::timeout(self.timeout, self.hosts.connect(&self.tls, self.timeout)).await {
            Ok(Ok(made)) => Ok(made),
            Ok(Err(refused)) => Err(refused.text),
            Err(_) => Err(format!("connecting took more than {} ms", self.timeout.as_millis())),
        }
    }

    /// What is told about the server's being there.
    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// How long one try to connect may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks the server to end what runs on a connection. It may arrive late: the connection must not be used for
    /// anything else afterwards.
    pub(super) async fn cancel(&self, token: CancelToken) {
        match tokio::time::timeout(CANCEL, token.cancel_query(self.tls.clone())).await {
            Ok(Ok(())) => tracing::debug!(target: "creatorvault::db", "statement cancelled"),
            Ok(Err(error)) => {
                tracing::warn!(target: "creatorvault::db", error = trouble::connecting(&error), "cancel request failed");
            }
            Err(_) => tracing::warn!(target: "creatorvault::db", "cancel request timed out"),
        }
    }
}

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

/// For the pool, which sets the time limit itself.
impl deadpool_postgres::Connect for Connector {
    fn connect(&self, _: &Config) -> Connecting<'_> {
        Box::pin(async move {
            let made = self.hosts.connect(&self.tls, self.timeout).await;
            let (client, connection) = made.map_err(|refused| {
                self.reach.failed(&refused.text);
                refused.error
            })?;
            self.reach.made();
            let driver = tokio::spawn(async move {
                match connection.await {
                    Ok(()) => {}
                    Err(error) => {
                        tracing::warn!(target: "creatorvault::db", error = trouble::Trouble::of(&error).text, "connection lost");
                    }
                }
            });
            Ok((client, driver))
        })
    }
}

fn security(config: &mut Config, url: &PostgresUrl) {
    config.ssl_mode(match url.ssl {
        settings::SslMode::Disable => SslMode::Disable,
        settings::SslMode::Allow | settings::SslMode::Prefer => SslMode::Prefer,
        settings::SslMode::Require | settings::SslMode::VerifyCa | settings::SslMode::VerifyFull => {
            SslMode::Require
        }
    });
    config.channel_binding(match url.channel_binding {
        settings::ChannelBinding::Disable => ChannelBinding::Disable,
        settings::ChannelBinding::Prefer => ChannelBinding::Prefer,
        settings::ChannelBinding::Require => ChannelBinding::Require,
    });
    config.target_session_attrs(match url.session_attrs {
        settings::SessionAttrs::Any => TargetSessionAttrs::Any,
        settings::SessionAttrs::ReadWrite => TargetSessionAttrs::ReadWrite,
        settings::SessionAttrs::ReadOnly => TargetSessionAttrs::ReadOnly,
    });
}

fn login(config: &mut Config, url: &PostgresUrl) {
    if let Some(user) = &url.user {
        config.user(user);
    }
    if let Some(password) = &url.password {
        config.password(password.expose());
    }
    if let Some(dbname) = &url.dbname {
        config.dbname(dbname);
    }
    config.application_name(url.application_name.as_deref().unwrap_or("creatorvault"));
}

/// The URL's own options, then ours, which wins: poolers refuse or drop it, so it is for direct connections only.
fn options(url: &PostgresUrl, statement_timeout: Option<Duration>, rls: bool) -> String {
    let mut all: Vec<_> = url.options.iter().filter(|own| !own.is_empty()).cloned().collect();
    if let Some(timeout) = statement_timeout {
        all.push(format!("-c statement_timeout={}", timeout.as_millis()));
        all.extend((!rls).then(|| format!("-c {ALL_OR_ERROR}")));
    }
    all.join(" ")
}
