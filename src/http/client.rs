//! Where a request came from: the peer of its connection, or what a trusted proxy says of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};

use crate::config::http::Networks;

mod hop;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Looked at at most so many hops of a request: nobody has so many proxies.
const MOST_HOPS: usize = 32;

/// The other end of a request's connection; the server puts it into the request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Knows which proxies are believed (`TRUSTED_PROXIES`).
#[derive(Debug, Clone)]
pub(crate) struct Clients(Arc<Networks>);

impl Clients {
    pub(crate) fn new(trusted: Networks) -> Self {
        Self(Arc::new(trusted))
    }

    /// The address of a request's client; none where there is no connection.
    pub(crate) fn of(&self, request: &Request) -> Option<IpAddr> {
        let Peer(peer) = request.extensions().get()?;
        Some(self.behind(peer.to_canonical(), request.headers()))
    }

    /// Whether it is a proxy that is believed.
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        self.0.have(address)
    }

    /// From the peer on, each trusted hop is asked for the one before it; the first that is not trusted is the client.
    /// Where a hop cannot be read the last good one counts. `X-Forwarded-For` goes before `Forwarded`: most proxies
    /// write only the former, and pass on whatever a client made up in the latter.
    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.0.have(peer) {
            return peer;
        }
        let (name, read): (_, fn(&str) -> Option<IpAddr>) = match headers.contains_key(X_FORWARDED_FOR) {
            true => (X_FORWARDED_FOR, hop::plain),
            false => (FORWARDED, hop::forwarded),
        };
        let mut client = peer;
        let lines = headers.get_all(name).iter().rev();
        for hop in lines.flat_map(|line| hop::from_the_right(line.as_bytes())).take(MOST_HOPS) {
            let Some(address) = hop.and_then(read) else { break };
            client = address;
            if !self.0.have(address) {
                break;
            }
        }
        client
    }
}

/// What counts as one address: an IPv4 address, or the /64 of IPv6 that one customer usually has.
pub(crate) fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        // no global address begins with 32 zero bits, so it meets none of IPv4
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn client(peer: &str, headers: &[(&str, &str)]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48", "::1"].map(|text| Networks::parse_one(text).unwrap());
        let clients = Clients::new(trusted.into_iter().collect());
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        clients.of(&request).unwrap().to_string()
    }

    #[test]
    fn only_a_trusted_peer_is_asked() {
        let says = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(client("198.51.100.1", &says), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &says), "203.0.113.9");
        assert_eq!(client("::ffff:10.1.2.3", &says), "203.0.113.9", "an IPv4 peer of an IPv6 socket");
        assert_eq!(client("::ffff:198.51.100.1", &says), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn hops_are_passed_from_the_right_until_one_is_not_trusted() {
        for (hops, found) in [
            ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("1.1.1.1,203.0.113.9,10.0.0.2 , 10.0.0.3", "203.0.113.9"),
            ("10.0.0.4, 10.0.0.2", "10.0.0.4"),
            ("203.0.113.9:4711, 10.0.0.2:80", "203.0.113.9"),
            ("2001:db8::7, 2001:db8:1::2", "2001:db8::7"),
            ("[2001:db8::7]:4711, [2001:db8:1::2]", "2001:db8::7"),
            ("::ffff:203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
            // what cannot be read ends it at the last good one
            ("203.0.113.9, unknown", "10.9.9.9"),
            ("203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"),
            ("203.0.113.9, , 10.0.0.2", "10.0.0.2"),
            ("203.0.113.9,", "10.9.9.9"),
            ("", "10.9.9.9"),
            ("1.2.3.4.5", "10.9.9.9"),
            ("\u{e9}", "10.9.9.9"),
        ] {
            assert_eq!(client("10.9.9.9", &[("x-forwarded-for", hops)]), found, "{hops:?}");
        }
        let lines = [("x-forwarded-for", "1.1.1.1, 203.0.113.9"), ("x-forwarded-for", "10.0.0.2")];
        assert_eq!(client("10.9.9.9", &lines), "203.0.113.9", "several lines are one list");
    }

    #[test]
    fn forwarded_is_read_where_it_stands_alone() {
        for (hops, found) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("for=1.1.1.1;proto=https, For=203.0.113.9;by=10.0.0.1", "203.0.113.9"),
            ("proto=https;for=\"203.0.113.9:4711\", for=10.0.0.2", "203.0.113.9"),
            ("for=\"[2001:db8::7]:4711\", for=\"[2001:db8:1::2]\"", "2001:db8::7"),
            ("for=203.0.113.9;host=\"a,b\"", "203.0.113.9"),
            ("for=203.0.113.9, for=unknown", "10.9.9.9"),
            ("for=203.0.113.9, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("for=203.0.113.9, proto=https", "10.9.9.9"),
            ("for=2001:db8::7", "10.9.9.9"),
            ("for=1.1.1.1;for=203.0.113.9", "10.9.9.9"),
            // a client's open quotation mark does not swallow what the proxy has said
            ("for=1.1.1.1;x=\", for=203.0.113.9", "203.0.113.9"),
            ("for=1.1.1.1;x=\", for=\"203.0.113.9\"", "203.0.113.9"),
            ("for=\"1.1.1.1\\\", for=203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(client("10.9.9.9", &[("forwarded", hops)]), found, "{hops:?}");
        }
        let both = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client("10.9.9.9", &both), "203.0.113.9");
    }
}
