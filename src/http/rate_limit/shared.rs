//! Buckets that several servers share, in Redis: one round trip for each request, by Redis's own clock. A Redis that is
//! down, slow or wrong costs the requests under way [`PATIENCE`], and no other: until a task in the background has found
//! it well again everybody counts in memory.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::bucket::{Pace, Standing};
use crate::config::limits::{LimitsConfig, RateLimit, RedisUrl};

/// How long a request waits for Redis.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a new connection may take, with its TLS handshake.
const CONNECTING: Duration = Duration::from_secs(2);
/// The pause before the first new try, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// The longest pause after a connection that was not good for a [`WHILE`]: who comes and goes is asked seldom, since with
/// each change the buckets are others.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// A connection that was good for so long is no longer new; and outages are told once in such a time.
const WHILE: Duration = Duration::from_secs(60);
/// A Redis that answers so many times in a row in time is well. Each time for another key, so that a node of a cluster
/// shows that other nodes have the others.
const GOOD_SIGNS: usize = 8;

/// Takes a token out of the bucket `KEYS[1]`, whose tokens take `ARGV[1]` microseconds each to come back and `ARGV[2]`
/// all together. Gives 1 or 0, and after how many microseconds the bucket is full. The bucket is the time when that is,
/// counted from 2023 on, so that it stays an exact number. One that is further ahead than an empty bucket's was written
/// before the clock was set back, and becomes an empty bucket's now: nobody waits for longer than that.
const TAKE: &str = "\
local time = redis.call('time')
local now = (time[1] - 1700000000) * 1000000 + time[2]
local step, whole = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('get', KEYS[1]) or 0)
local owed = math.max(full - now, 0)
local allowed, changed = 0, owed > whole
owed = math.min(owed, whole)
if owed + step <= whole then
  owed = owed + step
  allowed, changed = 1, true
end
if changed then
  redis.call('set', KEYS[1], string.format('%.0f', now + owed), 'px', math.ceil(owed / 1000) + 1000)
end
return {allowed, owed}";

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
    said: Mutex<Said>,
}

/// What the log has been told last.
#[derive(Debug, Default)]
struct Said {
    /// Whether that was that limits are shared; nothing before the first word.
    shared: Option<bool>,
    /// When an outage was told.
    outage: Option<Instant>,
}

impl Said {
    /// Whether to say that limits are shared: not after an outage that nobody was told of.
    fn shared(&mut self) -> bool {
        self.shared.replace(true) != Some(true)
    }

    /// Whether to say that they are not: once for each outage, and once in a while.
    fn alone(&mut self, now: Instant) -> bool {
        let lately = self.outage.is_some_and(|outage| now < outage + WHILE);
        if self.shared == Some(false) || lately {
            return false;
        }
        *self = Self { shared: Some(false), outage: Some(now) };
        true
    }
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
    Redis(RedisError),
    #[error("Redis Cluster is not supported: point REDIS_URL at one primary ({0})")]
    Cluster(RedisError),
    #[error("no answer within {} ms", .0.as_millis())]
    Slow(Duration),
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some("MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" | "TRYAGAIN") => Self::Cluster(error),
            _ => Self::Redis(error),
        }
    }
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
        let link = Arc::new(Link {
            url,
            connection: ArcSwapOption::empty(),
            broken: Notify::new(),
            said: Mutex::default(),
        });
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
            self.tell_alone(trouble);
            self.broken.notify_one();
        }
    }

    fn tell_alone(&self, error: &Trouble) {
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).alone(Instant::now()) {
            tracing::warn!(
                target: "creatorvault::limits",
                %error,
                "Redis does not answer: rate limits are counted in memory"
            );
        }
    }

    fn tell_shared(&self) {
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).shared() {
            tracing::info!(target: "creatorvault::limits", redis = %self.url, "Rate limits are shared through Redis");
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
    let (mut pause, mut rest) = (PAUSES.0, PAUSES.0);
    loop {
        match connect(&link.url, pace, &prefix).await {
            Ok(connection) => {
                link.tell_shared();
                let since = Instant::now();
                link.connection.store(Some(Arc::new(connection)));
                link.broken.notified().await;
                pause = PAUSES.0;
                rest = after(rest, since.elapsed());
                sleep(rest).await;
            }
            Err(error) => {
                link.tell_alone(&error);
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// The pause after a connection that was good for a time.
fn after(rest: Duration, good: Duration) -> Duration {
    if good >= WHILE { PAUSES.0 } else { (rest * 2).min(LONGEST_REST) }
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
    for sign in 0..GOOD_SIGNS {
        take(&connection, &format!("{prefix}:probe:{sign}"), pace).await?;
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Config;

    #[test]
    fn who_comes_and_goes_is_asked_ever_more_seldom() {
        let (mut rest, short) = (PAUSES.0, Duration::from_secs(1));
        let rests: Vec<_> = std::iter::repeat_with(|| {
            rest = after(rest, short);
            rest
        })
        .take(10)
        .collect();
        assert_eq!(rests[0], PAUSES.0 * 2);
        assert!(rests.is_sorted());
        assert_eq!(rests[9], LONGEST_REST);
        assert_eq!(after(LONGEST_REST, WHILE), PAUSES.0, "it was well for a while");
    }

    #[test]
    fn the_log_hears_of_one_outage_in_a_while() {
        let (mut said, now) = (Said::default(), Instant::now());
        assert!(said.shared());
        assert!(said.alone(now) && !said.alone(now), "once for each");
        assert!(said.shared(), "its end is told as well");
        for _ in 0..5 {
            assert!(!said.alone(now + WHILE / 2) && !said.shared());
        }
        assert!(said.alone(now + WHILE), "also one that began before");
        assert!(said.shared());
    }

    /// Answers every script as a node that has none of the keys.
    async fn node() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 8_192];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                let answer = "+OK\r\n".repeat(text.matches("SETINFO").count())
                    + &"-MOVED 5 127.0.0.1:7001\r\n".repeat(text.matches("EVAL").count());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("redis://{address}")
    }

    #[tokio::test]
    async fn a_cluster_is_told_as_one() {
        let vars = [("REDIS_URL".to_owned(), node().await)];
        let limits = Config::from_vars(vars).unwrap().0.limits;
        let trouble = probe(&limits.redis.unwrap(), limits.rate.unwrap()).await.unwrap_err().to_string();
        assert!(
            trouble.starts_with("Redis Cluster is not supported: point REDIS_URL at one primary"),
            "{trouble}"
        );
    }
}
