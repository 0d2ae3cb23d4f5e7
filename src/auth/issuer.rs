//! When two names of an issuer or an audience are the same one.

/// Whether a token's name is the expected one: as plain strings, but the three names of this machine on one port are
/// one (a developer opens `http://127.0.0.1:3000` where `http://localhost:3000` is configured).
pub(super) fn same(expected: &str, actual: &str) -> bool {
    expected == actual || matches!((loopback(expected), loopback(actual)), (Some(a), Some(b)) if a == b)
}

/// Scheme and port of a loopback origin, as written; nothing may follow them.
fn loopback(origin: &str) -> Option<(&str, &str)> {
    let (scheme, authority) = origin.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let port =
        ["localhost", "127.0.0.1", "[::1]"].into_iter().find_map(|host| authority.strip_prefix(host))?;
    let digits = port.strip_prefix(':');
    let plain =
        port.is_empty() || digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
    plain.then_some((scheme, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::same;

    #[test]
    fn plain_strings_are_compared_as_they_are() {
        assert!(same("https://app.example.com", "https://app.example.com"));
        assert!(same("my-app", "my-app"));
        for other in [
            "https://app.example.com/",
            "https://APP.example.com",
            "https://app.example.com:443",
            "http://app.example.com",
            "https://app.example.com.evil.test",
            "",
        ] {
            assert!(!same("https://app.example.com", other), "{other}");
        }
    }

    #[test]
    fn the_names_of_this_machine_on_one_port_are_one() {
        for actual in ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"] {
            assert!(same("http://localhost:3000", actual), "{actual}");
            assert!(same("http://[::1]:3000", actual), "{actual}");
        }
        for other in [
            "http://127.0.0.1:3001",
            "http://127.0.0.1",
            "https://127.0.0.1:3000",
            "http://127.0.0.1:3000/",
            "http://127.0.0.1:3000.evil.test",
            "http://localhost.evil.test:3000",
            "http://127.0.0.2:3000",
            "http://localhost:",
            "ftp://localhost:3000",
        ] {
            assert!(!same("http://localhost:3000", other), "{other}");
        }
        assert!(!same("https://app.example.com", "http://localhost"));
    }

    proptest! {
        #[test]
        fn being_the_same_is_mutual_and_needs_a_loopback_host(
            one in "https?://(localhost|127\\.0\\.0\\.1|\\[::1\\]|a)(:[0-9a]{0,2})?/?",
            other in "https?://(localhost|127\\.0\\.0\\.1|\\[::1\\]|a)(:[0-9a]{0,2})?/?",
        ) {
            prop_assert!(same(&one, &one));
            prop_assert_eq!(same(&one, &other), same(&other, &one));
            if same(&one, &other) && one != other {
                let (one, other) = (reqwest::Url::parse(&one).unwrap(), reqwest::Url::parse(&other).unwrap());
                prop_assert_eq!((one.scheme(), one.port(), one.path()), (other.scheme(), other.port(), other.path()));
                prop_assert!(one.host_str() != Some("a") && other.host_str() != Some("a"));
            }
        }
    }
}
