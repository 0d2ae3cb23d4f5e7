//! What every test stands on: a world with a server and users in it, and a client that sends exactly what it is told.

mod answer;
mod authority;
mod behind;
mod client;
mod dice;
mod document;
mod front;
mod old;
mod program;
mod redis;
mod schema;
mod scrape;
mod server;
mod spy;
mod user;
mod wire;
mod world;

pub(crate) use answer::{Answer, without_correlation};
pub(crate) use authority::{Authority, Signs};
pub(crate) use behind::Behind;
pub(crate) use client::{Request, raw};
pub(crate) use dice::Dice;
pub(crate) use document::document;
pub(crate) use front::Front;
pub(crate) use old::{Old, command, import, run};
pub(crate) use program::Program;
pub(crate) use redis::Redis;
pub(crate) use scrape::Scrape;
pub(crate) use server::Server;
pub(crate) use spy::Spy;
pub(crate) use user::{Resource, User, encode};
pub(crate) use wire::Wire;
pub(crate) use world::{Engine, World, as_role, is_pooled, test_server};

/// Runs each named `async fn(world: &World)` as two tests: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let world = crate::harness::World::open(crate::harness::Engine::Sqlite, &[]).await;
                super::$name(&world).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let world = crate::harness::World::open(crate::harness::Engine::Postgres, &[]).await;
                super::$name(&world).await;
            }
        }
    )* };
}

/// As `on_both!`, with a third test `name::postgres_pooled` through PgBouncer in transaction mode.
macro_rules! on_both_and_pooled {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let world = crate::harness::World::open(crate::harness::Engine::Sqlite, &[]).await;
                super::$name(&world).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let world = crate::harness::World::open(crate::harness::Engine::Postgres, &[]).await;
                super::$name(&world).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_pooled() {
                let world = crate::harness::World::open(crate::harness::Engine::Pooled, &[]).await;
                super::$name(&world).await;
            }
        }
    )* };
}

pub(crate) use {on_both, on_both_and_pooled};
