//! The task that fetches the set: one fetch at a time, never two within the permitted interval, whoever asks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::fetch::Failure;
use super::{Held, KeyDocument, News, Outcome, Shared};
use crate::auth::keys::PublicKey;
use crate::auth::refusal::shown;
use crate::auth::web;

/// At most so many ids of keys stand in one line of the log.
const TOLD_KEYS: usize = 8;

/// Fetches when a request needs it, and in the background when the set gets old.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut last = None;
    let mut failures = 0;
    loop {
        tokio::select! {
            () = until(shared.due(last, failures)) => {}
            () = shared.wanted.notified() => {}
        }
        if let Some(last) = last {
            sleep_until(last + shared.pace.between).await;
        }
        let started = Instant::now();
        last = Some(started);
        shared.fetching.store(true, Ordering::Release);
        // Whoever asked before `started` is served by this fetch; whoever asks later asks again when it has ended.
        let _ = shared.wanted.notified().now_or_never();
        let outcome = shared.fetch().await;
        failures = if outcome == Outcome::Fetched { 0 } else { failures + 1 };
        // In this order: who still sees a fetch under way is certain to see its news.
        shared.fetching.store(false, Ordering::Release);
        shared.news.send_replace(News { started: Some(started), outcome });
    }
}

/// Done at this time, or never.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Shared {
    /// When the next fetch begins that nobody asked for. A set beside another source of keys is not fetched before a
    /// token needs it, nor again while there is none: without Better Auth's jwt() plugin no such page exists.
    fn due(&self, last: Option<Instant>, failures: u32) -> Option<Instant> {
        let fetched = self.record().fetched;
        match (fetched, last) {
            (None, _) if !self.sole => None,
            (None, None) => Some(Instant::now()),
            (Some(fetched), _) if failures == 0 => Some(fetched + self.pace.fresh),
            (_, Some(last)) => Some(last + self.pace.after(failures)),
            (Some(fetched), None) => Some(fetched),
        }
    }

    /// One fetch, and what follows from it.
    async fn fetch(&self) -> Outcome {
        self.record().fetches += 1;
        let slow = || Failure::Failed(format!("no answer within {} ms", self.pace.timeout.as_millis()));
        let fetched = timeout(self.pace.timeout, self.source.fetch()).await.unwrap_or_else(|_| Err(slow()));
        match fetched {
            Ok(document) => self.take(document),
            Err(failure) => self.failed(&failure),
        }
    }

    /// Replaces the set: a key that is no longer published is revoked. A set that is suddenly empty is more likely a
    /// fault of the auth server, so the keys are kept for one more period.
    fn take(&self, document: KeyDocument) -> Outcome {
        let now = Instant::now();
        let held = self.current();
        let mut record = self.record();
        if document.is_empty() && !held.keys.is_empty() {
            let since = *record.empty_since.get_or_insert(now);
            if now < since + self.pace.fresh {
                record.failures += 1;
                record.last_error = Some("the set is empty".to_owned());
                drop(record);
                tracing::warn!(
                    target: "creatorvault::auth", url = web::shown(&self.source.url), keys = held.keys.len(),
                    "Key set is empty: the keys so far are kept for one more period"
                );
                return Outcome::Failed;
            }
        }
        record.empty_since = None;
        let first = record.fetched.replace(now).is_none();
        let recovered = record.last_error.take().is_some();
        drop(record);
        let changed = first || !same(&held.keys, &document.keys);
        self.hold(document.keys.into(), changed, now);
        if changed || recovered {
            self.tell(&held, &document.dropped, first);
        }
        Outcome::Fetched
    }

    /// Holds these keys from now on, under a new number when they are others.
    fn hold(&self, keys: Arc<[PublicKey]>, changed: bool, now: Instant) {
        let before = self.held.load().generation;
        let generation = if changed { before + 1 } else { before };
        self.held.store(Arc::new(Held { generation, keys, until: Some(now + self.pace.stale) }));
    }

    /// The auth server did not publish a set.
    fn failed(&self, failure: &Failure) -> Outcome {
        let told = failure.told();
        let mut record = self.record();
        record.failures += 1;
        record.last_error = Some(told.clone());
        let ever_fetched = record.fetched.is_some();
        drop(record);
        let keys = self.current().keys.len();
        tracing::warn!(
            target: "creatorvault::auth", url = web::shown(&self.source.url), error = told, keys,
            "Key set could not be fetched"
        );
        match failure {
            Failure::Absent(status) if !ever_fetched => Outcome::Absent(*status),
            _ => Outcome::Failed,
        }
    }

    /// Tells the log which keys count now.
    fn tell(&self, before: &Held, dropped: &[String], first: bool) {
        let url = web::shown(&self.source.url);
        let held = self.current();
        let event = match (first, before.generation == held.generation) {
            (true, _) => "Key set fetched",
            (false, true) => "Key set fetched again",
            (false, false) => "Key set changed",
        };
        tracing::info!(target: "creatorvault::auth", url, keys = held.keys.len(), ids = ids(&held.keys), "{event}");
        for reason in dropped.iter().take(TOLD_KEYS) {
            tracing::warn!(target: "creatorvault::auth", url, detail = reason, "Key of the set is not used");
        }
    }
}

/// Whether two sets hold the same keys, in whatever order.
fn same(one: &[PublicKey], other: &[PublicKey]) -> bool {
    one.len() == other.len() && one.iter().all(|key| other.contains(key))
}

/// The ids of keys for a message.
fn ids(keys: &[PublicKey]) -> String {
    let ids = keys.iter().take(TOLD_KEYS).map(|key| key.key_id().map_or_else(|| "none".to_owned(), shown));
    ids.collect::<Vec<_>>().join(", ")
}
