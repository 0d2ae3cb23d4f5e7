//! Sizes, times and rates: `WORKERS`, `BODY_LIMIT`, `REQUEST_TIMEOUT`, `SHUTDOWN_DELAY`, `SHUTDOWN_GRACE`,
//! `RATE_LIMIT`, `REDIS_URL`.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::{Environment, Reader};

mod rate;
mod redis;

pub use rate::RateLimit;
pub use redis::RedisUrl;

/// The limits.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// `WORKERS`: runtime threads; one per core when unset.
    pub workers: usize,
    /// `BODY_LIMIT` in bytes.
    pub body: usize,
    /// `REQUEST_TIMEOUT`.
    pub request_timeout: Duration,
    /// `SHUTDOWN_DELAY`.
    pub shutdown_delay: Duration,
    /// `SHUTDOWN_GRACE`.
    pub shutdown_grace: Duration,
    /// `RATE_LIMIT`; `None` is `off`.
    pub rate: Option<RateLimit>,
    /// `REDIS_URL`.
    pub redis: Option<RedisUrl>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            workers: one_per_core(),
            body: 1 << 20,
            request_timeout: Duration::from_secs(30),
            shutdown_delay: Duration::ZERO,
            shutdown_grace: Duration::from_secs(20),
            rate: Some(RateLimit::USUAL),
            redis: None,
        }
    }
}

impl LimitsConfig {
    /// Reads the limits; what is wrong with them is noted in `reader`.
    pub fn read(reader: &mut Reader, _environment: Environment) -> Self {
        let usual = Self::default();
        let limits = Self {
            workers: reader.parse("WORKERS", usual.workers, parse_workers),
            body: reader.size("BODY_LIMIT", usual.body),
            request_timeout: reader.duration("REQUEST_TIMEOUT", usual.request_timeout),
            shutdown_delay: reader.duration("SHUTDOWN_DELAY", usual.shutdown_delay),
            shutdown_grace: reader.duration("SHUTDOWN_GRACE", usual.shutdown_grace),
            rate: reader.parse("RATE_LIMIT", usual.rate, RateLimit::parse),
            redis: reader.parse("REDIS_URL", None, |text| RedisUrl::parse(text).map(Some)),
        };
        if limits.body == 0 {
            reader.problem("BODY_LIMIT", "must be more than 0, for example 1MiB");
        }
        if limits.request_timeout.is_zero() {
            reader.problem("REQUEST_TIMEOUT", "must be more than 0, for example 30s");
        }
        if limits.rate.is_none() && limits.redis.is_some() {
            reader.warning(
                "REDIS_URL",
                "is not needed with RATE_LIMIT=off: nothing else uses it, so take it out",
            );
        }
        limits
    }
}

fn one_per_core() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn parse_workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1024) => Ok(number),
        _ => Err("must be a number of threads from 1 to 1024; leave it unset for one per core".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(pairs: &[(&str, &str)]) -> Reader {
        Reader::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn unset_means_the_documented_defaults() {
        let limits = LimitsConfig::read(&mut reader(&[]), Environment::Production);
        assert!(limits.workers >= 1);
        assert_eq!(limits.body, 1_048_576);
        assert_eq!(limits.request_timeout, Duration::from_secs(30));
        assert_eq!(limits.shutdown_delay, Duration::ZERO);
        assert_eq!(limits.shutdown_grace, Duration::from_secs(20));
        assert_eq!(limits.rate.unwrap().to_string(), "600/minute");
        assert!(limits.redis.is_none());
    }

    #[test]
    fn values_are_taken() {
        let mut reader = reader(&[
            ("WORKERS", "3"),
            ("BODY_LIMIT", "64KiB"),
            ("REQUEST_TIMEOUT", "500ms"),
            ("SHUTDOWN_DELAY", "5"),
            ("SHUTDOWN_GRACE", "2m"),
            ("RATE_LIMIT", "5/second"),
            ("REDIS_URL", "redis://cache:6379/1"),
        ]);
        let limits = LimitsConfig::read(&mut reader, Environment::Development);
        assert_eq!(limits.workers, 3);
        assert_eq!(limits.body, 65_536);
        assert_eq!(limits.request_timeout, Duration::from_millis(500));
        assert_eq!(limits.shutdown_delay, Duration::from_secs(5));
        assert_eq!(limits.shutdown_grace, Duration::from_secs(120));
        assert_eq!(limits.rate.unwrap().to_string(), "5/second");
        assert_eq!(limits.redis.unwrap().to_string(), "cache:6379");
    }

    #[test]
    fn a_redis_that_nobody_asks_is_warned_of() {
        let mut reader = reader(&[("RATE_LIMIT", "off"), ("REDIS_URL", "redis://:canary@cache")]);
        assert!(LimitsConfig::read(&mut reader, Environment::Development).rate.is_none());
        let (problems, warnings) = reader.into_notes();
        assert_eq!((problems.len(), warnings.len()), (0, 1));
        assert!(warnings[0].starts_with("REDIS_URL is not needed") && !warnings[0].contains("canary"));
    }

    #[test]
    fn every_problem_is_named() {
        let mut reader = reader(&[
            ("WORKERS", "0"),
            ("BODY_LIMIT", "0"),
            ("REQUEST_TIMEOUT", "soon"),
            ("RATE_LIMIT", "many"),
            ("REDIS_URL", "cache:6379"),
        ]);
        LimitsConfig::read(&mut reader, Environment::Development);
        let text = format!("{reader:?}");
        for name in [
            "WORKERS must be",
            "BODY_LIMIT must be",
            "REQUEST_TIMEOUT must be",
            "RATE_LIMIT must be",
            "REDIS_URL must be",
        ] {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
}
