//! Takes the addresses of `HOST` and `PORT`, or says who is in the way.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, lookup_host};

use crate::config::http::{Host, HttpConfig};
use crate::config::metrics::{MetricsConfig, Place};

/// Listens at every address. One that nobody asked for by name and that this machine lacks (`::1` where IPv6 is off)
/// is left out; with `PORT=0` all addresses get the port that the first was given.
///
/// # Errors
/// One line that names the variable and the cure.
pub(in crate::cli) async fn bind(http: &HttpConfig) -> Result<Vec<TcpListener>, String> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut port = http.port;
    let mut lacking = None;
    for ip in addresses(http).await? {
        let address = SocketAddr::new(ip, port);
        match TcpListener::bind(address).await {
            Ok(listener) => {
                port = listener.local_addr().map_or(port, |address| address.port());
                listeners.push(listener);
            }
            Err(error) if !http.hosts_set && is_lacking(&error) => lacking = Some(refusal(address, &error)),
            Err(error) => return Err(refusal(address, &error)),
        }
    }
    match lacking {
        Some(refusal) if listeners.is_empty() => Err(refusal),
        _ => Ok(listeners),
    }
}

/// Listens where `/metrics` alone is served, if it is anywhere.
///
/// # Errors
/// One line that names the variable and the cure.
pub(in crate::cli) async fn bind_metrics(metrics: &MetricsConfig) -> Result<Option<TcpListener>, String> {
    let address = match metrics.place {
        Place::Own(address) => address,
        Place::Beside | Place::Off => return Ok(None),
    };
    TcpListener::bind(address).await.map(Some).map_err(|error| {
        let cure = "set METRICS_ADDRESS to another address, or METRICS_ADDRESS=off to do without";
        match error.kind() {
            ErrorKind::AddrInUse => {
                format!("METRICS_ADDRESS {address} is taken by another program: stop that one, {cure}")
            }
            _ => format!("METRICS_ADDRESS: cannot listen at {address} ({error}): {cure}"),
        }
    })
}

/// Every address of `HOST` once, names resolved.
async fn addresses(http: &HttpConfig) -> Result<Vec<IpAddr>, String> {
    let mut found = Vec::new();
    for host in &http.hosts {
        match host {
            Host::Address(address) => found.push(*address),
            Host::Name(name) => {
                let resolved = lookup_host((name.as_str(), http.port)).await.map_err(|error| {
                    format!("HOST {name} has no address ({error}): use an address or a name that resolves")
                })?;
                found.extend(resolved.map(|address| address.ip()));
            }
        }
    }
    let mut once = Vec::new();
    for address in found {
        if !once.contains(&address) {
            once.push(address);
        }
    }
    Ok(once)
}

/// Whether it is the machine that has no such address, or no such family of addresses at all.
fn is_lacking(error: &std::io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

fn refusal(address: SocketAddr, error: &std::io::Error) -> String {
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => {
            let other = if port < u16::MAX { port + 1 } else { port - 1 };
            format!("PORT {port} is taken by another program ({address}): stop that one, or set PORT={other}")
        }
        ErrorKind::PermissionDenied => {
            format!("PORT {port} is not for ordinary users ({address}): set PORT to 1024 or more")
        }
        ErrorKind::AddrNotAvailable => {
            format!("HOST {} is no address of this machine: set HOST=0.0.0.0 for all of them", address.ip())
        }
        _ => format!("HOST and PORT: cannot listen at {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(hosts: &[&str], port: u16, hosts_set: bool) -> HttpConfig {
        let hosts = hosts.iter().map(|host| Host::Address(host.parse().unwrap())).collect();
        HttpConfig { hosts, hosts_set, port, ..HttpConfig::default() }
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_cure() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let refusal = bind(&config(&["127.0.0.1"], port, true)).await.unwrap_err();
        assert!(refusal.starts_with(&format!("PORT {port} is taken by another program")), "{refusal}");
        assert!(refusal.contains("set PORT="), "{refusal}");
    }

    #[tokio::test]
    async fn any_free_port_is_the_same_one_on_every_address() {
        let listeners = bind(&config(&["127.0.0.1", "127.0.0.2"], 0, true)).await.unwrap();
        let ports: Vec<_> = listeners.iter().map(|one| one.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 2);
        assert!(ports[0] != 0 && ports[0] == ports[1]);
    }

    #[tokio::test]
    async fn a_default_address_that_is_missing_is_left_out_a_named_one_is_not() {
        let missing = ["127.0.0.1", "192.0.2.1"];
        assert_eq!(bind(&config(&missing, 0, false)).await.unwrap().len(), 1);
        let refusal = bind(&config(&missing, 0, true)).await.unwrap_err();
        assert!(refusal.starts_with("HOST 192.0.2.1 is no address of this machine"), "{refusal}");
        assert!(bind(&config(&["192.0.2.1"], 0, false)).await.is_err());
    }

    #[tokio::test]
    async fn names_are_resolved_once_each() {
        let http = HttpConfig {
            hosts: vec![Host::Name("localhost".to_owned()), Host::Name("localhost".to_owned())],
            ..HttpConfig::default()
        };
        let found = addresses(&http).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback));
        assert!(found.iter().enumerate().all(|(at, one)| !found[..at].contains(one)));
    }
}
