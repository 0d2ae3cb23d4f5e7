//! How many connections each address has: one alone must not take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::client::{Clients, network};

/// The connections of each address, counted where one of them could be a stranger: this machine and trusted proxies,
/// from which everybody's requests come, are not.
#[derive(Debug)]
pub(super) struct Crowd {
    counts: Mutex<HashMap<u64, usize>>,
    /// Connections of one address at most.
    most: usize,
    clients: Clients,
}

/// One connection among those of its address; it is counted no more when this is dropped.
#[derive(Debug)]
pub(super) struct OfCrowd(Option<(Arc<Crowd>, u64)>);

impl Crowd {
    pub(super) fn new(most: usize, clients: Clients) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), most, clients })
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
        let crowd = Crowd::new(2, Clients::new(trusted));
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
        let crowd = Crowd::new(2, Clients::new(Networks::default()));
        let all: Vec<_> = (0..100u8).map(|last| crowd.join([192, 0, 2, last].into())).collect();
        assert_eq!(crowd.counts().len(), 100);
        drop(all);
        assert!(crowd.counts().is_empty());
    }
}
