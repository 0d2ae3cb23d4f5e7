//! One hop of `X-Forwarded-For` or `Forwarded` (RFC 7239).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The elements of a list, the last first; `None` for one that is no text. It is read from the right, because that end
/// was written by the proxy: whatever quotation marks a client left open further left cannot reach it.
pub(super) fn from_the_right(line: &[u8]) -> impl Iterator<Item = Option<&str>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let all = rest?;
        let mut quoted = false;
        let comma = all.iter().rposition(|byte| {
            quoted ^= *byte == b'"';
            *byte == b',' && !quoted
        });
        let hop = match comma {
            Some(comma) => {
                rest = Some(&all[..comma]);
                &all[comma + 1..]
            }
            None => {
                rest = None;
                all
            }
        };
        Some(std::str::from_utf8(hop.trim_ascii()).ok())
    })
}

/// `203.0.113.9`, `203.0.113.9:4711`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:4711`.
pub(super) fn plain(text: &str) -> Option<IpAddr> {
    text.parse::<Ipv6Addr>().map(IpAddr::V6).ok().or_else(|| node(text)).map(|address| address.to_canonical())
}

/// The `for` of one element: `for=203.0.113.9;proto=https`, `for="[2001:db8::7]:4711"`. Twice is not once.
pub(super) fn forwarded(text: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in text.split(';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("for") {
            let value = value.trim();
            let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            if found.replace(node(bare)?).is_some() {
                return None;
            }
        }
    }
    found.map(|address| address.to_canonical())
}

/// A node of RFC 7239 as far as it is an address: IPv6 in brackets, with or without a port.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_break_it_and_nothing_is_lost(line in prop::collection::vec(prop::sample::select(b"af=\"\\,;:[].01 \xff\t".to_vec()), 0..60)) {
            let hops: Vec<_> = from_the_right(&line).collect();
            prop_assert!(!hops.is_empty());
            for hop in hops.into_iter().flatten() {
                let _ = (plain(hop), forwarded(hop));
            }
        }

        #[test]
        fn an_address_is_read_in_every_form(bits in any::<u128>(), small in any::<u32>(), port in any::<u16>()) {
            let (six, four) = (Ipv6Addr::from_bits(bits), Ipv4Addr::from_bits(small));
            let six_is = Some(IpAddr::V6(six).to_canonical());
            for text in [six.to_string(), format!("[{six}]"), format!("[{six}]:{port}")] {
                prop_assert_eq!(plain(&text), six_is);
            }
            prop_assert_eq!(forwarded(&format!("proto=http;for=\"[{six}]:{port}\"")), six_is);
            for text in [four.to_string(), format!("{four}:{port}")] {
                prop_assert_eq!(plain(&text), Some(IpAddr::V4(four)));
                prop_assert_eq!(forwarded(&format!("for={text}")), Some(IpAddr::V4(four)));
            }
        }

        #[test]
        fn what_a_proxy_appends_is_what_is_read(sent in "[ -~]{0,40}", small in any::<u32>()) {
            let four = Ipv4Addr::from_bits(small);
            let (list, forwarded_list) = (format!("{sent}, {four}"), format!("{sent}, for=\"{four}\""));
            prop_assert_eq!(from_the_right(list.as_bytes()).next().flatten().and_then(plain), Some(IpAddr::V4(four)));
            let last = from_the_right(forwarded_list.as_bytes()).next().flatten();
            prop_assert_eq!(last.and_then(forwarded), Some(IpAddr::V4(four)));
        }
    }
}
