//! Users: a row for each one who has written something, and the user as the owner of a write.

pub mod store;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::auth::user_id::UserId;
use crate::db::{DbError, Row, Scope};
use crate::field::timestamp::Timestamp;

/// What the database knows of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The last `email` claim that a write carried.
    pub email: Option<String>,
    /// The last `name` claim that a write carried.
    pub name: Option<String>,
    /// The user's first write.
    pub created_at: Timestamp,
    /// When `email` or `name` last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// Reads the columns `email, name, created_at, updated_at`.
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            email: row.opt_text(0)?,
            name: row.opt_text(1)?,
            created_at: row.time(2)?,
            updated_at: row.time(3)?,
        })
    }
}

/// What a token claims of its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claims<'a> {
    /// The `email` claim; absent, it changes nothing.
    pub email: Option<&'a str>,
    /// The `name` claim; absent, it changes nothing.
    pub name: Option<&'a str>,
}

/// The signed-in user as a store sees it: the scope of every statement, and what a write may learn of the user.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The view of the database in which `$1` is the user.
    pub scope: Scope<'a>,
    /// The user.
    pub user: &'a UserId,
    /// What the token claims.
    pub claims: Claims<'a>,
    /// The claims that are known to be in the database.
    pub known: &'a KnownClaims,
}

impl Owner<'_> {
    /// Whether the token claims nothing that the database is not known to hold.
    pub fn has_nothing_to_tell(&self) -> bool {
        let Claims { email, name } = self.claims;
        (email.is_none() && name.is_none()) || self.known.holds(self.user, self.claims)
    }
}

/// The claims that this process has written, so that a write whose claims are in the database already pays nothing
/// for them. Bounded; forgetting is harmless. Another server on the same database may have written other claims
/// meanwhile, so nothing is remembered for longer than a minute.
#[derive(Debug, Default)]
pub struct KnownClaims {
    hasher: RandomState,
    written: Mutex<HashMap<UserId, (u64, Instant)>>,
}

impl KnownClaims {
    /// How many users are remembered before all are forgotten.
    const MOST: usize = 10_000;
    /// How long they are remembered.
    const FRESH: Duration = Duration::from_secs(60);

    /// Whether these claims were written for this user.
    pub fn holds(&self, user: &UserId, claims: Claims<'_>) -> bool {
        let hash = self.hasher.hash_one(claims);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.get(user).is_some_and(|(known, since)| *known == hash && since.elapsed() < Self::FRESH)
    }

    /// Remembers that these claims are in the database.
    pub fn remember(&self, user: &UserId, claims: Claims<'_>) {
        let hash = self.hasher.hash_one(claims);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() >= Self::MOST && !written.contains_key(user) {
            written.clear();
        }
        written.insert(user.clone(), (hash, Instant::now()));
    }

    /// Forgets a user.
    pub fn forget(&self, user: &UserId) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
    }
}
