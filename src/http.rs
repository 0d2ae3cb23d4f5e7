//! What every HTTP answer needs, in no contract's words.

pub(crate) mod accept;
pub(crate) mod around;
pub(crate) mod client;
pub mod correlation;
pub(crate) mod cors;
pub mod docs;
pub mod error;
pub mod extract;
pub(crate) mod fields;
pub(crate) mod headers;
pub mod health;
pub(crate) mod limits;
pub(crate) mod load;
pub mod log;
pub mod metrics;
pub(crate) mod panic;
pub mod prefer;
pub(crate) mod rate_limit;
pub mod server;
pub(crate) mod strict;
pub mod terms;
