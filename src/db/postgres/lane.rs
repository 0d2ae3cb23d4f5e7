//! The read lane: a few shared connections on which the reads of all requests are pipelined.
//!
//! Many statements in one packet cost the server and us less than one connection for each (measured: 0.83 to 0.98
//! of what pgbench reads, a pool of 8 reaches 0.46). Only statements that an index serves belong here: a slow one
//! holds up those behind it, and none of them can be cancelled alone.

use std::convert::Infallible as Never;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, Statement};

use crate::db::bounded::Bounded;
use crate::db::{DbError, spread};
use crate::metrics;

use super::batch::Query;
use super::connector::Connector;
use super::trouble::Trouble;

/// Named statements on one connection.
const NAMED: usize = 256;

/// Waits between tries to connect that nobody asks for: doubled from the first to the last, and spread by chance.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A read does not try again what failed so short a time ago.
const FRESH: Duration = Duration::from_millis(100);

/// Shared connections, taken in turn.
#[derive(Debug)]
pub(in crate::db) struct Lane {
    slots: Vec<Slot>,
    turn: AtomicUsize,
}

/// One place for a connection; a task of its own fills it.
#[derive(Debug)]
pub(in crate::db) struct Slot {
    state: watch::Receiver<State>,
    wanted: Arc<Notify>,
}

#[derive(Debug, Clone)]
enum State {
    /// Nobody needs a connection: one that a server ended while idle is not made again before somebody asks, so
    /// that a database which sleeps when unused may sleep.
    Idle,
    Connecting,
    Up(Arc<Shared>),
    /// The last try failed, then; the next is on its way, or comes when somebody asks.
    Down(Arc<str>, Instant),
}

/// A connection on the lane and its named statements.
#[derive(Debug)]
pub(in crate::db) struct Shared {
    pub(super) client: Client,
    named: Bounded<Statement>,
    evicted: Notify,
}

impl Shared {
    /// The named statement of a text, prepared on first use.
    pub(super) async fn named(&self, query: &Query<'_>) -> Result<Statement, Error> {
        if let Some(statement) = self.named.get(&query.text) {
            return Ok(statement);
        }
        let statement = self.client.prepare_typed(&query.text, &query.kinds()).await?;
        self.named.insert(query.text.clone(), statement.clone());
        Ok(statement)
    }

    /// Has a text prepared again when it is next asked for.
    pub(super) fn forget(&self, text: &str) {
        self.named.remove(text);
    }

    /// Ends the connection; what is under way on it fails, and is read again elsewhere.
    pub(in crate::db) fn evict(&self) {
        self.evicted.notify_one();
    }
}

impl Lane {
    /// A lane of `size` connections, each replaced at the given age; the first tries to connect begin at once.
    pub(in crate::db) fn open(connector: &Connector, size: usize, age: Duration) -> Self {
        let slots = (0..size).map(|_| Slot::open(connector.clone(), age)).collect();
        Self { slots, turn: AtomicUsize::new(0) }
    }

    /// The connections now.
    pub(in crate::db) fn load(&self) -> metrics::Lane {
        let open = self.slots.iter().filter(|slot| slot.up(None).is_some()).count();
        metrics::Lane { most: self.slots.len(), open }
    }

    /// The next slot in turn, or the first after it that is not just being connected.
    pub(in crate::db) fn slot(&self) -> Option<&Slot> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(self.slots.len())?;
        let mut in_turn = self.slots.iter().cycle().skip(turn).take(self.slots.len());
        in_turn.find(|slot| slot.serves()).or_else(|| self.slots.get(turn))
    }
}

impl Slot {
    fn open(connector: Connector, age: Duration) -> Self {
        let (publish, state) = watch::channel(State::Connecting);
        let wanted = Arc::new(Notify::new());
        let keeper = Keeper { connector, publish, wanted: wanted.clone(), live: None };
        tokio::spawn(keeper.keep(age));
        Self { state, wanted }
    }

    fn serves(&self) -> bool {
        matches!(*self.state.borrow(), State::Up(_) | State::Idle)
    }

    /// The connection, other than `broken`; waits while one is being made, until `limit`.
    pub(in crate::db) async fn connection(
        &self,
        broken: Option<&Arc<Shared>>,
        limit: Instant,
    ) -> Result<Arc<Shared>, DbError> {
        if let Some(shared) = self.up(broken) {
            return Ok(shared);
        }
        let wait = tokio::time::timeout_at(limit.into(), self.wait(broken));
        wait.await.unwrap_or_else(|_| Err(DbError::unavailable("no connection to the database in time")))
    }

