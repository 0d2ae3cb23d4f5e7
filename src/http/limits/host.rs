//! The `Host` header: exactly one, well formed, and in dev mode one of this machine's names.

use axum::extract::Request;
use http::Version;
use http::header::HOST;

use super::{ApiError, Refused, doubtful};

/// RFC 9112 section 3.2: a request without or with two of them is refused and its connection closed; only HTTP/1.0
/// may come without.
pub(super) fn check(request: &Request, only_local_names: bool) -> Result<(), Refused> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.as_bytes(),
        (None, _) if request.version() == Version::HTTP_10 => b"",
        (None, _) => return Err(doubtful("The Host header is missing")),
        (Some(_), Some(_)) => return Err(doubtful("There is more than one Host header")),
    };
    if !host.iter().all(is_host_byte) {
        return Err(doubtful("The Host header is malformed"));
    }
    // a target with a host of its own overrules the header, so both must be local
    let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    if only_local_names && !(is_local(host) && target.is_none_or(is_local)) {
        return Err(ApiError::Misdirected.into());
    }
    Ok(())
}

/// RFC 3986 section 3.2: `reg-name`, IP literals and a port, but no user information.
fn is_host_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte)
}

fn is_local(host: &[u8]) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
        let (Some(start), Some(rest)) = (host.get(..name.len()), host.get(name.len()..)) else {
            return false;
        };
        let port = rest.strip_prefix(b":").unwrap_or(rest);
        let has_port = port.len() < rest.len() && port.iter().all(u8::is_ascii_digit);
        start.eq_ignore_ascii_case(name.as_bytes()) && (rest.is_empty() || has_port)
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn outcome(
        hosts: &[&str],
        target: &str,
        version: Version,
        only_local: bool,
    ) -> (Option<StatusCode>, bool) {
        let mut request = Request::builder().uri(target).version(version).body(Body::empty()).unwrap();
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_str(host).unwrap());
        }
        match check(&request, only_local) {
            Ok(()) => (None, false),
            Err(refused) => (Some(refused.error.status()), refused.close),
        }
    }

    #[test]
    fn exactly_one_host() {
        let bad = (Some(StatusCode::BAD_REQUEST), true);
        assert_eq!(outcome(&["api.example"], "/", Version::HTTP_11, false), (None, false));
        assert_eq!(outcome(&[], "/", Version::HTTP_11, false), bad);
        assert_eq!(outcome(&["a", "a"], "/", Version::HTTP_11, false), bad);
        assert_eq!(outcome(&["a", "b"], "/", Version::HTTP_10, false), bad);
        assert_eq!(outcome(&["ann@example"], "/", Version::HTTP_11, false), bad);
        assert_eq!(outcome(&["a b"], "/", Version::HTTP_11, false), bad);
        assert_eq!(outcome(&[], "/", Version::HTTP_10, false), (None, false));
    }

    #[test]
    fn dev_mode_answers_this_machines_names_only() {
        let status = |host| outcome(&[host], "/", Version::HTTP_11, true).0;
        for good in ["localhost", "LocalHost:8000", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:65535"] {
            assert_eq!(status(good), None, "{good}");
        }
        for other in [
            "evil.test",
            "localhost.evil.test",
            "localhost.",
            "127.0.0.1.nip.io",
            "127.0.0.10",
            "localhost:80x",
            "::1",
            "0.0.0.0",
            "",
        ] {
            assert_eq!(status(other), Some(StatusCode::MISDIRECTED_REQUEST), "{other}");
        }
        let target = |target| outcome(&["localhost"], target, Version::HTTP_11, true).0;
        assert_eq!(target("http://localhost:8000/"), None);
        assert_eq!(target("http://evil.test/"), Some(StatusCode::MISDIRECTED_REQUEST));
        assert_eq!(outcome(&[], "/", Version::HTTP_10, true).0, Some(StatusCode::MISDIRECTED_REQUEST));
    }
}
