//! One connection: its socket, its service, its task.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::future::RouteFuture;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tower::Service;

use super::pulse::{Last, Pulse, Times};
use super::{Phase, Server, reached};
use crate::app::Flag;
use crate::http::client::Peer;

/// Bytes of a request's line and headers at most; more is 431.
const LARGEST_HEAD: usize = 32 * 1024;
/// Bytes that one connection buffers while bodies come and go.
const BUFFER: usize = 128 * 1024;

/// Serves a connection until its end, or until the server's.
pub(super) async fn serve(server: &Server, stream: TcpStream, peer: Peer) {
    // answers are written whole, so waiting to fill packets only delays them
    let _ = stream.set_nodelay(true);
    keep_little(&stream);
    let pulse = Arc::new(Pulse::new(server.crowded.clone()));
    let io = TokioIo::new(Watched { stream, pulse: Arc::clone(&pulse) });
    let (router, stopping) = (server.router.clone(), server.stopping.clone());
    let service = Answers { router, stopping, peer, pulse: Arc::clone(&pulse) };
    let mut connection = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(io, service);

    let mut phase = server.phase.subscribe();
    let closing = AtomicBool::new(false);
    let mut over = pin!(async {
        reached(&mut phase, Phase::Closing).await;
        closing.store(true, Ordering::Relaxed);
        reached(&mut phase, Phase::Over).await;
    });
    let finished = drive(&mut connection, &pulse, &server.times, &closing, over.as_mut()).await;
    if finished && !pulse.has_ended() {
        let stream = connection.into_parts().io.into_inner().stream;
        tokio::select! {
            () = linger(stream, server.times.linger) => {}
            () = over => {}
        }
    }
}

/// Has the system ask for more of an answer as soon as the client has taken a little of it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn keep_little(stream: &TcpStream) {
    // where it is refused slow readers are seen less exactly
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(super::pulse::UNSENT);
}

/// Other systems keep little by themselves.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn keep_little(_stream: &TcpStream) {}

/// Drives a connection; true when it ended by itself, false when it is to be cut off.
async fn drive(
    connection: &mut http1::Connection<TokioIo<Watched>, Answers>,
    pulse: &Pulse,
    times: &Times,
    closing: &AtomicBool,
    mut over: Pin<&mut impl Future<Output = ()>>,
) -> bool {
    let mut timer = pin!(sleep_until(Instant::now() + times.head));
    poll_fn(|context| {
        loop {
            if Pin::new(&mut *connection).poll(context).is_ready() {
                return Poll::Ready(true);
            }
            if over.as_mut().poll(context).is_ready() {
                return Poll::Ready(false);
            }
            if closing.swap(false, Ordering::Relaxed) {
                match pulse.closing() {
                    Last::Answer => Pin::new(&mut *connection).graceful_shutdown(),
                    Last::Head => {}
                    Last::Nothing => return Poll::Ready(false),
                }
                continue;
            }
            // what has just been read or written may have brought the time forward
            let Some(due) = pulse.due(times) else { return Poll::Pending };
            if timer.deadline() > due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= due {
                return Poll::Ready(false);
            }
            timer.as_mut().reset(due);
        }
    })
    .await
}

/// Reads on after the last answer. Closing a socket with unread bytes resets the connection, and a client that is
/// still sending its too large body would never see the 413. Ends when nothing comes for `pause`, or after four of
/// them.
async fn linger(mut stream: TcpStream, pause: Duration) {
    let mut waste = [0; 4096];
    let drain = async { while let Ok(Ok(1..)) = timeout(pause, stream.read(&mut waste)).await {} };
    let _ = timeout(pause * 4, drain).await;
}

/// A socket that tells the pulse what passes through it.
struct Watched {
    stream: TcpStream,
    pulse: Arc<Pulse>,
}

impl Watched {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.pulse.sent(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.pulse.stalled(),
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.remaining();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.remaining() < before {
            self.pulse.received();
        } else if before > 0 {
            self.pulse.ended();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // it is asked when everything has been written
        self.pulse.flushed();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The router, as a connection asks it.
struct Answers {
    router: Router,
    stopping: Flag,
    peer: Peer,
    pulse: Arc<Pulse>,
}

impl hyper::service::Service<Request<Incoming>> for Answers {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Answer {
        self.pulse.asked();
        request.extensions_mut().insert(self.peer);
        let inner = self.router.clone().call(request);
        Answer { inner, stopping: self.stopping.clone(), pulse: Arc::clone(&self.pulse) }
    }
}

pin_project! {
    /// The router's answer; on the server's way out, and when few places are left, it ends its connection.
    struct Answer {
        #[pin]
        inner: RouteFuture<Infallible>,
        stopping: Flag,
        pulse: Arc<Pulse>,
    }
}

impl Future for Answer {
    type Output = Result<Response<Counted>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.inner.poll(context));
        if this.stopping.is_up() || this.pulse.is_crowded() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let pulse = Arc::clone(this.pulse);
        if let Some(load) = response.extensions_mut().remove() {
            pulse.weighs(load);
        }
        Poll::Ready(Ok(response.map(|body| Counted { body, pulse })))
    }
}

/// A body whose end, whatever kind of end it is, is the end of its request.
struct Counted {
    body: Body,
    pulse: Arc<Pulse>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.pulse.answered();
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
