//! The way to a PostgreSQL server: whether others can listen in on it or pose as the server, and which of several hosts
//! stand at its end.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::super::bounded;
use super::super::finding::Finding;
use super::{cure, reason};
use crate::config::database::{ChannelBinding, DatabaseConfig, Host, PostgresUrl, SessionAttrs, SslMode};
use crate::db::inspect;

/// Ends of names that lead to machines of the same network.
const NEAR: [&str; 4] = [".internal", ".local", ".localhost", ".lan"];

/// Whether a server far away is known to be the one that is meant; nothing where all are near.
pub(super) fn encryption(url: &PostgresUrl) -> Option<Finding> {
    const CHECK: &str = "encryption";
    if !url.hosts.iter().any(|(host, _)| is_far(host)) {
        return None;
    }
    let cure = "add sslmode=verify-full to DATABASE_URL, and sslrootcert= with the file of your provider's root \
                certificate where it has one of its own";
    let bound = url.channel_binding == ChannelBinding::Require;
    Some(match url.ssl {
        SslMode::VerifyFull => {
            Finding::ok(CHECK, "always, and the server's certificate and name are verified")
        }
        SslMode::Require | SslMode::VerifyCa if bound => {
            Finding::ok(CHECK, "always, and bound to the password (channel_binding=require)")
        }
        SslMode::VerifyCa => Finding::warning(CHECK, "the server's name is not verified", cure),
        SslMode::Require => {
            let detail = "always, but whoever answers is taken for the server and sent the login";
            Finding::warning(CHECK, detail, cure)
        }
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => Finding::warning(
            CHECK,
            "rows travel in the clear where the server, or who poses as it, wants them to",
            cure,
        ),
    })
}

fn is_far(host: &Host) -> bool {
    let Host::Name(name) = host else { return false };
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            !(address.is_loopback() || address.is_private() || address.is_link_local())
        }
        Ok(IpAddr::V6(address)) => {
            !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
        }
        Err(_) => name.contains('.') && !NEAR.iter().any(|end| name.to_ascii_lowercase().ends_with(end)),
    }
}

/// What each of several hosts is; nothing where there is one.
pub(super) async fn hosts(config: &DatabaseConfig, url: &PostgresUrl) -> Vec<Finding> {
    const CHECK: &str = "hosts";
    if url.hosts.len() < 2 {
        return Vec::new();
    }
    let looks = url.hosts.iter().map(|host| async move {
        let one = PostgresUrl { hosts: vec![host.clone()], session_attrs: SessionAttrs::Any, ..url.clone() };
        let name = match &host.0 {
            Host::Name(name) => format!("{name}:{}", host.1),
            Host::Socket(path) => format!("{}:{}", path.display(), host.1),
        };
        match bounded(inspect::postgres(config, &one)).await {
            Some(Ok(look)) if look.read_only => {
                Finding::ok(CHECK, format!("{name} takes no writes, as a standby"))
            }
            Some(Ok(_)) => Finding::ok(CHECK, format!("{name} takes writes")),
            Some(Err(error)) => {
                let reason = reason(&one, &error);
                Finding::warning(CHECK, format!("{name} cannot be used: {reason}"), cure(&reason))
            }
            None => {
                let detail = format!("{name} does not answer within three seconds");
                Finding::warning(CHECK, detail, "start it, or take it out of DATABASE_URL")
            }
        }
    });
    join_all(looks).await
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Status;
    use super::*;
    use crate::config::database::DatabaseUrl;

    fn judged(url: &str) -> Option<Status> {
        match DatabaseUrl::parse(url, &mut Vec::new()).unwrap() {
            DatabaseUrl::Postgres(url) => encryption(&url).map(|finding| finding.status),
            DatabaseUrl::Sqlite(_) => unreachable!(),
        }
    }

    #[test]
    fn what_is_near_needs_none_and_what_is_far_is_to_be_known() {
        for near in ["localhost", "db", "10.1.2.3", "[::1]", "db.default.svc.cluster.local", "%2Frun%2Fpg"] {
            assert_eq!(judged(&format!("postgresql://u@{near}/d")), None, "{near}");
        }
        for (keys, status) in [
            ("", Status::Warning),
            ("?sslmode=disable", Status::Warning),
            ("?sslmode=require", Status::Warning),
            ("?sslmode=verify-ca", Status::Warning),
            ("?sslmode=require&channel_binding=require", Status::Ok),
            ("?sslmode=verify-full", Status::Ok),
            ("?sslrootcert=system", Status::Ok),
        ] {
            for far in ["db.example.com", "198.51.100.7", "db,db.example.com"] {
                assert_eq!(judged(&format!("postgresql://u@{far}/d{keys}")), Some(status), "{far} {keys}");
            }
        }
    }
}
