//! CreatorVault: a private REST API for tasks and content ideas behind a Better Auth front-end.
//!
//! The map of the house. Data flows one way:
//!
//! ```text
//! cli ── app ── api ──┬── tasks | ideas ── write ── users | list | change ── db
//!                     └── auth
//! everything may use http::error, field, clock, metrics, traces and auth::user_id;
//! config may use what parses in auth, http what auth leaves in a request
//! ```
//!
//! * [`cli`]: the command line, one file per command.
//! * [`config`]: what the environment says, parsed once, refused with the variable and the cure.
//! * [`app`]: what handlers share, and the middleware in one list.
//! * [`api`]: both HTTP contracts on one router.
//! * [`auth`]: tokens in, a [`auth::user_id::UserId`] out; nothing else can make one.
//! * [`tasks`], [`ideas`], [`users`]: the resources and their stores; they never import axum.
//! * [`list`]: what the lists of tasks and ideas share: filters, order, page.
//! * [`mod@write`]: operations on rows on their way to the database: conditions, outcomes, idempotency keys.
//! * [`change`]: what writes share: the row they mean, the columns they set, the tags beside it.
//! * [`field`]: values parsed once at the door.
//! * [`db`]: PostgreSQL or SQLite behind one small face.
//! * [`http`]: what every HTTP answer needs, in no contract's words.
//! * [`clock`]: time and chance, handed in.
//! * [`metrics`]: what the server counts about itself, for Prometheus; [`traces`]: the same for OpenTelemetry.

pub mod api;
pub mod app;
pub mod auth;
pub mod change;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod field;
pub mod http;
pub mod ideas;
pub mod list;
pub mod metrics;
pub mod tasks;
pub mod traces;
pub mod users;
pub mod write;
