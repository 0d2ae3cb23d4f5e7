//! Sheds load before memory grows: a request beyond what the server has room for is answered with 503 at once, and one
//! user gets no more than a quarter of the room, so that whoever has taken it leaves some for the others.
//!
//! Room is counted in requests under way and in bytes that they keep in memory: bodies as far as they have been read,
//! and what an answer holds while its reader takes its time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::Body;
use http_body::Body as _;

use super::error::ApiError;
use crate::metrics::{Requests, Shed};

mod layer;

/// Requests under way at a time. A server that answers thousands in a second has no more than a few dozen of them; with
/// so many each would wait for seconds, and together they keep some 100 MB.
const MOST_REQUESTS: usize = 2_048;
/// Bytes that they may keep together: 64 bodies of 1 MiB, or as many lists that are being sent.
const MOST_BYTES: usize = 64 << 20;
/// What a list keeps in memory that is being sent: one chunk of its text.
const STREAM: usize = 1 << 20;
/// An answer of at most so many bytes is not counted: the system's buffers take it whole, however slow its reader is.
const SMALL: usize = 64 << 10;
/// One user gets so much of all room, as a divisor.
const SHARE: usize = 4;

/// The room of a server, and the layer that gives it out. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Load(Arc<Room>);

#[derive(Debug)]
struct Room {
    requests: AtomicUsize,
    bytes: AtomicUsize,
    most_bytes: usize,
    hashes: RandomState,
    users: Mutex<HashMap<u64, Held>>,
    counts: Arc<Requests>,
}

/// What one user holds.
#[derive(Debug, Default)]
struct Held {
    requests: usize,
    bytes: usize,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// For anybody.
    Server,
    /// For this user.
    Share,
}

impl From<Full> for ApiError {
    fn from(full: Full) -> Self {
        match full {
            Full::Server => Self::unavailable(),
            Full::Share => Self::TooManyRequests { retry_after: std::time::Duration::from_secs(1) },
        }
    }
}

impl From<Full> for Shed {
    fn from(full: Full) -> Self {
        match full {
            Full::Server => Self::Server,
            Full::Share => Self::Share,
        }
    }
}

impl Load {
    /// Room beside bodies of at most so many bytes; what finds none is counted.
    pub(crate) fn new(body_limit: usize, counts: Arc<Requests>) -> Self {
        let most_bytes = MOST_BYTES.max(body_limit.saturating_mul(SHARE));
        Self(Arc::new(Room {
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            most_bytes,
            hashes: RandomState::new(),
            users: Mutex::default(),
            counts,
        }))
    }

    /// Whether little is left, so that answers which take long keep others from having theirs.
    pub(crate) fn is_short(&self) -> bool {
        self.0.bytes.load(Ordering::Relaxed) > self.0.most_bytes / 4 * 3
    }

    fn enter(&self) -> Result<Ticket, Full> {
        take(&self.0.requests, 1, MOST_REQUESTS)?;
        Ok(Ticket(Arc::new(Place {
            room: Arc::clone(&self.0),
            bytes: AtomicUsize::new(0),
            user: OnceLock::new(),
            refused: OnceLock::new(),
        })))
    }
}

/// Takes some of what there is at most.
fn take(taken: &AtomicUsize, more: usize, most: usize) -> Result<(), Full> {
    let fits = |now: usize| now.checked_add(more).filter(|then| *then <= most);
    taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map(drop).map_err(|_| Full::Server)
}

/// A request's place, in its extensions; given back when the last clone is gone, which is after the answer.
#[derive(Debug, Clone)]
pub(crate) struct Ticket(Arc<Place>);

#[derive(Debug)]
struct Place {
    room: Arc<Room>,
    bytes: AtomicUsize,
    user: OnceLock<u64>,
    /// Why it is answered with a refusal.
    refused: OnceLock<Full>,
}

impl Ticket {
    /// Says whose it is, once that is known.
    pub(crate) fn belongs_to(&self, user: &str) -> Result<(), Full> {
        let place = &self.0;
        let user = place.room.hashes.hash_one(user);
        let mut users = place.room.users();
        if place.user.get().is_some() {
            return Ok(());
        }
        let held = users.entry(user).or_default();
        if held.requests >= MOST_REQUESTS / SHARE {
            return Err(place.refuse(Full::Share));
        }
        held.requests += 1;
        held.bytes += place.bytes.load(Ordering::Relaxed);
        place.user.get_or_init(|| user);
        Ok(())
    }

