//! A look at a database for a diagnosis. It makes, migrates and changes nothing.

mod citus;
mod postgres;
mod sqlite;

pub use citus::{CitusLook, Placed};
pub use postgres::{PostgresLook, Rights, postgres};
pub use sqlite::{SqliteLook, sqlite};
