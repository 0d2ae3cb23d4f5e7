//! `REDIS_URL`: where several servers count together.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo};

/// The address of a Redis; its `Debug` and `Display` show host and port alone.
#[derive(Clone)]
pub struct RedisUrl(ConnectionInfo);

impl RedisUrl {
    /// `redis://` or `rediss://` (TLS) with user, password, host, port and database.
    ///
    /// # Errors
    /// The rule, without the text: it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            "must be redis://host:6379 or rediss://host:6379 (TLS), with user:password@ before the host and /number for \
             a database where needed; percent-encode special characters of the password"
                .to_owned()
        };
        let known = ["redis://", "rediss://"].iter().any(|scheme| text.starts_with(scheme));
        if !known || text.contains('#') {
            return Err(wrong());
        }
        text.into_connection_info().map(Self).map_err(|_| wrong())
    }

    /// For the one who connects.
    pub fn connection(&self) -> ConnectionInfo {
        self.0.clone()
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.addr())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_neither_user_nor_password() {
        let url = RedisUrl::parse("rediss://canary1:canary%32@cache.example:6380/2").unwrap();
        assert_eq!(
            (url.to_string(), format!("{url:?}")),
            ("cache.example:6380".into(), "RedisUrl(cache.example:6380)".into())
        );
        assert_eq!(RedisUrl::parse("redis://localhost").unwrap().to_string(), "localhost:6379");
    }

    #[test]
    fn other_texts_are_refused_without_being_shown() {
        for text in [
            "canary",
            "http://canary",
            "unix:///canary",
            "redis://",
            "redis://h:canary",
            "redis://h/canary",
            "rediss://h/#insecure",
        ] {
            let problem = RedisUrl::parse(text).unwrap_err();
            assert!(
                problem.starts_with("must be redis://") && !problem.contains("canary"),
                "{text}: {problem}"
            );
        }
    }
}
