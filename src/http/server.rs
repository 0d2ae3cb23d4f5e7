//! Connections: taken, limited in number and time, and ended without losing an answer.
//!
//! The end, after the first signal: `/health/ready` answers 503 and answers ask for the connection's end; the listeners
//! stay open for the delay; then what waits to be accepted is accepted, the listeners close, and requests in flight have
//! the grace to finish. A connection without a request does not hold the end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::{App, Flag, router};
use crate::config::http::Networks;
use crate::http::client::{Clients, Peer};
use crate::http::metrics;
use crate::metrics::{Counter, Gauge};
use crowd::Crowd;

mod connection;
mod crowd;
mod descriptors;
mod pulse;
mod signal;

pub(crate) use pulse::Times;

/// One address gets so much of all connections, as a divisor.
const SHARE: usize = 4;
/// When so much of all connections is left they are few, as a divisor.
const FEW: usize = 10;
/// A pause after a failure to accept that will not pass at once (no file descriptors left).
const BACK_OFF: Duration = Duration::from_millis(100);
/// Connections to `/metrics` at a time, where it has an address of its own. Few hold little, whoever they are.
const MOST_SCRAPERS: u32 = 64;
/// How long a scrape may go on after the API's end.
const LAST_SCRAPE: Duration = Duration::from_secs(1);
/// How long the listeners' queues are looked at for one more connection at the end.
const LAST_LOOK: Duration = Duration::from_millis(10);
/// How long that may go on altogether.
const LAST_LOOKS: Duration = Duration::from_millis(100);

/// How far the server is; connections watch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Connections end as soon as they have nothing to answer.
    Closing,
    /// Whatever is still there is cut off.
    Over,
}

/// Where a server listens.
#[derive(Debug)]
pub struct Listeners {
    /// For the API.
    pub api: Vec<TcpListener>,
    /// For `/metrics` alone, where it has an address of its own.
    pub metrics: Option<TcpListener>,
}

impl From<Vec<TcpListener>> for Listeners {
    fn from(api: Vec<TcpListener>) -> Self {
        Self { api, metrics: None }
    }
}

/// Serves until `shutdown` is done and what it began has ended (`SHUTDOWN_DELAY` and `SHUTDOWN_GRACE` at most), then
/// closes the database.
pub async fn serve(app: Arc<App>, listeners: impl Into<Listeners>, shutdown: impl Future<Output = ()>) {
    let Listeners { api, metrics } = listeners.into();
    let limits = &app.config.limits;
    let times = Times::usual(limits.shutdown_delay, limits.shutdown_grace);
    let clients = Clients::new(app.config.http.trusted_proxies.clone());
    let database = &app.config.database;
    let most = descriptors::connections(database.pool_size + database.pool_overflow);
    let bounds = Bounds { times, most, clients };
    let counts = Counts {
        open: app.metrics.connections.clone(),
        refused: Arc::clone(&app.metrics.refused_connections),
    };
    let server = Server::new(router(Arc::clone(&app)), app.stopping.clone(), bounds, counts);
    let (over, ended) = oneshot::channel();
    let serving = async {
        server.run(api, shutdown).await;
        drop(over);
    };
    tokio::join!(serving, serve_metrics(Arc::clone(&app), metrics, ended));
    app.db.close().await;
}

/// `/metrics` alone, with the API's limits of a socket, until the API has ended: its end can be watched.
async fn serve_metrics(app: Arc<App>, listener: Option<TcpListener>, ended: oneshot::Receiver<()>) {
    let Some(listener) = listener else { return };
    let times = Times::usual(Duration::ZERO, LAST_SCRAPE);
    let bounds = Bounds { times, most: MOST_SCRAPERS, clients: Clients::new(Networks::default()) };
    let server = Server::new(metrics::alone(app), Flag::default(), bounds, Counts::default());
    server.run(vec![listener], async { drop(ended.await) }).await;
}

/// Serves until SIGTERM or SIGINT; a second signal ends at once, without waiting for anything.
///
/// # Errors
/// When the system refuses to deliver signals.
pub async fn serve_until_signalled(app: Arc<App>, listeners: Listeners) -> io::Result<()> {
    let mut signals = signal::Signals::new()?;
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        // an error means that the other end is gone, which is an end too
        let _ = stopped.await;
    };
    let mut serving = std::pin::pin!(serve(app, listeners, shutdown));
    tokio::select! {
        () = &mut serving => return Ok(()),
        name = signals.next() => {
            tracing::info!(target: "creatorvault::server", signal = name, "Shutting down");
            let _ = stop.send(());
        }
    }
    tokio::select! {
        () = &mut serving => tracing::info!(target: "creatorvault::server", "Shut down"),
        name = signals.next() => {
            tracing::warn!(target: "creatorvault::server", signal = name, "Second signal: ending at once");
        }
    }
    Ok(())
}

