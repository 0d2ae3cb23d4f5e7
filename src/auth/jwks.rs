//! The key set of an auth server: fetched when it is needed, kept fresh, and asked for again when a token's key is
//! not in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::Url;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::algorithm::Algorithm;
use super::keys::PublicKey;
use super::web;

mod document;
mod fetch;
mod jwk;
mod keeper;
mod pace;

pub use document::{KeyDocument, MOST_KEYS};
use fetch::Source;
pub use pace::Pace;

/// The set of one auth server, in the care of a task of its own.
#[derive(Debug)]
pub(super) struct KeySet {
    shared: Arc<Shared>,
    /// The task, once something has needed it.
    keeper: OnceLock<AbortHandle>,
}

/// What the task and the requests share.
#[derive(Debug)]
struct Shared {
    source: Source,
    pace: Pace,
    /// Whether tokens are checked by this set alone; otherwise it is fetched only when a token needs it.
    sole: bool,
    held: ArcSwap<Held>,
    news: watch::Sender<News>,
    /// A request needs a fetch that starts from now on.
    wanted: Notify,
    /// A fetch is under way: whoever needs one waits for its end first.
    fetching: AtomicBool,
    places: Semaphore,
    record: Mutex<Record>,
}

/// The keys at one time.
#[derive(Debug)]
pub(super) struct Held {
    /// Another number means other keys; 0 stands for no key at all.
    pub(super) generation: u64,
    pub(super) keys: Arc<[PublicKey]>,
    /// Until when they count; `None`: there are none.
    until: Option<Instant>,
}

/// The last fetch that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct News {
    /// When it began; `None`: there was no fetch yet.
    pub(super) started: Option<Instant>,
    pub(super) outcome: Outcome,
}

/// What a fetch says to those who waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The set is what the auth server publishes now.
    Fetched,
    /// The auth server publishes no set (the status), and none was held.
    Absent(u16),
    /// Nobody knows what the auth server would say.
    Failed,
}

/// What is told about the set.
#[derive(Debug, Default)]
struct Record {
    /// When the last successful fetch ended.
    fetched: Option<Instant>,
    /// Since when the set is published empty while keys are held.
    empty_since: Option<Instant>,
    last_error: Option<String>,
    fetches: u64,
    failures: u64,
}

/// The state of the key set, for readiness, metrics and the diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetState {
    /// Where it is fetched, without a query.
    pub url: String,
    /// Whether it was ever fetched.
    pub loaded: bool,
    /// How many keys of it can check tokens now.
    pub keys: usize,
    /// Which algorithms they check.
    pub algorithms: Vec<Algorithm>,
    /// How long ago the last successful fetch ended.
    pub age: Option<Duration>,
    /// Why the last fetch failed; `None` when it succeeded.
    pub last_error: Option<String>,
    /// How many fetches there were.
    pub fetches: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Whether no other source of keys is configured: without the set no token can be checked then.
    pub sole_source: bool,
}

/// One of the places for requests that wait.
pub(super) type Place<'s> = SemaphorePermit<'s>;

impl KeySet {
    /// The set at this address, not fetched yet. With `only`, its keys check no other algorithms; `sole` says that
    /// there is no other source of keys.
    pub(super) fn new(url: Url, only: Option<Vec<Algorithm>>, sole: bool, pace: Pace) -> Self {
        let shared = Shared {
            source: Source::new(url, only),
            pace,
            sole,
            held: ArcSwap::from_pointee(Held::nothing()),
            news: watch::Sender::new(News { started: None, outcome: Outcome::Failed }),
            wanted: Notify::new(),
            fetching: AtomicBool::new(false),
            places: Semaphore::new(pace.waiters),
            record: Mutex::default(),
        };
        Self { shared: Arc::new(shared), keeper: OnceLock::new() }
    }

    pub(super) fn pace(&self) -> Pace {
        self.shared.pace
    }

    pub(super) fn is_sole(&self) -> bool {
        self.shared.sole
    }

    /// Where it is published, as a message may show it.
    pub(super) fn shown_url(&self) -> String {
        web::shown(&self.shared.source.url)
    }

    /// The keys that count now.
    pub(super) fn held(&self) -> Arc<Held> {
        self.shared.current()
    }

    /// The number of the keys that count now; cheap, since every request asks.
    pub(super) fn generation(&self) -> u64 {
        let held = self.shared.held.load();
        if held.counts() { held.generation } else { 0 }
    }

    /// Sets the task to work, which from now on keeps the set fresh. Must be called within a tokio runtime.
    pub(super) fn keep(&self) {
        self.keeper.get_or_init(|| tokio::spawn(keeper::keep(Arc::clone(&self.shared))).abort_handle());
    }

    /// The ends of fetches from now on.
    pub(super) fn news(&self) -> watch::Receiver<News> {
        self.shared.news.subscribe()
    }

    /// A place for a request that has to wait; `None` when too many wait already.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        self.shared.places.try_acquire().ok()
    }

    /// Asks for a fetch as soon as one is permitted. Look at the news first: while a fetch is under way, its end is
    /// all that is asked for.
    pub(super) fn ask(&self) {
        self.keep();
        if !self.shared.fetching.load(Ordering::Acquire) {
            self.shared.wanted.notify_one();
        }
    }

    pub(super) fn state(&self) -> KeySetState {
        let held = self.held();
        let record = self.shared.record();
        let checks = |algorithm: &Algorithm| held.keys.iter().any(|key| key.takes(*algorithm));
        KeySetState {
            url: self.shown_url(),
            loaded: record.fetched.is_some(),
            keys: held.keys.len(),
            algorithms: super::algorithm::ALL.into_iter().filter(checks).collect(),
            age: record.fetched.map(|at| at.elapsed()),
            last_error: record.last_error.clone(),
            fetches: record.fetches,
            failures: record.failures,
            sole_source: self.shared.sole,
        }
    }
}

impl Drop for KeySet {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }
}

impl Held {
    /// No key at all.
    pub(super) fn nothing() -> Self {
        Self { generation: 0, keys: Arc::default(), until: None }
    }

    fn counts(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

impl Shared {
    /// What is held, while it counts.
    fn current(&self) -> Arc<Held> {
        let held = self.held.load_full();
        if held.counts() { held } else { Arc::new(Held::nothing()) }
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
