//! Buckets that several servers share, in Redis: one round trip for each request, by Redis's own clock. A Redis that is
//! down, slow or wrong costs the requests under way [`PATIENCE`], and no other: until a task in the background has found
//! it well again everybody counts in memory.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::bucket::{Pace, Standing};
use crate::config::limits::{LimitsConfig, RateLimit, RedisUrl};

/// How long a request waits for Redis.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a new connection may take, with its TLS handshake.
const CONNECTING: Duration = Duration::from_secs(2);
/// The pause before the first new try, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// A Redis that answers so many times in a row in time is well.
const GOOD_SIGNS: usize = 3;

/// Takes a token out of the bucket `KEYS[1]`, whose tokens take `ARGV[1]` microseconds each to come back and `ARGV[2]`
/// all together. Gives 1 or 0, and after how many microseconds the bucket is full. The bucket is the time when that is,
/// counted from 2023 on, so that it stays an exact number.
const TAKE: &str = "\
local time = redis.call('time')
local now = (time[1] - 1700000000) * 1000000 + time[2]
local step, whole = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('get', KEYS[1]) or 0)
local owed = math.min(math.max(full - now, 0), whole)
if owed + step > whole then return {0, owed} end
owed = owed + step
redis.call('set', KEYS[1], string.format('%.0f', now + owed), 'px', math.ceil(owed / 1000) + 1000)
return {1, owed}";

/// The way to the shared buckets.
#[derive(Debug)]
pub(super) struct Shared {
    link: Arc<Link>,
    pace: Pace,
    /// What the keys of this limit begin with: a bucket of another limit means something else.
    prefix: String,
    keeper: JoinHandle<()>,
}

/// The connection while it is good.
struct Link {
    url: RedisUrl,
    connection: ArcSwapOption<MultiplexedConnection>,
    broken: Notify,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let connected = self.connection.load().is_some();
        f.debug_struct("Link").field("url", &self.url).field("connected", &connected).finish()
    }
}

/// Why Redis is not asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer within {} ms", .0.as_millis())]
    Slow(Duration),
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    /// The shared buckets, where there is a `REDIS_URL`.
    pub(super) fn of(limits: &LimitsConfig, rate: RateLimit) -> Option<Self> {
        let url = limits.redis.clone()?;
        let link = Arc::new(Link { url, connection: ArcSwapOption::empty(), broken: Notify::new() });
        let pace = Pace::of(rate);
        let prefix = format!("creatorvault:rate:{}:{}", rate.count(), rate.window().as_secs());
        let keeper = tokio::spawn(keep(Arc::clone(&link), pace, prefix.clone()));
        Some(Self { link, pace, prefix, keeper })
    }

    /// The key of a bucket; who reads it does not read the user's id in it.
    pub(super) fn key(&self, whose: &str, name: &[u8]) -> String {
        let hash = digest(&SHA256, name);
        let half: [u8; 16] = std::array::from_fn(|at| hash.as_ref()[at]);
        format!("{}:{whose}:{:032x}", self.prefix, u128::from_be_bytes(half))
    }

    /// A way to take a token; none while Redis is known to be away.
    pub(super) fn asking(&self) -> Option<Asking> {
        let connection = self.link.connection.load_full()?;
        Some(Asking { connection, link: Arc::clone(&self.link), pace: self.pace })
    }
}

/// A connection that was good a moment ago.
pub(super) struct Asking {
    connection: Arc<MultiplexedConnection>,
    link: Arc<Link>,
    pace: Pace,
}

impl Asking {
    /// Takes a token; nothing where it shows now that Redis is away.
    pub(super) async fn take(self, key: String) -> Option<Standing> {
        let taken = take(&self.connection, &key, self.pace).await;
        taken.inspect_err(|trouble| self.link.is_broken(&self.connection, trouble)).ok()
    }
}

impl Link {
    /// Leaves the connection, unless somebody else has done so and there is a new one already.
    fn is_broken(&self, connection: &Arc<MultiplexedConnection>, trouble: &Trouble) {
        let current = self.connection.load();
        if !current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            return;
        }
        let before = self.connection.compare_and_swap(&*current, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, connection)) {
            tracing::warn!(
                target: "creatorvault::limits",
                error = %trouble,
                "Redis does not answer: rate limits are counted in memory"
            );
            self.broken.notify_one();
        }
    }
}

async fn take(connection: &MultiplexedConnection, key: &str, pace: Pace) -> Result<Standing, Trouble> {
    let step = (pace.step() / 1_000).max(1);
    let whole = pace.whole() / pace.step() * step;
    let mut command = redis::cmd("EVAL");
    command.arg(TAKE).arg(1).arg(key).arg(step).arg(whole);
    // cheap to clone: it is a handle to the task that owns the socket
    let mut connection = connection.clone();
    let answer = timeout(PATIENCE, command.query_async::<(u8, u64)>(&mut connection)).await;
    let (allowed, owed) = answer.map_err(|_| Trouble::Slow(PATIENCE))??;
    Ok(pace.standing(allowed == 1, owed.saturating_mul(1_000)))
}

/// Makes the connection, and makes it anew when it breaks, for ever.
async fn keep(link: Arc<Link>, pace: Pace, prefix: String) {
    let (mut pause, longest) = PAUSES;
    let mut told = false;
    loop {
        match connect(&link.url, pace, &prefix).await {
            Ok(connection) => {
                tracing::info!(target: "creatorvault::limits", redis = %link.url, "Rate limits are shared through Redis");
                link.connection.store(Some(Arc::new(connection)));
                (pause, told) = (PAUSES.0, true);
                link.broken.notified().await;
            }
            Err(error) if !told => {
                tracing::warn!(
                    target: "creatorvault::limits",
                    %error,
                    "Redis does not answer: rate limits are counted in memory"
                );
                told = true;
            }
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// A connection on which the script works, several times in a row and in time.
async fn connect(url: &RedisUrl, pace: Pace, prefix: &str) -> Result<MultiplexedConnection, Trouble> {
    let connecting = async {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(CONNECTING));
        let client: RedisResult<Client> = Client::open(url.connection());
        client?.get_multiplexed_async_connection_with_config(&config).await
    };
    let connection = timeout(CONNECTING, connecting).await.map_err(|_| Trouble::Slow(CONNECTING))??;
    for _ in 0..GOOD_SIGNS {
        take(&connection, &format!("{prefix}:probe"), pace).await?;
    }
    Ok(connection)
}

/// Whether rate limits could be shared there.
///
/// # Errors
/// Why not, in the words of Redis or of the system.
pub(crate) async fn probe(url: &RedisUrl, rate: RateLimit) -> Result<(), Trouble> {
    connect(url, Pace::of(rate), "creatorvault:doctor").await.map(drop)
}
