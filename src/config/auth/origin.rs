//! The origin of a URL, as `new URL(text).origin` of a browser or of Better Auth gives it.

use std::net::Ipv6Addr;

use http::Uri;

/// The origin of an http or https URL: lower-case host, default port dropped, no path, no trailing slash
/// (WHATWG URL standard, section 4.7).
///
/// # Errors
/// The rule that the URL breaks, to be put after the variable's name; never the URL, which may hold a password.
pub fn of(url: &str) -> Result<String, String> {
    let wrong = || "must be a URL such as https://app.example.com".to_owned();
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("must start with http:// or https://, such as https://app.example.com".to_owned());
    };
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err("must start with http:// or https://".to_owned()),
    };
    if authority.as_str().contains('@') {
        return Err("must not contain a user name or a password".to_owned());
    }
    let host = host(authority.host()).ok_or_else(wrong)?;
    match port(authority.as_str(), authority.host()).ok_or_else(wrong)? {
        Some(port) if port != default_port => Ok(format!("{scheme}://{host}:{port}")),
        _ => Ok(format!("{scheme}://{host}")),
    }
}

/// The host in its one spelling.
fn host(written: &str) -> Option<String> {
    if let Some(address) = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!written.is_empty() && written.bytes().all(plain)).then(|| written.to_ascii_lowercase())
}

/// The port, if one is written; `None` when what follows the host is no port.
fn port(authority: &str, host: &str) -> Option<Option<u16>> {
    match authority.strip_prefix(host)? {
        "" | ":" => Some(None),
        rest => {
            let digits =
                rest.strip_prefix(':').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse().ok().map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::of;

    #[test]
    fn the_origin_has_one_spelling() {
        for (url, origin) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://App.Example.COM/", "https://app.example.com"),
            ("HTTPS://app.example.com:443/api/auth?x=1#y", "https://app.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:443", "http://localhost:443"),
            ("http://localhost:03000/", "http://localhost:3000"),
            ("http://[0:0:0:0:0:0:0:1]:3000/auth", "http://[::1]:3000"),
            ("http://10.0.0.1:", "http://10.0.0.1"),
        ] {
            assert_eq!(of(url).as_deref(), Ok(origin), "{url}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused_without_showing_it() {
        for url in [
            "localhost:3000",
            "app.example.com",
            "/api/auth",
            "ftp://example.com",
            "https://",
            "https://:3000",
            "http://host:99999",
            "http://host:3a",
            "http://[::1",
            "http://[zz]:1",
            "http://user:canary@host",
            "http://ho st",
            "http://müller.example",
            "http://a%41.example",
            "",
        ] {
            let error = of(url).expect_err(url);
            assert!(error.starts_with("must ") && !error.contains("canary"), "{url}: {error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics_and_an_origin_is_its_own(
            text in "(https?|HTTP|ftp)?(://)?[a-cA-C0-9._:@%\\[\\]-]{0,20}[/?#]?[a-z:@]{0,5}|\\PC{0,60}",
        ) {
            if let Ok(origin) = of(&text) {
                prop_assert_eq!(of(&origin), Ok(origin));
            }
        }

        #[test]
        fn the_origin_is_what_a_browser_makes_of_it(
            scheme in "https?|HTTPS?",
            host in "[a-zA-Z][a-zA-Z0-9]{0,6}(-[a-wyz][a-z]{0,3})?(\\.[a-zA-Z][a-z0-9]{0,5}){0,3}|127\\.0\\.0\\.1|\\[::1\\]|\\[2001:DB8::0:1\\]",
            port in prop::option::of(0_u16..),
            rest in "(/[a-z%0-9]{0,10})?(\\?[a-z=]{0,5})?",
        ) {
            prop_assume!(!rest.contains('%'));
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let text = format!("{scheme}://{host}{port}{rest}");
            let browser = reqwest::Url::parse(&text).unwrap().origin().ascii_serialization();
            prop_assert_eq!(of(&text), Ok(browser));
        }
    }
}