/// How long connections may take, and how many there may be.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) times: Times,
    /// Connections at a time; further ones wait in the listeners' queues.
    pub(crate) most: u32,
    /// Whose connections are counted together.
    pub(crate) clients: Clients,
}

/// Where connections are counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) open: Gauge,
    /// Those of addresses that have their share.
    pub(crate) refused: Arc<Counter>,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Server {
    router: Router,
    stopping: Flag,
    times: Times,
    most: u32,
    room: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    phase: watch::Sender<Phase>,
    /// Few places are left: whoever is idle has to go.
    crowded: Flag,
    open: Gauge,
}

impl Server {
    /// A server of `router`, which counts its connections.
    pub(crate) fn new(router: Router, stopping: Flag, bounds: Bounds, counts: Counts) -> Arc<Self> {
        let Bounds { times, most, clients } = bounds;
        let Counts { open, refused } = counts;
        let room = Arc::new(Semaphore::new(most as usize));
        let crowd = Crowd::new(most as usize / SHARE, clients, refused);
        Arc::new(Self {
            router,
            stopping,
            times,
            most,
            room,
            crowd,
            phase: watch::Sender::new(Phase::Serving),
            crowded: Flag::default(),
            open,
        })
    }

    /// Serves until `shutdown` is done and everything has ended.
    pub(crate) async fn run(
        self: Arc<Self>,
        listeners: Vec<TcpListener>,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(Arc::clone(&self).accept(listener));
        }
        shutdown.await;
        self.stopping.raise();
        sleep(self.times.delay).await;
        self.phase.send_replace(Phase::Closing);
        while accepting.join_next().await.is_some() {}
        if timeout(self.times.grace, self.room.acquire_many(self.most)).await.is_err() {
            let left = self.most as usize - self.room.available_permits();
            tracing::warn!(target: "creatorvault::server", connections = left, "Cut off past SHUTDOWN_GRACE");
        }
        self.phase.send_replace(Phase::Over);
        // the connections' tasks end as soon as they run; nothing is waited for on the network any more
        let _ = timeout(Duration::from_secs(1), self.room.acquire_many(self.most)).await;
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut phase = self.phase.subscribe();
        let mut failing = false;
        loop {
            let next = async {
                let permit = Arc::clone(&self.room).acquire_owned().await;
                (permit, listener.accept().await)
            };
            tokio::select! {
                biased;
                () = reached(&mut phase, Phase::Closing) => break,
                (permit, accepted) = next => match (permit, accepted) {
                    (Ok(permit), Ok((stream, peer))) => {
                        failing = false;
                        self.start(stream, Peer(peer.ip()), permit);
                    }
                    (_, Err(error)) if is_the_clients(&error) => {}
                    (_, Err(error)) => {
                        if !failing {
                            tracing::error!(target: "creatorvault::server", %error, "Cannot accept connections");
                        }
                        failing = true;
                        sleep(BACK_OFF).await;
                    }
                    // the semaphore is never closed
                    (Err(_), _) => break,
                },
            }
        }
        // whoever is in the queue believes to be connected; whoever goes on coming does not keep the server from ending
        let end = Instant::now() + LAST_LOOKS;
        while Instant::now() < end
            && let Ok(Ok((stream, peer))) = timeout(LAST_LOOK, listener.accept()).await
        {
            let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else { break };
            self.start(stream, Peer(peer.ip()), permit);
        }
    }

    fn start(self: &Arc<Self>, stream: TcpStream, peer: Peer, permit: OwnedSemaphorePermit) {
        // a stranger with so many is closed without a word: an answer would cost what is to be saved
        let Some(place) = self.crowd.join(peer.0) else {
            self.crowd.refuse(peer.0, Instant::now());
            return;
        };
        let server = Arc::clone(self);
        let open = self.open.hold();
        tokio::spawn(async move {
            server.look_around();
            connection::serve(&server, stream, peer).await;
            drop((open, place, permit));
            server.look_around();
        });
    }

    /// Finds out whether few places are left, and tells every connection when that begins.
    fn look_around(&self) {
        let (free, few) = (self.room.available_permits(), self.most as usize / FEW);
        if free <= few && !self.crowded.is_up() {
            self.crowded.raise();
            // the phase is the same; whoever watches it wakes and looks at its time again
            self.phase.send_modify(|_| {});
            tracing::debug!(target: "creatorvault::server", free, "Few connections are left: closing idle ones");
        } else if free > few * 2 {
            self.crowded.lower();
        }
    }
}

/// Waits until the server is so far.
async fn reached(phase: &mut watch::Receiver<Phase>, awaited: Phase) {
    // an error means that the server is gone, which is further than any phase
    let _ = phase.wait_for(|phase| *phase >= awaited).await;
}

/// A failure of one connection, not of accepting.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
