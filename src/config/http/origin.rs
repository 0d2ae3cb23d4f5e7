//! One rule of `ALLOWED_ORIGINS`: an origin, or a family of them by one `*` inside the left-most label.

use std::fmt;

/// Which web origins (RFC 6454) may call with credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginRule {
    /// The whole origin, or what stands before the `*`; scheme and host in lower case, no default port.
    before: String,
    /// What stands after the `*`.
    after: Option<String>,
}

impl OriginRule {
    /// A rule for one origin, which is compared as it is.
    pub fn exact(origin: &str) -> Self {
        Self { before: origin.to_owned(), after: None }
    }

    /// `https://app.example`, `http://localhost:3000/`, `https://app-*.vercel.app`.
    ///
    /// # Errors
    /// What is wrong with the text, and the cure.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            // What stands before an @ may be a password.
            let shown = text.rsplit_once('@').map_or(text.to_owned(), |(_, place)| format!("…@{place}"));
            format!(
                "must list origins such as https://app.example.com or https://app-*.vercel.app: {shown:?} {why}"
            )
        };
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://").ok_or_else(|| wrong("is not scheme://host"))?;
        if !is_scheme(scheme) {
            return Err(wrong("has no valid scheme"));
        }
        let (host, port) = split_port(authority).ok_or_else(|| wrong("has no valid host and port"))?;
        let port = match (scheme, port) {
            ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        match host.matches('*').count() {
            0 => Ok(Self { before: format!("{scheme}://{host}{port}"), after: None }),
            1 => {
                let (before, after) = host.split_once('*').unwrap_or((host, ""));
                check_star(before, after).map_err(wrong)?;
                Ok(Self { before: format!("{scheme}://{before}"), after: Some(format!("{after}{port}")) })
            }
            _ => Err(wrong("has more than one *")),
        }
    }

    /// Whether the value of an `Origin` header is allowed by this rule: no prefix match, and the `*` stands for
    /// one or more letters, digits and hyphens of one label.
    pub fn allows(&self, origin: &str) -> bool {
        let Some(after) = &self.after else { return origin == self.before };
        origin
            .strip_prefix(self.before.as_str())
            .and_then(|rest| rest.strip_suffix(after.as_str()))
            .is_some_and(|middle| {
                !middle.is_empty()
                    && middle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            })
    }
}

/// As it is written in `ALLOWED_ORIGINS`.
impl fmt::Display for OriginRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.after {
            Some(after) => write!(f, "{}*{after}", self.before),
            None => f.write_str(&self.before),
        }
    }
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Host and port of an authority without user information; `None` when it is none.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        let host = &authority[..address.len() + 2];
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => after.is_empty().then_some((host, None)),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (authority, None),
    };
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_*".contains(&b))
    };
    host.split('.').all(is_label).then_some((host, port))
}

