//! How many connections the process's file descriptors leave room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections at a time, where the descriptors leave room for them; further ones wait in the listeners' queues.
const MOST: u64 = 10_000;
/// Kept for files, the log, name look-ups, key sets and Redis.
const OTHERS: u64 = 100;
/// With fewer there is no serving at all.
const FEWEST: u64 = 16;

/// Raises the soft limit as far as it is needed and allowed, and says how many connections there may be beside so many
/// to the database.
pub(super) fn connections(database: usize) -> u32 {
    let wanted = MOST + OTHERS + database as u64;
    let limit = getrlimit(Resource::Nofile);
    let soft = raised(limit, wanted, |limit| setrlimit(Resource::Nofile, limit).is_ok());
    let most = fitting(soft, database as u64);
    if u64::from(most) < MOST {
        tracing::warn!(target: "creatorvault::server", connections = most, descriptors = soft, "Few file descriptors: raise the limit (ulimit -n, LimitNOFILE=) for more connections");
    } else {
        tracing::debug!(target: "creatorvault::server", connections = most, "Connections at a time");
    }
    most
}

/// The soft limit after it was raised; `None` is no limit.
fn raised(limit: Rlimit, wanted: u64, set: impl FnOnce(Rlimit) -> bool) -> Option<u64> {
    let soft = limit.current.filter(|soft| *soft < wanted);
    let Some(soft) = soft else { return limit.current };
    let possible = limit.maximum.map_or(wanted, |hard| hard.min(wanted));
    if possible > soft && set(Rlimit { current: Some(possible), maximum: limit.maximum }) {
        return Some(possible);
    }
    Some(soft)
}

/// What is left of so many descriptors.
fn fitting(soft: Option<u64>, database: u64) -> u32 {
    let left = soft.map_or(MOST, |soft| soft.saturating_sub(OTHERS + database));
    u32::try_from(left.clamp(FEWEST, MOST)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_it_is_needed_and_allowed() {
        let of = |current, maximum| raised(Rlimit { current, maximum }, 10_130, |_| true);
        assert_eq!(of(Some(1_024), Some(1 << 20)), Some(10_130));
        assert_eq!(of(Some(1_024), Some(4_096)), Some(4_096));
        assert_eq!(of(Some(1_024), None), Some(10_130));
        assert_eq!(of(Some(65_536), Some(65_536)), Some(65_536), "it is never lowered");
        assert_eq!(of(None, None), None);
        let refused = raised(Rlimit { current: Some(1_024), maximum: None }, 10_130, |_| false);
        assert_eq!(refused, Some(1_024));
    }

    #[test]
    fn the_database_and_files_come_first() {
        assert_eq!(fitting(Some(1_024), 30), 894);
        assert_eq!(fitting(Some(1 << 20), 30), 10_000);
        assert_eq!(fitting(None, 30), 10_000);
        assert_eq!(fitting(Some(64), 30), 16);
    }
}