    fn up(&self, broken: Option<&Arc<Shared>>) -> Option<Arc<Shared>> {
        match &*self.state.borrow() {
            State::Up(shared)
                if !shared.client.is_closed() && broken.is_none_or(|b| !Arc::ptr_eq(b, shared)) =>
            {
                Some(shared.clone())
            }
            _ => None,
        }
    }

    async fn wait(&self, broken: Option<&Arc<Shared>>) -> Result<Arc<Shared>, DbError> {
        let mut state = self.state.clone();
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Up(_) => {
                    if let Some(shared) = self.up(broken) {
                        return Ok(shared);
                    }
                }
                State::Down(text, at) if at.elapsed() < FRESH => {
                    return Err(DbError::Unavailable(text.to_string()));
                }
                State::Down(..) | State::Idle => self.wanted.notify_one(),
                State::Connecting => {}
            }
            state.changed().await.map_err(|_| DbError::closed())?;
        }
    }
}

/// Fills one slot, until its lane is gone.
struct Keeper {
    connector: Connector,
    publish: watch::Sender<State>,
    wanted: Arc<Notify>,
    /// The connection that is published; an old one serves until the next is there.
    live: Option<Live>,
}

/// A connection and the task that drives it.
struct Live {
    shared: Arc<Shared>,
    driver: JoinHandle<Result<(), Error>>,
}

impl Keeper {
    /// Connects, and connects again when the connection is older than `age`, or lost and asked for; none when the lane
    /// is gone.
    async fn keep(mut self, age: Duration) -> Option<Never> {
        let mut wait = FIRST_WAIT;
        loop {
            let (connector, moves) = (self.connector.clone(), self.connector.reach().moves());
            match self.meanwhile(connector.connect()).await? {
                Ok((client, connection)) => {
                    wait = FIRST_WAIT;
                    self.up(client, tokio::spawn(connection));
                    self.serve(age, moves).await?;
                }
                Err(text) => {
                    connector.reach().failed(&text);
                    if self.live.is_none() {
                        self.publish.send_replace(State::Down(text.into(), Instant::now()));
                    }
                    let wanted = self.wanted.clone();
                    let asked = async { tokio::time::timeout(spread(wait), wanted.notified()).await.ok() };
                    self.meanwhile(asked).await?;
                    wait = (wait * 2).min(LAST_WAIT);
                }
            }
            if self.live.is_none() {
                self.publish.send_replace(State::Connecting);
            }
        }
    }

    fn up(&mut self, client: Client, driver: JoinHandle<Result<(), Error>>) {
        self.connector.reach().made();
        tracing::debug!(target: "creatorvault::db", "read connection made");
        let shared = Arc::new(Shared { client, named: Bounded::new(NAMED), evicted: Notify::new() });
        self.publish.send_replace(State::Up(shared.clone()));
        // One that is replaced here ends by itself when the last read on it does.
        self.live = Some(Live { shared, driver });
    }

    /// Waits until the connection is old; or until it has ended and somebody asks for another.
    async fn serve(&mut self, age: Duration, mut moves: watch::Receiver<Option<Instant>>) -> Option<()> {
        let live = self.live.as_mut()?;
        let moved = async {
            if moves.changed().await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = live.end() => {}
            () = moved => {
                // The server turned out to be read-only: no read is begun there before it is known who is not.
                self.live = None;
                return Some(());
            }
            () = tokio::time::sleep(age) => return Some(()),
            () = self.publish.closed() => return None,
        }
        self.live = None;
        self.publish.send_replace(State::Idle);
        let wanted = self.wanted.clone();
        self.meanwhile(wanted.notified()).await
    }

    /// Waits for something else; nobody is led to the old connection any more once that has ended or was given up.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let live = &mut self.live;
            let end = async {
                match live {
                    Some(live) => live.end().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                done = &mut work => return Some(done),
                () = end => {}
                () = self.publish.closed() => return None,
            }
            self.live = None;
            self.publish.send_replace(State::Connecting);
        }
    }
}

impl Live {
    /// Done when the connection has ended or was given up; not to be called again after that.
    async fn end(&mut self) {
        tokio::select! {
            ended = &mut self.driver => {
                let error = ended.map_or_else(|error| error.to_string(), |ended| match ended {
                    Ok(()) => "ended".to_owned(),
                    Err(error) => Trouble::of(&error).text,
                });
                tracing::warn!(target: "creatorvault::db", error, "read connection lost");
            }
            () = self.shared.evicted.notified() => {
                tracing::warn!(target: "creatorvault::db", "read connection given up");
                self.driver.abort();
            }
        }
    }
}
