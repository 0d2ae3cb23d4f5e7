//! A link to PostgreSQL that a test can cut, silence and mend.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::config::database::Host;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Up,
    /// Everything passes, 0.15 s late.
    Slow,
    /// Nothing passes, nothing ends.
    Silent,
    /// What is open ends, what is new ends at once.
    Cut,
}

pub(super) struct Proxy {
    pub(super) port: u16,
    link: Arc<watch::Sender<Link>>,
    /// Changes when what is open ends.
    era: Arc<watch::Sender<u32>>,
}

impl Proxy {
    pub(super) async fn start(link: Link) -> Self {
        let DatabaseUrl::Postgres(url) = settings(&[("DATABASE_URL", &test_url())]).url else {
            unreachable!()
        };
        let (Host::Name(host), port) = url.hosts[0].clone() else {
            panic!("TEST_POSTGRES_URL must have a TCP host")
        };
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let link = Arc::new(watch::channel(link).0);
        let era = Arc::new(watch::channel(0).0);
        let (state, eras) = (link.clone(), era.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (host, state, mut era) = (host.clone(), state.subscribe(), eras.subscribe());
                tokio::spawn(async move {
                    if *state.borrow() == Link::Cut {
                        return;
                    }
                    let server = TcpStream::connect((host, port)).await.unwrap();
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    let both = async {
                        tokio::join!(
                            pump(from_client, to_server, state.clone()),
                            pump(from_server, to_client, state)
                        )
                    };
                    tokio::select! {
                        _ = both => {}
                        _ = era.changed() => {}
                    }
                });
            }
        });
        Self { port: own, link, era }
    }

    pub(super) fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// Ends what is open; what is new passes.
    pub(super) fn cut_once(&self) {
        self.era.send_modify(|era| *era += 1);
    }

    /// Leads a database's settings through the proxy.
    pub(super) fn lead(&self, config: &mut DatabaseConfig) {
        let DatabaseUrl::Postgres(url) = &mut config.url else { unreachable!() };
        url.hosts = vec![(Host::Name("127.0.0.1".to_owned()), self.port)];
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut link: watch::Receiver<Link>,
) {
    let mut buffer = vec![0; 16384];
    loop {
        let read = tokio::select! {
            _ = link.wait_for(|link| *link == Link::Cut) => return,
            read = from.read(&mut buffer) => read.unwrap_or(0),
        };
        if read == 0 {
            return;
        }
        let now = *link.wait_for(|link| *link != Link::Silent).await.unwrap();
        if now == Link::Slow {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        if now == Link::Cut || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
