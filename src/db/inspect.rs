//! A look at a database for a diagnosis. It makes, migrates and changes nothing.

mod postgres;
mod sqlite;

pub use postgres::{PostgresLook, Rights, postgres};
pub use sqlite::{SqliteLook, sqlite};
