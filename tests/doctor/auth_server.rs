//! An auth server that answers whatever a test wants.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use creatorvault::clock::Clock;

/// A set with the key of RFC 8037 appendix A.2, and one that is for encryption.
pub(super) const KEYS: &str = r#"{"keys":[
    {"kty":"OKP","crv":"Ed25519","kid":"first","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty":"OKP","crv":"Ed25519","kid":"other","use":"enc","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// What is answered.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: &'static str,
    /// Complete lines.
    pub(super) headers: String,
    pub(super) body: String,
    /// How far the clock is ahead, in seconds; `None`: no `Date`.
    pub(super) ahead: Option<i64>,
}

impl Answer {
    pub(super) fn ok(body: &str) -> Self {
        Self { status: "200 OK", headers: String::new(), body: body.to_owned(), ahead: Some(0) }
    }

    fn write(&self, stream: &mut TcpStream) {
        let date = self.ahead.map(|ahead| {
            let at = jiff::Timestamp::from_second(Clock::system().now().seconds() + ahead).expect("a time");
            let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
            format!("Date: {}\r\n", printer.timestamp_to_rfc9110_string(&at).expect("a date"))
        });
        let Self { status, headers, body, .. } = self;
        let (date, length) = (date.unwrap_or_default(), body.len());
        let head = format!(
            "HTTP/1.1 {status}\r\n{date}{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        // A client that has read enough may hang up.
        drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())));
    }
}

/// Answers each path by the function (`None`: never), until the test ends; the server's origin.
pub(super) fn answering(by: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let by = Arc::new(by);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, by) = (stream.expect("a client"), Arc::clone(&by));
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                    request.push(byte[0]);
                }
                let request = String::from_utf8(request).expect("HTTP");
                match request.split(' ').nth(1).and_then(|path| by(path)) {
                    Some(answer) => answer.write(&mut stream),
                    // Held open until the client gives up.
                    None => drop(stream.read(&mut byte)),
                }
            });
        }
    });
    origin
}

/// Answers every path alike.
pub(super) fn always(answer: Answer) -> String {
    answering(move |_| Some(answer.clone()))
}
