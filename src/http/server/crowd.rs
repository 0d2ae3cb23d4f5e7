//! How many connections each address has: one alone must not take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::client::{Clients, network};
use crate::metrics::Counter;

/// The log tells of refused connections so often at most.
const PAUSE: Duration = Duration::from_secs(60);

/// The connections of each address, counted where one of them could be a stranger: this machine and trusted proxies,
/// from which everybody's requests come, are not.
#[derive(Debug)]
pub(super) struct Crowd {
    counts: Mutex<HashMap<u64, usize>>,
    /// Connections of one address at most.
    most: usize,
    clients: Clients,
    refused: Arc<Counter>,
    told: Mutex<Option<Told>>,
}

/// When the log was last told of refused connections, and how many there had been.
#[derive(Debug)]
struct Told {
    at: Instant,
    refused: u64,
}

/// One connection among those of its address; it is counted no more when this is dropped.
#[derive(Debug)]
pub(super) struct OfCrowd(Option<(Arc<Crowd>, u64)>);

impl Crowd {
    /// Those that are refused are counted.
    pub(super) fn new(most: usize, clients: Clients, refused: Arc<Counter>) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), most, clients, refused, told: Mutex::default() })
    }

    /// Counts a connection; nothing where its address has enough of them.
    pub(super) fn join(self: &Arc<Self>, peer: IpAddr) -> Option<OfCrowd> {
        if peer.to_canonical().is_loopback() || self.clients.trust(peer) {
            return Some(OfCrowd(None));
        }
        let network = network(peer);
        let mut counts = self.counts();
        let count = counts.entry(network).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(OfCrowd(Some((Arc::clone(self), network))))
    }

    /// Counts a connection that was closed, and warns of it where that was not said lately.
    pub(super) fn refuse(&self, peer: IpAddr, now: Instant) {
        self.refused.add();
        if let Some(refused) = self.untold(now) {
            tracing::warn!(target: "creatorvault::server", client = %peer.to_canonical(), refused, most = self.most, "Closed connections of an address that has too many: where it is a proxy of yours, add it to TRUSTED_PROXIES");
        }
    }

    /// How many were refused since the log was last told, where it is time to tell it again.
    fn untold(&self, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, before) = (self.refused.get(), told.as_ref().map_or(0, |told| told.refused));
        if told.as_ref().is_some_and(|told| now < told.at + PAUSE) {
            return None;
        }
        *told = Some(Told { at: now, refused: all });
        Some(all.saturating_sub(before))
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        // numbers that a panicking thread has left are whole ones
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OfCrowd {
    fn drop(&mut self) {
        let Some((crowd, network)) = &self.0 else { return };
        let mut counts = crowd.counts();
        let count = counts.entry(*network).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(network);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::http::Networks;

    #[test]
    fn a_strangers_connections_are_counted_until_they_end() {
        let trusted = [Networks::parse_one("10.0.0.0/8").unwrap()].into_iter().collect();
        let crowd = Crowd::new(2, Clients::new(trusted), Arc::default());
        let join = |peer: &str| crowd.join(peer.parse().unwrap());
        let first = join("192.0.2.1").unwrap();
        let _second = join("::ffff:192.0.2.1").unwrap();
        assert!(join("192.0.2.1").is_none());
        let _other = join("192.0.2.2").unwrap();
        drop(first);
        let _third = join("192.0.2.1").unwrap();
        let _six = [join("2001:db8::1").unwrap(), join("2001:db8::2").unwrap()];
        assert!(join("2001:db8::3").is_none(), "a /64 is one");
        for near in ["127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3"] {
            let all: Vec<_> = (0..5).map(|_| join(near)).collect();
            assert!(all.iter().all(Option::is_some), "{near}");
        }
    }

    #[test]
    fn nobody_is_remembered_without_a_connection() {
        let crowd = Crowd::new(2, Clients::new(Networks::default()), Arc::default());
        let all: Vec<_> = (0..100u8).map(|last| crowd.join([192, 0, 2, last].into())).collect();
        assert_eq!(crowd.counts().len(), 100);
        drop(all);
        assert!(crowd.counts().is_empty());
    }

    #[test]
    fn refusals_are_counted_and_told_once_a_minute() {
        let refused = Arc::new(Counter::default());
        let crowd = Crowd::new(2, Clients::new(Networks::default()), Arc::clone(&refused));
        let begin = Instant::now();
        for (second, told) in [(0, Some(1)), (1, None), (59, None), (60, Some(3)), (61, None), (150, Some(2))]
        {
            refused.add();
            assert_eq!(crowd.untold(begin + Duration::from_secs(second)), told, "{second}");
        }
        crowd.refuse([192, 0, 2, 1].into(), begin);
        assert_eq!(refused.get(), 7);
    }
}
