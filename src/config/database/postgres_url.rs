//! A PostgreSQL URL taken apart, by libpq's rules where they are clear and leniently where people paste.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Secret;

use super::query;

/// A PostgreSQL server and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// Hosts and ports, tried in this order; at least one.
    pub hosts: Vec<(Host, u16)>,
    /// The role; the operating system's user when left out.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The database; named like the role when left out.
    pub dbname: Option<String>,
    /// `sslmode`, or `ssl`.
    pub ssl: SslMode,
    /// `sslrootcert`.
    pub root_cert: Option<RootCert>,
    /// `channel_binding`.
    pub channel_binding: ChannelBinding,
    /// `application_name`.
    pub application_name: Option<String>,
    /// `options`, sent at start-up as they are.
    pub options: Option<String>,
    /// `connect_timeout`.
    pub connect_timeout: Option<Duration>,
    /// `target_session_attrs`.
    pub session_attrs: SessionAttrs,
    /// `load_balance_hosts=random`: the hosts, and the addresses of a name, are tried in an order by chance.
    pub balance_hosts: bool,
    /// `pgbouncer`: said to be, or not to be, a pooler.
    pub pgbouncer: Option<bool>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an IP address.
    Name(String),
    /// The folder of a Unix socket.
    Socket(PathBuf),
}

/// `sslmode` (PostgreSQL manual, "SSL Support" of libpq).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted where the server can; taken as [`SslMode::Prefer`], which asks for encryption first.
    Allow,
    /// Encrypted where the server can, unverified.
    Prefer,
    /// Always encrypted, verified only where a root certificate is given (then like [`SslMode::VerifyCa`]).
    Require,
    /// Encrypted, the certificate's chain verified.
    VerifyCa,
    /// Encrypted, chain and host name verified.
    VerifyFull,
}

/// `sslrootcert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// The system's roots.
    System,
    /// A PEM file.
    File(PathBuf),
}

/// `channel_binding` (SCRAM with `tls-server-end-point`, RFC 5929).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// Where the server offers it.
    Prefer,
    /// A server that does not is refused.
    Require,
}

/// `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAttrs {
    /// The first host that answers.
    Any,
    /// The first host that takes writes; `primary` is taken for the same.
    ReadWrite,
    /// The first host that refuses writes; `standby` is taken for the same.
    ReadOnly,
}

impl PostgresUrl {
    /// Parses what follows `postgresql://`.
    pub(super) fn parse(rest: &str, warnings: &mut Vec<String>) -> Result<Self, String> {
        let (place, keys) = rest.split_once('?').unwrap_or((rest, ""));
        if keys.contains('@') {
            // With a raw `?` in the password the rest of it would be read, and perhaps named, as keys.
            return Err(
                "has an @ after a ?: write ? as %3F and @ as %40 in user, password and keys".to_owned()
            );
        }
        // Up to the last @, because pasted passwords hold unencoded ones.
        let (login, place) =
            place.rsplit_once('@').map_or((None, place), |(login, place)| (Some(login), place));
        let (hosts, dbname) = place.split_once('/').unwrap_or((place, ""));
        let mut url = Self::at(hosts)?;
        url.dbname = non_empty(query::decode(dbname)?);
        if let Some(login) = login {
            let (user, password) = login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)));
            url.user = non_empty(query::decode(user)?);
            url.password = password.map(query::decode).transpose()?.and_then(non_empty).map(Secret::new);
        }
        url.take_keys(query::pairs(keys)?, warnings)?;
        if url.hosts.len() > 1 && url.session_attrs == SessionAttrs::Any {
            warnings.push(
                "names several hosts without target_session_attrs=read-write: after a failover writes may land on a \
                 server that takes none; add it"
                    .to_owned(),
            );
        }
        url.check()
    }

    fn at(hosts: &str) -> Result<Self, String> {
        Ok(Self {
            hosts: parse_hosts(hosts)?,
            user: None,
            password: None,
            dbname: None,
            ssl: SslMode::Prefer,
            root_cert: None,
            channel_binding: ChannelBinding::Prefer,
            application_name: None,
            options: None,
            connect_timeout: None,
            session_attrs: SessionAttrs::Any,
            balance_hosts: false,
            pgbouncer: None,
        })
    }

    fn take_keys(&mut self, pairs: Vec<(String, String)>, warnings: &mut Vec<String>) -> Result<(), String> {
        let has_sslmode = pairs.iter().any(|(key, _)| key == "sslmode");
        let has_mode = pairs.iter().any(|(key, _)| key == "sslmode" || key == "ssl");
        for (key, value) in pairs {
            match key.as_str() {
                "sslmode" => self.ssl = ssl_mode(&value).ok_or_else(|| one_of("sslmode", SSL_MODES))?,
                "ssl" if has_sslmode => warnings.push("has both sslmode and ssl; sslmode counts".to_owned()),
                "ssl" => self.ssl = ssl_switch(&value)?,
                "sslrootcert" => self.root_cert = root_cert(value),
                "channel_binding" => self.channel_binding = channel_binding(&value)?,
                "application_name" => self.application_name = non_empty(value),
                "options" => self.options = non_empty(value),
                "connect_timeout" => self.connect_timeout = seconds(&value)?,
                "target_session_attrs" => self.session_attrs = session_attrs(&value)?,
                "load_balance_hosts" => self.balance_hosts = balance_hosts(&value)?,
                "pgbouncer" => self.pgbouncer = Some(query::switch(&key, &value)?),
                "host" => self.hosts = parse_hosts(&value)?,
                "port" => self.set_ports(&value)?,
                "user" => self.user = non_empty(value),
                "password" => self.password = non_empty(value).map(Secret::new),
                "dbname" => self.dbname = non_empty(value),
                _ => warnings.push(query::ignored(&key)),
            }
        }
        if self.root_cert == Some(RootCert::System) && self.ssl != SslMode::VerifyFull {
            if has_mode {
                warnings.push("has sslrootcert=system, which is taken with sslmode=verify-full".to_owned());
            }
            self.ssl = SslMode::VerifyFull;
        }
        Ok(())
    }

    /// One port for all hosts, or one for each.
    fn set_ports(&mut self, value: &str) -> Result<(), String> {
        let ports = value.split(',').map(port).collect::<Result<Vec<_>, _>>()?;
        if ports.len() != 1 && ports.len() != self.hosts.len() {
            return Err("must give one port, or one for each host".to_owned());
        }
        for (host, port) in self.hosts.iter_mut().zip(ports.iter().cycle()) {
            host.1 = *port;
        }
        Ok(())
    }

    /// Refuses what could never connect, before the server starts.
    fn check(self) -> Result<Self, String> {
        let texts = [&self.user, &self.dbname, &self.application_name, &self.options];
        let nul = texts.into_iter().flatten().any(|text| text.contains('\0'));
        if nul || self.password.as_ref().is_some_and(|secret| secret.expose().contains('\0')) {
            return Err("must not contain a NUL character (%00)".to_owned());
        }
        if self.channel_binding == ChannelBinding::Require && self.ssl == SslMode::Disable {
            return Err(
                "asks for channel_binding=require, which needs TLS; remove sslmode=disable".to_owned()
            );
        }
        Ok(self)
    }
}

