//! Tokens in, a signed-in user out. Knows no table.

pub mod algorithm;
mod cache;
pub mod caller;
pub mod claims;
pub mod dev;
pub mod explain;
mod issuer;
pub mod jwks;
pub mod jws;
pub mod keys;
pub mod mint;
mod object;
pub mod pem;
pub mod probe;
pub mod refusal;
pub mod rules;
mod sessions;
pub mod user_id;
pub mod verifier;
mod web;

#[cfg(test)]
mod samples;