/// The `*` must be in the left-most label, and what follows it must not be a bare top-level domain.
fn check_star(before: &str, after: &str) -> Result<(), &'static str> {
    if before.contains('.') {
        return Err("has its * outside the left-most label");
    }
    let Some((_, rest)) = after.split_once('.') else {
        return Err("allows every host: name a domain after the *");
    };
    if rest != "localhost" && !rest.contains('.') {
        return Err("allows a whole top-level domain: name a domain after the *");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_origin_is_compared_as_an_origin() {
        for setting in ["https://App.Example.com", "https://app.example.com/", "https://app.example.com:443"]
        {
            let rule = OriginRule::parse(setting).unwrap();
            assert!(rule.allows("https://app.example.com"), "{setting}");
            for other in [
                "http://app.example.com",
                "https://app.example.com.evil.test",
                "https://app.example.com:444",
                "https://app.example.co",
                "https://xapp.example.com",
                "https://app.example.com/",
                "null",
                "",
            ] {
                assert!(!rule.allows(other), "{setting} {other}");
            }
        }
        assert!(OriginRule::parse("http://[::1]:3000").unwrap().allows("http://[::1]:3000"));
        assert!(OriginRule::parse("http://localhost:80").unwrap().allows("http://localhost"));
    }

    #[test]
    fn one_star_inside_the_left_most_label() {
        let rule = OriginRule::parse("https://app-*.vercel.app").unwrap();
        assert!(rule.allows("https://app-git-main-me.vercel.app"));
        for other in [
            "https://app-.vercel.app",
            "https://app.vercel.app",
            "https://app-x.evil.vercel.app",
            "https://app-x.vercel.app.evil.test",
            "https://app-x.vercel.app:8443",
            "http://app-x.vercel.app",
            "https://evil.test/https://app-x.vercel.app",
            "https://app-evil.test#.vercel.app",
            "https://app-@evil.vercel.app",
        ] {
            assert!(!rule.allows(other), "{other}");
        }
        assert!(OriginRule::parse("http://*.localhost:3000").unwrap().allows("http://ann.localhost:3000"));
    }

    #[test]
    fn a_rule_is_shown_as_it_is_written_and_a_refused_one_without_its_login() {
        for text in ["https://app.example.com", "https://app-*.vercel.app:8443", "http://*.localhost:3000"] {
            assert_eq!(OriginRule::parse(text).unwrap().to_string(), text);
        }
        let refusal = OriginRule::parse("https://ann:canary@example.com").unwrap_err();
        assert!(refusal.contains("…@example.com") && !refusal.contains("canary"), "{refusal}");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "*",
            "null",
            "https://*",
            "https://*.com",
            "https://*:443",
            "https://app.*.com",
            "https://*-*.example.com",
            "https://ann@example.com",
            "https://example.com/path",
            "https://example.com?x",
            "https://example.com:port",
            "https://",
            "//example.com",
            "example.com",
            "https://[::1",
        ] {
            assert!(OriginRule::parse(text).is_err(), "{text}");
        }
    }

    /// A host name, as no other kind of host could be written.
    const NAME: &str = "[a-zA-Z][a-zA-Z0-9]{0,6}(-[a-wyz][a-z]{0,3})?(\\.[a-zA-Z][a-z0-9]{0,5}){0,3}";

    proptest! {
        #[test]
        fn arbitrary_text_never_panics_and_what_is_accepted_is_read_again_as_the_same(
            text in "(https?|HTTP|app\\+x)?(://)?[a-cA-C0-9*._:@\\[\\]-]{0,30}/?|\\PC{0,60}",
        ) {
            if let Ok(rule) = OriginRule::parse(&text) {
                prop_assert_eq!(OriginRule::parse(&rule.to_string()), Ok(rule));
            }
        }

        #[test]
        fn an_origin_is_what_a_browser_makes_of_it(
            scheme in "https?|HTTPS?", host in NAME, port in prop::option::of(0_u16..), end in "/?",
        ) {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let text = format!("{scheme}://{host}{port}{end}");
            let browser = reqwest::Url::parse(&text).unwrap().origin().ascii_serialization();
            let rule = OriginRule::parse(&text).unwrap();
            prop_assert_eq!(rule.to_string(), browser.clone());
            prop_assert!(rule.allows(&browser));
        }

        #[test]
        fn a_star_is_a_part_of_one_label(before in "[a-z0-9-]{0,5}", middle in "[a-zA-Z0-9.:/-]{0,8}", end in "[a-z.:/]{0,6}") {
            let rule = OriginRule::parse(&format!("https://{before}*.app.example")).unwrap();
            let origin = format!("https://{before}{middle}.app.example{end}");
            let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            let meant = end.is_empty() && !middle.is_empty() && middle.bytes().all(inside);
            // What is appended may itself look like the rest of the family only if it repeats it, which is too long here.
            prop_assert_eq!(rule.allows(&origin), meant, "{}", origin);
        }
    }
}