/// What a log may say of it: neither user nor password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgreSQL at ")?;
        for (i, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match host {
                Host::Name(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Socket(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        match &self.dbname {
            Some(name) => write!(f, ", database {name}"),
            None => Ok(()),
        }
    }
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// `host`, `host:port`, `[v6]:port`, `%2Fsocket%2Ffolder`, several with commas.
fn parse_hosts(text: &str) -> Result<Vec<(Host, u16)>, String> {
    text.split(',').map(parse_host).collect()
}

fn parse_host(text: &str) -> Result<(Host, u16), String> {
    let (name, port_text) = if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or("has a [ without its ] in the host")?;
        (address, after.strip_prefix(':').unwrap_or(after))
    } else {
        text.split_once(':').unwrap_or((text, ""))
    };
    let name = query::decode(name)?;
    let port = if port_text.is_empty() { 5432 } else { port(port_text)? };
    if name.contains(char::is_control) || name.contains(char::is_whitespace) {
        return Err("has a host with blanks or control characters".to_owned());
    }
    let host = match name.as_str() {
        "" => Host::Name("localhost".to_owned()),
        path if path.starts_with('/') => Host::Socket(PathBuf::from(path)),
        _ => Host::Name(name),
    };
    Ok((host, port))
}

fn port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let port = if digits { text.parse().ok().filter(|port| *port > 0) } else { None };
    port.ok_or_else(|| "must have a port from 1 to 65535".to_owned())
}

const SSL_MODES: &str = "disable, allow, prefer, require, verify-ca, verify-full";

fn ssl_mode(value: &str) -> Option<SslMode> {
    match value.to_ascii_lowercase().as_str() {
        "disable" => Some(SslMode::Disable),
        "allow" => Some(SslMode::Allow),
        "prefer" => Some(SslMode::Prefer),
        "require" | "no-verify" => Some(SslMode::Require),
        "verify-ca" => Some(SslMode::VerifyCa),
        "verify-full" => Some(SslMode::VerifyFull),
        _ => None,
    }
}

/// `ssl=true` as node and asyncpg write it; a mode's name is taken too.
fn ssl_switch(value: &str) -> Result<SslMode, String> {
    if let Some(mode) = ssl_mode(value) {
        return Ok(mode);
    }
    Ok(if query::switch("ssl", value)? { SslMode::Require } else { SslMode::Disable })
}

fn root_cert(value: String) -> Option<RootCert> {
    non_empty(value).map(|text| if text == "system" { RootCert::System } else { RootCert::File(text.into()) })
}

fn channel_binding(value: &str) -> Result<ChannelBinding, String> {
    match value {
        "disable" => Ok(ChannelBinding::Disable),
        "prefer" => Ok(ChannelBinding::Prefer),
        "require" => Ok(ChannelBinding::Require),
        _ => Err(one_of("channel_binding", "disable, prefer, require")),
    }
}

fn seconds(value: &str) -> Result<Option<Duration>, String> {
    let seconds: u32 =
        value.parse().map_err(|_| "must have connect_timeout as a number of seconds".to_owned())?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds.into())))
}

fn session_attrs(value: &str) -> Result<SessionAttrs, String> {
    match value {
        "any" => Ok(SessionAttrs::Any),
        "read-write" | "primary" => Ok(SessionAttrs::ReadWrite),
        "read-only" | "standby" => Ok(SessionAttrs::ReadOnly),
        "prefer-standby" => {
            Err("asks for target_session_attrs=prefer-standby, which is not supported: this server reads what it has \
                 just written; use read-write"
                .to_owned())
        }
        _ => Err(one_of("target_session_attrs", "any, read-write, primary, read-only, standby")),
    }
}

fn balance_hosts(value: &str) -> Result<bool, String> {
    match value {
        "disable" => Ok(false),
        "random" => Ok(true),
        _ => Err(one_of("load_balance_hosts", "disable, random")),
    }
}

fn one_of(key: &str, values: &str) -> String {
    format!("must have {key} as one of: {values}")
}
