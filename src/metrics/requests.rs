//! Requests by their route's template, method and status.
//!
//! A route gets its numbers with its first request; from then on a request costs one look into a map that nobody
//! locks and three additions.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::count::{Counter, Level};
use super::histogram::{Histogram, REQUEST};
use super::text::Text;

/// The route of whatever no route serves: unknown paths, and what is answered before the routes are asked.
const UNMATCHED: &str = "unmatched";

/// The methods that have a name in the text; every other one is `other`.
const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "other"];

/// One route answers one method with at most so many statuses that are told apart.
const STATUSES: usize = 24;

/// More routes than this are not told apart. There are about fifty.
const MOST_ROUTES: usize = 256;

/// Requests and their answers.
#[derive(Debug, Default)]
pub struct Requests {
    in_flight: Level,
    limited: Counter,
    shed: [Counter; Shed::ALL.len()],
    unmatched: Route,
    routes: ArcSwap<HashMap<Box<str>, Arc<Route>>>,
}

/// Why a request found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// The server is full: 503.
    Server,
    /// Its user has a user's share already: 429.
    Share,
}

impl Shed {
    const ALL: [(Self, &'static str); 2] = [(Self::Server, "server"), (Self::Share, "share")];
}

/// A request that is being worked on, until it is dropped.
#[derive(Debug)]
#[must_use = "it is in flight until it is dropped"]
pub struct InFlight(Arc<Requests>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.down();
    }
}

/// One route's numbers, by method.
#[derive(Debug, Default)]
struct Route([OnceLock<Box<Served>>; METHODS.len()]);

/// The numbers of one method of one route.
#[derive(Debug)]
struct Served {
    /// In the order in which they first came; 0 where none has come yet.
    statuses: [(AtomicU16, Counter); STATUSES],
    /// Those that found no place.
    others: Counter,
    took: Histogram,
}

impl Requests {
    /// A request has come.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.up();
        InFlight(Arc::clone(self))
    }

    /// A request is answered with 503 or 429, because there is no room for it.
    pub fn shed(&self, why: Shed) {
        self.shed[why as usize].add();
    }

    fn answered(&self, route: Option<&str>, method: &str, status: u16, took: Duration) {
        if status == 429 {
            self.limited.add();
        }
        let Some(route) = route else { return self.unmatched.answered(method, status, took) };
        match self.routes.load().get(route) {
            Some(found) => found.answered(method, status, took),
            None => self.first_of(route).answered(method, status, took),
        }
    }

    /// The numbers of a route that nobody has asked for yet.
    #[cold]
    fn first_of(&self, route: &str) -> Arc<Route> {
        self.routes.rcu(|routes| {
            let mut more = HashMap::clone(routes);
            if more.len() < MOST_ROUTES {
                more.entry(route.into()).or_default();
            }
            more
        });
        // Where there are too many the numbers go nowhere; the router has no such number of routes.
        self.routes.load().get(route).cloned().unwrap_or_default()
    }

    pub(super) fn write(&self, text: &mut Text<'_>) -> fmt::Result {
        let routes = self.routes.load();
        let mut all: Vec<(&str, &Route)> = routes.iter().map(|(name, route)| (&**name, &**route)).collect();
        all.push((UNMATCHED, &self.unmatched));
        all.sort_unstable_by_key(|(name, _)| *name);
        let served: Vec<(&str, &str, &Served)> = all
            .iter()
            .flat_map(|(name, route)| route.served().map(|(method, served)| (*name, method, served)))
            .collect();

        let mut requests = text.counters("http_requests", "Requests that were answered")?;
        for (route, method, served) in &served {
            for (status, count) in served.answers() {
                requests.one([("route", route), ("method", method), ("status", &status)], count)?;
            }
        }
        let help = "Time from a request's head to its answer's head";
        let mut times = text.histograms("http_request_duration_seconds", help)?;
        for (route, method, served) in &served {
            times.one([("route", route), ("method", method)], &served.took)?;
        }
        text.gauge("http_requests_in_flight", "Requests that are being worked on", self.in_flight.get())?;
        let mut shed = text.counters("http_requests_shed", "Requests for which there was no room")?;
        for (why, name) in Shed::ALL {
            shed.one([("reason", name)], self.shed[why as usize].get())?;
        }
        // every 429 is one or the other
        let limited = self.limited.get().saturating_sub(self.shed[Shed::Share as usize].get());
        text.counter("http_requests_rate_limited", "Requests that came too fast: 429", limited)
    }
}

impl InFlight {
    /// It was answered: by the route of that template (none where no route was asked), with that status.
    pub fn answered(&self, route: Option<&str>, method: &str, status: u16, took: Duration) {
        self.0.answered(route, method, status, took);
    }
}

impl Route {
    fn answered(&self, method: &str, status: u16, took: Duration) {
        let other = METHODS.len() - 1;
        let method = METHODS[..other].iter().position(|known| *known == method).unwrap_or(other);
        let served = self.0[method].get_or_init(Box::default);
        served.answered(status, took);
    }

    fn served(&self) -> impl Iterator<Item = (&'static str, &Served)> {
        METHODS.into_iter().zip(&self.0).filter_map(|(method, served)| Some((method, &**served.get()?)))
    }
}

impl Default for Served {
    fn default() -> Self {
        Self { statuses: Default::default(), others: Counter::default(), took: Histogram::of_times(REQUEST) }
    }
}

impl Served {
    fn answered(&self, status: u16, took: Duration) {
        self.of(status).add();
        self.took.took(took);
    }

    /// The counter of a status, which takes the first free place when it comes for the first time.
    fn of(&self, status: u16) -> &Counter {
        for (place, count) in &self.statuses {
            let taken = match place.load(Ordering::Relaxed) {
                0 => match place.compare_exchange(0, status, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => status,
                    Err(other) => other,
                },
                taken => taken,
            };
            if taken == status {
                return count;
            }
        }
        &self.others
    }

    /// Every status that came, in order, and how often it did.
    fn answers(&self) -> Vec<(String, u64)> {
        let told = self.statuses.iter().map(|(place, count)| (place.load(Ordering::Relaxed), count.get()));
        let mut told: Vec<_> = told.filter(|(_, count)| *count > 0).collect();
        told.sort_unstable();
        let others = Some(("other".to_owned(), self.others.get())).filter(|(_, count)| *count > 0);
        told.into_iter().map(|(status, count)| (status.to_string(), count)).chain(others).collect()
    }
}
