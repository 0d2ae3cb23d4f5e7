//! The wire between the server and PostgreSQL, for trials that cut, stall and garble it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is wrong with the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Whole,
    /// Connections end after so many more bytes in all, in the middle of a message; new ones at once.
    CutAfter(i64),
    /// Nothing goes through any more, and nobody is told. What was sent arrives when it is whole again.
    BlackHole,
    /// Everything comes later.
    Delay(Duration),
    /// PostgreSQL sees the end of what the server sends, the server sees nothing.
    HalfClosed,
}

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    fault: watch::Sender<Fault>,
    left: Arc<AtomicI64>,
}

impl Wire {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (fault, watched) = watch::channel(Fault::Whole);
        let left = Arc::new(AtomicI64::new(0));
        let budget = Arc::clone(&left);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, port, watched.clone(), Arc::clone(&budget)));
            }
        });
        Self { address, fault, left }
    }

    pub(crate) fn set(&self, fault: Fault) {
        if let Fault::CutAfter(bytes) = fault {
            self.left.store(bytes, Ordering::SeqCst);
        }
        self.fault.send_replace(fault);
    }
}

/// One connection: it ends as a whole when either direction does.
async fn carry(client: TcpStream, port: u16, fault: watch::Receiver<Fault>, left: Arc<AtomicI64>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (client_out, client_in) = client.into_split();
    let (server_out, server_in) = server.into_split();
    tokio::select! {
        () = forward(client_out, server_in, fault.clone(), &left, true) => {}
        () = forward(server_out, client_in, fault, &left, false) => {}
    }
}

/// One direction.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut fault: watch::Receiver<Fault>,
    left: &AtomicI64,
    is_request: bool,
) {
    let mut buffer = vec![0; 16_384];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        let mut bytes = &buffer[..count];
        loop {
            let now = *fault.borrow_and_update();
            match now {
                Fault::Whole => break,
                Fault::BlackHole => {
                    if fault.changed().await.is_err() {
                        return;
                    }
                }
                Fault::Delay(time) => {
                    tokio::time::sleep(time).await;
                    break;
                }
                Fault::CutAfter(_) => {
                    let count = i64::try_from(bytes.len()).expect("small");
                    let had = left.fetch_sub(count, Ordering::SeqCst);
                    if had >= count {
                        break;
                    }
                    bytes = &bytes[..usize::try_from(had.max(0)).expect("not negative")];
                    to.write_all(bytes).await.ok();
                    return;
                }
                Fault::HalfClosed if is_request => {
                    to.shutdown().await.ok();
                    // The answer to that goes nowhere either, until the wire is whole again.
                    fault.wait_for(|fault| *fault == Fault::Whole).await.ok();
                    return;
                }
                Fault::HalfClosed => {
                    fault.wait_for(|fault| *fault != Fault::HalfClosed).await.ok();
                    return;
                }
            }
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
