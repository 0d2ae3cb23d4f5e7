//! The trials, in the order in which they run.

mod crowds;
mod disk;
mod faults;
mod kills;
mod rolling;
mod sockets;
mod together;

use std::future::Future;
use std::pin::Pin;

use crate::ground::Ground;
use crate::report::Report;

type Running = Pin<Box<dyn Future<Output = Report> + Send>>;

/// One trial.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Of the whole time.
    pub(crate) share: u32,
    pub(crate) run: fn(Ground) -> Running,
}

/// All of them.
pub(crate) static ALL: &[Trial] = &[
    Trial {
        name: "kills-sqlite",
        what: "kill -9 of the server at random times under 8 writers, on SQLite",
        share: 6,
        run: |ground| Box::pin(kills::on_sqlite(ground)),
    },
    Trial {
        name: "kills-postgres",
        what: "kill -9 of the server at random times under 8 writers, on PostgreSQL",
        share: 6,
        run: |ground| Box::pin(kills::on_postgres(ground)),
    },
    Trial {
        name: "kills-database",
        what: "kill -9 of PostgreSQL under 8 writers, its return and the first success after it",
        share: 8,
        run: |ground| Box::pin(kills::of_postgres(ground)),
    },
    Trial {
        name: "rolling",
        what: "two servers behind a balancer, restarted in turn under 200 requests a second",
        share: 6,
        run: |ground| Box::pin(rolling::restarts(ground)),
    },
    Trial {
        name: "wire",
        what: "the wire to PostgreSQL cut at a byte, swallowing, delaying, half closed",
        share: 8,
        run: |ground| Box::pin(faults::on_the_wire(ground)),
    },
    Trial {
        name: "standstill",
        what: "SIGSTOP of PostgreSQL and of PgBouncer",
        share: 7,
        run: |ground| Box::pin(faults::standstill(ground)),
    },
    Trial {
        name: "locked-row",
        what: "500 requests of one user for a row that is held, and the others",
        share: 5,
        run: |ground| Box::pin(crowds::on_a_locked_row(ground)),
    },
    Trial {
        name: "flood",
        what: "one user at 100 times the rate limit, and the others",
        share: 7,
        run: |ground| Box::pin(crowds::at_the_limit(ground)),
    },
    Trial {
        name: "half-open",
        what: "2,000 sockets with nothing or half a head sent, and a normal client",
        share: 3,
        run: |ground| Box::pin(sockets::half_open(ground)),
    },
    Trial {
        name: "full-disk",
        what: "SQLite on a disk of 4 MB that is full",
        share: 3,
        run: |ground| Box::pin(disk::full(ground)),
    },
    Trial {
        name: "soak",
        what: "load with clients that hang up: memory and descriptors",
        share: 12,
        run: |ground| Box::pin(sockets::soak(ground)),
    },
    Trial {
        name: "migrations",
        what: "2 to 10 processes that migrate an empty database, some killed on the way",
        share: 4,
        run: |ground| Box::pin(together::migrations(ground)),
    },
    Trial {
        name: "one-row",
        what: "100 toggles, 20 changes with one If-Match, PUT against PATCH, all at once",
        share: 4,
        run: |ground| Box::pin(together::changes(ground)),
    },
];
