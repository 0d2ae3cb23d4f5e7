//! Fairness among users: each may have so many places at once, and so many requests that wait for one. Whoever asks
//! for a row that somebody has locked a hundred times over holds up nobody else.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::DbError;
use super::job::Owner;

/// The places of all users.
#[derive(Debug)]
pub(super) struct Shares {
    /// By a hash of the user's id: two users with the same one would share a share.
    users: Mutex<HashMap<u64, Share>>,
    hasher: RandomState,
    /// Places that one user may have.
    most: usize,
    /// Requests of one user that may wait for a place; more are refused at once.
    waiting: usize,
}

/// What one user has. It goes when the last place does.
#[derive(Debug, Default)]
struct Share {
    taken: usize,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// A place; the next in the user's queue gets it when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Option<(Arc<Shares>, u64)>);

impl Shares {
    pub(super) fn new(most: usize, waiting: usize) -> Arc<Self> {
        let hasher = RandomState::new();
        Arc::new(Self { users: Mutex::default(), hasher, most: most.max(1), waiting })
    }

    /// A place of the user's, until `limit` waited for behind the user's own other requests.
    ///
    /// # Errors
    /// [`DbError::Unavailable`]: the queue is full, or none came free in time.
    pub(super) async fn place(self: &Arc<Self>, user: &str, limit: Instant) -> Result<Place, DbError> {
        let turn = match self.ask(user)? {
            Ok(place) => return Ok(place),
            Err(turn) => turn,
        };
        match tokio::time::timeout_at(limit.into(), turn).await {
            Ok(place) => place.map_err(|_| DbError::closed()),
            Err(_) => Err(DbError::unavailable(
                "the user's other requests held all that one user may, for too long",
            )),
        }
    }

    /// The same for whoever owns a job: what is nobody's needs no place.
    ///
    /// # Errors
    /// Those of [`Self::place`].
    pub(super) async fn place_for(
        self: &Arc<Self>,
        owner: &Owner,
        limit: Instant,
    ) -> Result<Option<Place>, DbError> {
        match owner.id() {
            Some(user) => self.place(user, limit).await.map(Some),
            None => Ok(None),
        }
    }

    /// A place at once, or a turn in the user's queue.
    fn ask(self: &Arc<Self>, user: &str) -> Result<Result<Place, oneshot::Receiver<Place>>, DbError> {
        let key = self.hasher.hash_one(user);
        let mut users = self.users();
        let share = users.entry(key).or_default();
        if share.taken < self.most {
            share.taken += 1;
            return Ok(Ok(Place(Some((self.clone(), key)))));
        }
        if share.waiting.len() >= self.waiting {
            share.waiting.retain(|turn| !turn.is_closed());
        }
        if share.waiting.len() >= self.waiting {
            return Err(DbError::unavailable("too many requests of one user are waiting"));
        }
        let (turn, wait) = oneshot::channel();
        share.waiting.push_back(turn);
        Ok(Err(wait))
    }

    /// Takes a place back; the first who waits for it, and whom it is then for.
    fn next(&self, key: u64) -> Option<oneshot::Sender<Place>> {
        let mut users = self.users();
        let Entry::Occupied(mut share) = users.entry(key) else { return None };
        let next = share.get_mut().waiting.pop_front();
        if next.is_none() {
            share.get_mut().taken -= 1;
            if share.get().taken == 0 {
                share.remove();
            }
        }
        next
    }

    fn users(&self) -> MutexGuard<'_, HashMap<u64, Share>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((shares, key)) = self.0.take() else { return };
        while let Some(turn) = shares.next(key) {
            match turn.send(Self(Some((shares.clone(), key)))) {
                Ok(()) => return,
                // Nobody waits there any more. Emptied first, so that it does not come here again.
                Err(mut unwanted) => unwanted.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests;
