//! A load balancer as most are: it asks each server whether it is ready, sends connections to those that are, and tries
//! another only where nothing was sent yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Call, Client};

/// How often it asks.
const EVERY: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Backend {
    address: SocketAddr,
    ready: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    backends: Arc<Vec<Backend>>,
}

impl Balancer {
    pub(crate) async fn before(servers: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let backend = |address: &SocketAddr| Backend { address: *address, ready: AtomicBool::new(false) };
        let backends = Arc::new(servers.iter().map(backend).collect::<Vec<_>>());
        let asking = Arc::clone(&backends);
        tokio::spawn(async move {
            loop {
                futures_util::future::join_all(asking.iter().map(ask)).await;
                tokio::time::sleep(EVERY).await;
            }
        });
        let carrying = Arc::clone(&backends);
        tokio::spawn(async move {
            let turn = Arc::new(AtomicUsize::new(0));
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, Arc::clone(&carrying), turn.fetch_add(1, Ordering::Relaxed)));
            }
        });
        Self { address, backends }
    }

    /// How many servers it sends connections to.
    pub(crate) fn ready(&self) -> usize {
        self.backends.iter().filter(|backend| backend.ready.load(Ordering::Relaxed)).count()
    }

    pub(crate) async fn until_ready(&self, count: usize) {
        while self.ready() != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn ask(backend: &Backend) {
    let mut client = Client::new(backend.address, String::new()).single();
    let answer = tokio::time::timeout(Duration::from_secs(2), client.send(&Call::get("/health/ready"))).await;
    let ready = matches!(answer, Ok(Ok(answer)) if answer.status == 200);
    backend.ready.store(ready, Ordering::Relaxed);
}

async fn carry(mut client: TcpStream, backends: Arc<Vec<Backend>>, turn: usize) {
    client.set_nodelay(true).ok();
    for step in 0..backends.len() {
        let backend = &backends[(turn + step) % backends.len()];
        if !backend.ready.load(Ordering::Relaxed) {
            continue;
        }
        if let Ok(mut server) = TcpStream::connect(backend.address).await {
            server.set_nodelay(true).ok();
            copy_bidirectional(&mut client, &mut server).await.ok();
            return;
        }
    }
}
