//! `healthcheck`: asks a running server on this machine how it is, for a container that has no `curl`.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use clap::Args;

use super::{Failure, say, settings};
use crate::config::http::Host;

/// Shorter than the 3 seconds that a container's HEALTHCHECK commonly gives.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Ask the server on this machine whether it is alive (HOST and PORT say where)
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault healthcheck            asks /health: exit 0 when the process answers
  creatorvault healthcheck --ready    asks /health/ready: exit 0 when the database answers too

In a Dockerfile:
  HEALTHCHECK --interval=30s --timeout=3s --start-period=40s --retries=3 \\
    CMD [\"creatorvault\", \"healthcheck\"]")]
pub(super) struct Healthcheck {
    /// Ask whether it can serve (/health/ready) and not only whether it lives (/health)
    #[arg(long)]
    ready: bool,
}

impl Healthcheck {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = settings()?;
        let address = near(&config.http.hosts, config.http.port)?;
        let path = if self.ready { "/health/ready" } else { "/health" };
        let status = ask(address, path, Instant::now() + PATIENCE).map_err(|error| {
            format!("{path} at {address} does not answer ({error}): is the server running?")
        })?;
        if status == 200 {
            say(&format!("{path} answers 200"));
            Ok(())
        } else {
            Err(format!("{path} at {address} answers {status}").into())
        }
    }
}

/// Where this machine reaches a server that listens at these places.
pub(super) fn near(hosts: &[Host], port: u16) -> Result<SocketAddr, String> {
    let ip: IpAddr = match hosts.first() {
        None => Ipv4Addr::LOCALHOST.into(),
        Some(Host::Address(IpAddr::V4(host))) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        Some(Host::Address(IpAddr::V6(host))) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        Some(Host::Address(host)) => *host,
        Some(Host::Name(name)) => {
            let found = (name.as_str(), port).to_socket_addrs().ok().and_then(|mut found| found.next());
            return found.ok_or_else(|| {
                format!("HOST {name} has no address: use an address or a name that resolves")
            });
        }
    };
    Ok(SocketAddr::new(ip, port))
}

/// The status code of a GET, before the deadline.
pub(super) fn ask(address: SocketAddr, path: &str, deadline: Instant) -> std::io::Result<u16> {
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(std::io::Error::from(std::io::ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    // In one piece: a server may answer, and hang up, after the first.
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // `HTTP/1.1 200`: twelve bytes tell.
    let mut head = [0; 12];
    let mut filled = 0;
    while filled < head.len() {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut head[filled..])? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    std::str::from_utf8(&head)
        .ok()
        .and_then(|head| head.strip_prefix("HTTP/1."))
        .and_then(|rest| rest.get(2..)?.parse().ok())
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "not HTTP"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that says one thing to one client, and keeps the line open as long as it is told.
    fn answering(text: &'static str, hold: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            drop(stream.read(&mut [0; 1024]));
            drop(stream.write_all(text.as_bytes()));
            std::thread::sleep(hold);
        });
        address
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(400)
    }

    #[test]
    fn reads_the_status_without_waiting_for_the_rest() {
        let address = answering("HTTP/1.1 503 Service Unavailable\r\n", Duration::from_secs(5));
        assert_eq!(ask(address, "/health", soon()).unwrap(), 503);
        assert_eq!(
            ask(answering("HTTP/1.1 200 OK\r\n\r\n", Duration::ZERO), "/health", soon()).unwrap(),
            200
        );
    }

    #[test]
    fn gives_up_on_silence_garbage_and_a_closed_port() {
        let started = Instant::now();
        assert!(ask(answering("HTTP/1.1", Duration::from_secs(5)), "/health", soon()).is_err());
        assert!(started.elapsed() < Duration::from_secs(3));
        assert!(ask(answering("SSH-2.0-hello there", Duration::ZERO), "/health", soon()).is_err());
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(ask(closed, "/health", soon()).is_err());
    }

    #[test]
    fn reaches_a_server_that_listens_everywhere() {
        let of = |hosts: &[&str]| {
            let hosts: Vec<_> = hosts.iter().map(|host| Host::Address(host.parse().unwrap())).collect();
            near(&hosts, 80).unwrap().to_string()
        };
        assert_eq!(of(&["0.0.0.0"]), "127.0.0.1:80");
        assert_eq!(of(&["::"]), "[::1]:80");
        assert_eq!(of(&["127.0.0.1", "::1"]), "127.0.0.1:80");
        assert_eq!(of(&["192.0.2.7"]), "192.0.2.7:80");
        assert_eq!(of(&[]), "127.0.0.1:80");
        assert_eq!(near(&[Host::Name("localhost".to_owned())], 80).unwrap().port(), 80);
        assert!(near(&[Host::Name("no.such.name.invalid".to_owned())], 80).is_err());
    }
}
