//! `serve`: migrate, listen, answer until told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, complain, settings, welcome};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::traces::TracesConfig;
use crate::http::docs::Demo;
use crate::http::server::{self, Listeners};
use crate::traces::Traces;

pub(super) mod listen;
mod migrations;

/// How long the last traces may take at the end, where `SHUTDOWN_GRACE` is not shorter.
const LAST_TRACES: Duration = Duration::from_secs(5);

/// Bring the database up to date and serve the API (what happens without a command)
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault serve                                  no settings: SQLite in data/, dev mode, http://localhost:8000
  PORT=8080 LOG_LEVEL=debug creatorvault serve
  BETTER_AUTH_SECRET=… HOST=0.0.0.0 creatorvault serve
  AUTO_MIGRATE=false creatorvault serve               leaves the tables to `creatorvault migrate up`

SIGTERM or SIGINT (Ctrl-C) ends it: requests under way are finished first, for at most SHUTDOWN_GRACE.")]
pub(super) struct Serve {}

impl Serve {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = settings()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.limits.workers)
            .thread_name("creatorvault")
            .enable_all()
            .build()
            .map_err(|error| Failure::from(format!("cannot start threads: {error}")))?;
        let traces = traces(&config.traces, runtime.handle())?;
        let _log = crate::http::log::init(&config.log, Clock::system(), traces.layer());
        runtime.block_on(async {
            let grace = config.limits.shutdown_grace;
            let served = serve(config).await;
            traces.finish(grace.min(LAST_TRACES)).await;
            served
        })
    }
}

#[cfg(not(feature = "otel"))]
fn traces(_config: &TracesConfig, _runtime: &Handle) -> Result<Traces, Failure> {
    Ok(Traces)
}

#[cfg(feature = "otel")]
fn traces(config: &TracesConfig, runtime: &Handle) -> Result<Traces, Failure> {
    let headers =
        config.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let endpoint = config.endpoint.as_ref().map(crate::config::Secret::expose);
    Ok(Traces::start(endpoint, headers, &config.service, runtime.clone())?)
}

/// One life of the server.
async fn serve(config: Config) -> Result<(), Failure> {
    let app = tokio::select! {
        opened = open(config) => opened?,
        // A container's first process gets no signal that it does not listen to, and a migration may wait for minutes.
        stopped = stop_signal() => return stopped,
    };
    let api = listen::bind(&app.config.http).await?;
    let metrics = match listen::bind_metrics(&app.config.metrics).await {
        // A second server on the machine, or Prometheus itself, is no reason not to serve.
        Err(line) if !app.config.metrics.place_set => {
            tracing::warn!("Metrics are not served: {line}");
            None
        }
        bound => bound?,
    };
    let addresses: Vec<SocketAddr> = api.iter().filter_map(|one| one.local_addr().ok()).collect();
    for address in &addresses {
        tracing::info!(%address, "Listening");
    }
    if let Some(address) = metrics.as_ref().and_then(|one| one.local_addr().ok()) {
        tracing::info!(%address, "Listening for /metrics");
    }
    greet(&app, addresses.first());
    let served = server::serve_until_signalled(app, Listeners { api, metrics }).await;
    served.map_err(|error| Failure::from(format!("cannot listen to signals: {error}")))
}

/// What handlers share, with the tables that they need (or with the promise of them, when the database is down).
async fn open(config: Config) -> Result<Arc<App>, Failure> {
    let app = App::open(config, Clock::system()).await?;
    migrations::bring_up(&app).await?;
    Ok(app)
}

/// What dev mode says on the first screen.
fn greet(app: &Arc<App>, address: Option<&SocketAddr>) {
    if let (Some(address), Some(demo)) = (address, Demo::of(&app.config, &app.clock)) {
        complain(&welcome::text(*address, &demo));
    }
}

/// Done when the process is told to stop before it serves.
async fn stop_signal() -> Result<(), Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::from(format!("cannot listen to signals: {error}")));
    let (mut term, mut int) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}
