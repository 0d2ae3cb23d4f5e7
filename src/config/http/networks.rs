//! `TRUSTED_PROXIES`: addresses and networks.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// Addresses and networks. IPv4 mapped into IPv6 is IPv4.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether the address is in one of them.
    pub fn have(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `10.0.0.7`, `10.0.0.0/8`, `::1`, `fd00::/8`, `[::1]`.
    ///
    /// # Errors
    /// The rule, when the text is none of these.
    pub fn parse_one(text: &str) -> Result<IpNet, String> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let network = bare.parse::<IpAddr>().map(IpNet::from).or_else(|_| bare.parse::<IpNet>());
        let wrong = |_| {
            format!(
                "must list addresses such as 10.0.0.7 or ::1 and networks such as 10.0.0.0/8 or fd00::/8: {text:?}"
            )
        };
        network.map(unmapped).map_err(wrong)
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<T: IntoIterator<Item = IpNet>>(networks: T) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else { return network };
    let four: Option<Ipv4Addr> = six.addr().to_ipv4_mapped();
    let four = four.zip(six.prefix_len().checked_sub(96));
    let four = four.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    four.map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks(list: &[&str]) -> Networks {
        list.iter().map(|text| Networks::parse_one(text).unwrap()).collect()
    }

    #[test]
    fn addresses_and_networks_of_both_families() {
        let trusted = networks(&["10.0.0.0/8", "192.0.2.7", "fd00::/8", "[::1]", "::ffff:172.16.0.0/108"]);
        for (address, inside) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fd12::1", true),
            ("fe00::1", false),
            ("::1", true),
            ("::2", false),
            ("::ffff:10.0.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
        ] {
            assert_eq!(trusted.have(address.parse().unwrap()), inside, "{address}");
        }
        assert!(networks(&["0.0.0.0/0"]).have("203.0.113.9".parse().unwrap()));
        assert!(!networks(&["0.0.0.0/0"]).have("2001:db8::1".parse().unwrap()));
        assert!(networks(&["10.1.2.3/8"]).have("10.9.9.9".parse().unwrap()), "host bits do no harm");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "*",
            "all",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.1-10.0.0.9",
            "proxy.example",
            "::/129",
            "10.0.0.1:80",
            "10.0.0.0/-1",
        ] {
            assert!(Networks::parse_one(text).unwrap_err().starts_with("must list addresses"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[0-9a-f.:/\\[\\]]{0,24}|\\PC{0,20}") {
            let _ = Networks::parse_one(&text);
        }

        #[test]
        fn a_network_has_its_addresses(bits in any::<u32>(), length in 0u8..=32, other in any::<u32>()) {
            let trusted = networks(&[&format!("{}/{length}", Ipv4Addr::from_bits(bits))]);
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            prop_assert_eq!(trusted.have(Ipv4Addr::from_bits(other).into()), bits & mask == other & mask);
            prop_assert!(trusted.have(Ipv4Addr::from_bits(bits).into()));
        }
    }
}
