//! A listener on the wire between the server and PostgreSQL, which hears every statement.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The code of the request that asks for TLS, after which the client begins once more (PostgreSQL's protocol 3.0,
/// section "Message Formats").
const TLS_WANTED: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// A proxy in front of PostgreSQL that keeps the statements it passes on, word for word.
#[derive(Debug)]
pub(crate) struct Spy {
    address: SocketAddr,
    heard: Arc<Mutex<BTreeSet<String>>>,
}

impl Spy {
    /// Stands before the server of this URL; gives the URL that leads past it too.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        // Of the parameters behind it this parser does not know ours.
        let bare = url.split('?').next().unwrap_or_default();
        let server: tokio_postgres::Config = bare.parse().expect("a URL");
        let port = server.get_ports().first().copied().expect("a port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let heard = Arc::default();
        let spy = Self { address, heard: Arc::clone(&heard) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, ([127, 0, 0, 1], port).into(), Arc::clone(&heard)));
            }
        });
        let url = url.replace(&format!(":{port}/"), &format!(":{}/", spy.address.port()));
        (spy, url)
    }

    /// Every statement until now, once.
    pub(crate) fn statements(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panics with it").iter().cloned().collect()
    }
}

async fn carry(client: TcpStream, to: SocketAddr, heard: Arc<Mutex<BTreeSet<String>>>) {
    let Ok(server) = TcpStream::connect(to).await else { return };
    for side in [&client, &server] {
        side.set_nodelay(true).expect("a connection");
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let listen = async {
        let mut ear = Ear::default();
        let mut chunk = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from_client.read(&mut chunk).await {
            ear.hears(&chunk[..read], &heard);
            if to_server.write_all(&chunk[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = listen => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}

/// What one client has said so far.
#[derive(Debug, Default)]
struct Ear {
    unread: Vec<u8>,
    begun: bool,
}

impl Ear {
    fn hears(&mut self, bytes: &[u8], heard: &Mutex<BTreeSet<String>>) {
        self.unread.extend_from_slice(bytes);
        // Before the session has begun, messages have no kind.
        while let Some((kind, body)) = self.message() {
            let text = match kind {
                None => {
                    self.begun = body[..4] != TLS_WANTED;
                    continue;
                }
                // Parse: the statement's name, then its text.
                Some(b'P') => body.split(|byte| *byte == 0).nth(1),
                // Query: one text with any number of statements.
                Some(b'Q') => body.split(|byte| *byte == 0).next(),
                Some(_) => continue,
            };
            let text = String::from_utf8_lossy(text.expect("a text that ends")).into_owned();
            heard.lock().expect("nobody panics with it").insert(text);
        }
    }

    /// The next whole message: its kind, and what follows its length.
    fn message(&mut self) -> Option<(Option<u8>, Vec<u8>)> {
        let head = usize::from(self.begun);
        let length = self.unread.get(head..head + 4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        if self.unread.len() < head + length {
            return None;
        }
        let message: Vec<u8> = self.unread.drain(..head + length).collect();
        Some((self.begun.then(|| message[0]), message[head + 4..].to_vec()))
    }
}