    /// Takes room for so many bytes more.
    pub(crate) fn grow(&self, more: usize) -> Result<(), Full> {
        let place = &self.0;
        if let Some(user) = place.user.get() {
            let mut users = place.room.users();
            let held = users.entry(*user).or_default();
            if held.bytes + more > place.room.most_bytes / SHARE {
                return Err(place.refuse(Full::Share));
            }
            take(&place.room.bytes, more, place.room.most_bytes).map_err(|full| place.refuse(full))?;
            held.bytes += more;
        } else {
            take(&place.room.bytes, more, place.room.most_bytes).map_err(|full| place.refuse(full))?;
        }
        place.bytes.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Takes room for an answer of so many bytes, whether there is any or not.
    fn insist(&self, more: usize) {
        let place = &self.0;
        place.room.bytes.fetch_add(more, Ordering::Relaxed);
        if let Some(user) = place.user.get() {
            place.room.users().entry(*user).or_default().bytes += more;
        }
        place.bytes.fetch_add(more, Ordering::Relaxed);
    }

    /// What an answer is counted as. One that is larger than a user's share has to be possible too, alone.
    fn weight(&self, body: &Body) -> Option<usize> {
        let Some(size) = body.size_hint().exact() else { return Some(STREAM) };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        // what strangers get is part of the program, and in memory once
        let counted = size > SMALL && self.0.user.get().is_some();
        counted.then(|| size.min(self.0.room.most_bytes / SHARE))
    }

    /// Takes room for an answer; where it is refused nothing has been changed by its request.
    fn answer(&self, size: usize, refusable: bool) -> Result<(), Full> {
        if refusable {
            return self.grow(size);
        }
        self.insist(size);
        Ok(())
    }
}

impl Place {
    /// Counts a refusal, once.
    fn refuse(&self, full: Full) -> Full {
        if self.refused.set(full).is_ok() {
            self.room.counts.shed(full.into());
        }
        full
    }
}

impl Room {
    fn users(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Held>> {
        // numbers that a panicking thread has left are whole ones
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        self.room.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.room.requests.fetch_sub(1, Ordering::Relaxed);
        if let Some(user) = self.user.get() {
            let mut users = self.room.users();
            let held = users.entry(*user).or_default();
            (held.requests, held.bytes) = (held.requests.saturating_sub(1), held.bytes.saturating_sub(bytes));
            if held.requests == 0 {
                users.remove(user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;

    use axum::Router;
    use axum::body::Bytes;
    use axum::extract::Request;
    use axum::response::Response;
    use axum::routing::get;
    use futures_util::stream;
    use http::{Method, StatusCode};
    use tower::{Layer, ServiceExt};

    use super::*;

    impl Load {
        /// Leaves no room until the answer is dropped.
        pub(crate) fn filled(&self) -> Ticket {
            let ticket = self.enter().unwrap();
            ticket.insist(self.0.most_bytes);
            ticket
        }
    }

    fn taken(load: &Load) -> (usize, usize, usize) {
        let bytes = load.0.bytes.load(Ordering::Relaxed);
        (load.0.requests.load(Ordering::Relaxed), bytes, load.0.users().len())
    }

    #[test]
    fn all_room_comes_back() {
        let load = Load::new(1 << 20, Arc::default());
        let tickets: Vec<_> = (0..MOST_REQUESTS).map(|_| load.enter().unwrap()).collect();
        assert_eq!(load.enter().unwrap_err(), Full::Server);
        drop(tickets);
        let ticket = load.enter().unwrap();
        ticket.belongs_to("1").unwrap();
        ticket.grow(1_000).unwrap();
        ticket.belongs_to("1").unwrap();
        assert_eq!(taken(&load), (1, 1_000, 1));
        drop(ticket);
        assert_eq!(taken(&load), (0, 0, 0));
    }

    #[test]
    fn a_user_gets_a_quarter_and_leaves_the_rest() {
        let load = Load::new(1 << 20, Arc::default());
        let mine: Vec<_> = (0..MOST_REQUESTS / 4).map(|_| load.enter().unwrap()).collect();
        assert!(mine.iter().all(|ticket| ticket.belongs_to("1").is_ok()));
        assert_eq!(load.enter().unwrap().belongs_to("1"), Err(Full::Share));
        let others = load.enter().unwrap();
        others.belongs_to("2").unwrap();
        mine[0].grow(MOST_BYTES / 4).unwrap();
        assert_eq!(mine[1].grow(1), Err(Full::Share));
        others.grow(MOST_BYTES / 4).unwrap();
        let nobodys = load.enter().unwrap();
        nobodys.grow(MOST_BYTES / 2).unwrap();
        let third = load.enter().unwrap();
        third.belongs_to("3").unwrap();
        assert_eq!(third.grow(1), Err(Full::Server));
        drop(nobodys);
        third.grow(1).unwrap();
    }

    #[test]
    fn large_bodies_have_room_for_large_bodies() {
        let load = Load::new(100 << 20, Arc::default());
        let ticket = load.enter().unwrap();
        ticket.belongs_to("1").unwrap();
        ticket.grow(100 << 20).unwrap();
    }

    async fn ask(load: &Load, path: &str) -> Response {
        send(load, Method::GET, path).await
    }

    async fn send(load: &Load, method: Method, path: &str) -> Response {
        let whole = async |request: Request| {
            request.extensions().get::<Ticket>().unwrap().belongs_to("1").unwrap();
            vec![b'x'; request.uri().query().unwrap().parse().unwrap()]
        };
        let endless = || stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b"x")));
        let router = Router::new()
            .route("/list", get(async move || Body::from_stream(endless())))
            .route("/row", get(async || "row"))
            .route("/whole", get(whole).post(whole))
            .route("/page", get(async || vec![b'x'; 1 << 20]))
            .route("/metrics", get(async || "ok"))
            .route("/health", get(async || "ok"));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        load.layer(router).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_stream_holds_its_place_until_it_is_gone() {
        let load = Load::new(1 << 20, Arc::default());
        drop(ask(&load, "/row").await);
        assert_eq!(taken(&load), (0, 0, 0));
        let lists: Vec<_> =
            futures_util::future::join_all((0..MOST_BYTES / STREAM).map(|_| ask(&load, "/list"))).await;
        assert!(lists.iter().all(|list| list.status() == StatusCode::OK));
        let refused = ask(&load, "/list").await;
        assert_eq!(
            (refused.status(), &refused.headers()["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
        );
        assert_eq!(ask(&load, "/row").await.status(), StatusCode::OK, "what is small goes on");
        drop(lists);
        assert_eq!(ask(&load, "/list").await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_full_server_says_so_and_is_alive() {
        let load = Load::new(1 << 20, Arc::default());
        let tickets: Vec<_> = (0..MOST_REQUESTS).map(|_| load.enter().unwrap()).collect();
        let refused = ask(&load, "/row").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(matches!(refused.extensions().get(), Some(ApiError::Unavailable { .. })));
        for path in ["/health", "/metrics"] {
            assert_eq!(ask(&load, path).await.status(), StatusCode::OK);
        }
        drop(tickets);
        assert_eq!(ask(&load, "/row").await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_large_answer_is_counted_until_its_bytes_are_gone() {
        let load = Load::new(1 << 20, Arc::default());
        let small = ask(&load, "/whole?65536").await;
        let strangers = ask(&load, "/page").await;
        assert_eq!(taken(&load), (0, 0, 0), "what the system's buffers take, and what is there anyway");
        let large = ask(&load, "/whole?1000000").await;
        assert_eq!(taken(&load), (1, 1_000_000, 1));
        assert_eq!(large.body().size_hint().exact(), Some(1_000_000));
        let mut body = large.into_body();
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        drop(body);
        assert_eq!(taken(&load), (1, 1_000_000, 1), "a connection keeps the bytes without the body");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap().len(), 1_000_000);
        assert_eq!(taken(&load), (0, 0, 0));
        drop((small, strangers));
    }

    #[tokio::test]
    async fn one_answer_may_be_larger_than_all_room_but_two_may_not() {
        let load = Load::new(1 << 20, Arc::default());
        let path = format!("/whole?{}", MOST_BYTES + 1);
        let first = ask(&load, &path).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(ask(&load, "/whole?100000").await.status(), StatusCode::TOO_MANY_REQUESTS);
        let written = send(&load, Method::POST, "/whole?100000").await;
        assert_eq!(written.status(), StatusCode::OK, "its work is done, and the client has to know");
        assert_eq!(taken(&load), (2, MOST_BYTES / SHARE + 100_000, 1));
        drop((first, written));
        assert_eq!(taken(&load), (0, 0, 0));
        assert_eq!(ask(&load, &path).await.status(), StatusCode::OK);
    }
}
