//! Addresses and origins: `HOST`, `PORT`, `ALLOWED_ORIGINS`, `TRUSTED_PROXIES`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Environment, Reader};

mod networks;
mod origin;

pub use networks::Networks;
pub use origin::OriginRule;

/// One place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name that the system resolves when the server starts.
    Name(String),
}

impl Host {
    /// Whether only this machine can reach it; of names only `localhost` counts.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl fmt::Display for Host {
    /// As it stands in a URL: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The HTTP settings.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `HOST`: where to listen; never empty.
    pub hosts: Vec<Host>,
    /// Whether `HOST` was set: a default address that this machine lacks (`::1`) may be left out, a set one not.
    pub hosts_set: bool,
    /// `PORT`; 0 takes any free one.
    pub port: u16,
    /// `ALLOWED_ORIGINS`.
    pub allowed_origins: Vec<OriginRule>,
    /// `TRUSTED_PROXIES`: whose forwarded client addresses are believed.
    pub trusted_proxies: Networks,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let hosts = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        Self {
            hosts: hosts.into_iter().map(Host::Address).collect(),
            hosts_set: false,
            port: 8000,
            allowed_origins: Vec::new(),
            trusted_proxies: Networks::default(),
        }
    }
}

impl HttpConfig {
    /// Reads addresses and origins; what is wrong with them is noted in `reader`.
    pub fn read(reader: &mut Reader, _environment: Environment) -> Self {
        let usual = Self::default();
        let hosts = read_list(reader, "HOST", parse_host);
        Self {
            hosts_set: !hosts.is_empty(),
            hosts: if hosts.is_empty() { usual.hosts } else { hosts },
            port: reader.parse("PORT", usual.port, |text| {
                text.parse().map_err(|_| "must be a port number from 0 to 65535".to_owned())
            }),
            allowed_origins: read_list(reader, "ALLOWED_ORIGINS", OriginRule::parse),
            trusted_proxies: read_list(reader, "TRUSTED_PROXIES", Networks::parse_one).into_iter().collect(),
        }
    }

    /// Whether only this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        self.hosts.iter().all(Host::is_loopback)
    }
}

/// Parses every part of a comma-separated list and notes each wrong one.
fn read_list<T>(reader: &mut Reader, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
    let mut values = Vec::new();
    for part in reader.list(name) {
        match parse(&part) {
            Ok(value) => values.push(value),
            Err(problem) => reader.problem(name, problem),
        }
    }
    values
}

fn parse_host(text: &str) -> Result<Host, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Ok(Host::Address(address));
    }
    let is_name = text.len() <= 253
        && text
            .split('.')
            .all(|label| !label.is_empty() && label.len() <= 63 && label.bytes().all(is_name_byte));
    if !is_name || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!(
            "must be an address such as 0.0.0.0 or ::1, or a host name, without scheme and port (PORT sets the port): {text:?}"
        ));
    }
    Ok(Host::Name(text.to_owned()))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (HttpConfig, String) {
        let mut reader =
            Reader::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = HttpConfig::read(&mut reader, Environment::Development);
        (config, format!("{reader:?}"))
    }

    #[test]
    fn default_is_both_loopback_addresses_on_8000() {
        let (config, _) = read(&[]);
        let hosts: Vec<String> = config.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["127.0.0.1", "[::1]"]);
        assert_eq!(config.port, 8000);
        assert!(config.is_loopback() && !config.hosts_set);
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        let (config, _) = read(&[("HOST", "[::], localhost"), ("PORT", "80")]);
        assert_eq!(
            config.hosts,
            [Host::Address(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), Host::Name("localhost".into())]
        );
        assert_eq!(config.port, 80);
        assert!(config.hosts_set && !config.is_loopback());
        assert!(read(&[("HOST", "127.8.9.1,LOCALHOST,::ffff:127.0.0.1")]).0.is_loopback());
        assert!(!read(&[("HOST", "0.0.0.0")]).0.is_loopback());
        assert!(!read(&[("HOST", "localhost.example.com")]).0.is_loopback());
    }

    #[test]
    fn every_problem_is_named() {
        let (_, problems) = read(&[
            ("HOST", "http://localhost, 1.2.3, localhost:80"),
            ("PORT", "70000"),
            ("ALLOWED_ORIGINS", "*,https://ok.example,null"),
            ("TRUSTED_PROXIES", "10.0.0.0/8, nginx, 10.0.0.0/99"),
        ]);
        assert_eq!(problems.matches("HOST must be").count(), 3, "{problems}");
        assert!(problems.contains("PORT must be"));
        assert_eq!(problems.matches("ALLOWED_ORIGINS ").count(), 2, "{problems}");
        assert_eq!(problems.matches("TRUSTED_PROXIES must list").count(), 2, "{problems}");
    }

    proptest! {
        #[test]
        fn a_host_is_read_as_it_is_shown(text in "[a-c0-9.:\\[\\]_-]{0,20}|\\PC{0,40}") {
            if let Ok(host) = parse_host(&text) {
                prop_assert_eq!(parse_host(&host.to_string()), Ok(host));
            }
        }

        #[test]
        fn every_address_is_read(address: IpAddr) {
            let host = Host::Address(address);
            prop_assert_eq!(parse_host(&address.to_string()), Ok(host.clone()));
            prop_assert_eq!(parse_host(&host.to_string()), Ok(host));
        }
    }
}
