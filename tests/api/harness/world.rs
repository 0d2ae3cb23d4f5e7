//! A world of its own for each test: a server on a free port, with an empty database behind it.

use std::net::SocketAddr;
use std::time::Duration;

use creatorvault::app::App;
use creatorvault::auth::mint::{NewToken, mint};
use creatorvault::clock::Clock;
use creatorvault::config::{Config, Secret};
use creatorvault::db::{DbError, migrate};
use creatorvault::field::timestamp::Timestamp;
use creatorvault::http::server;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{Answer, Behind, Request, User};

/// The secret that signs the tests' tokens.
const SECRET: &str = "kX3v9Qe7LrT2mWzB8nYs5cUh1dFg6jPa0oIiEeRt";

/// The database behind a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    /// PostgreSQL through PgBouncer in transaction mode.
    Pooled,
}

/// A server and its database, both gone when it is dropped.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) address: SocketAddr,
    clock: Clock,
    /// Dropping it ends the server, before its home goes.
    _stop: oneshot::Sender<()>,
    home: Home,
}

impl World {
    /// Opens one, with these variables beside (or instead of) the usual ones.
    pub(crate) async fn open(engine: Engine, vars: &[(&str, &str)]) -> Self {
        Self::open_at(engine, vars, Clock::system()).await
    }

    async fn open_at(engine: Engine, vars: &[(&str, &str)], clock: Clock) -> Self {
        let home = Home::make(engine).await;
        let mut all = home.vars(engine);
        all.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (address, stop) = serve(all, clock.clone()).await;
        Self { engine, address, clock, home, _stop: stop }
    }

    /// A world like this one, with a database of its own and these variables.
    pub(crate) async fn another(&self, vars: &[(&str, &str)]) -> Self {
        Self::open(self.engine, vars).await
    }

    /// A world like this one, with a database of its own, where it is what the clock says.
    pub(crate) async fn held(&self, clock: &Clock) -> Self {
        Self::open_at(self.engine, &[], clock.clone()).await
    }

    /// A user with a token that is good for an hour.
    pub(crate) fn user(&self, id: &str) -> User {
        let token = token(id, Duration::from_secs(3_600), &self.clock);
        User { id: id.to_owned(), token, address: self.address }
    }

    /// The user, with a token whose time was over an hour ago.
    pub(crate) fn expired(&self, id: &str) -> User {
        let two_hours = 2 * 3_600_000_000;
        let past = Timestamp::from_micros(Clock::system().now().micros() - two_hours);
        let token = token(id, Duration::from_secs(3_600), &Clock::held(past));
        User { id: id.to_owned(), token, address: self.address }
    }

    /// The user, with a token that claims just this.
    pub(crate) fn claiming(&self, id: &str, email: Option<&str>, name: Option<&str>) -> User {
        let hour = Duration::from_secs(3_600);
        let token = claim(SECRET, id, email, name, hour, &Clock::system());
        User { id: id.to_owned(), token, address: self.address }
    }

    /// The database, past the server.
    pub(crate) async fn behind(&self) -> Behind {
        self.home.behind().await
    }

    /// The variables with which a command reaches the same database.
    pub(crate) fn vars(&self) -> Vec<(String, String)> {
        self.home.vars(self.engine)
    }

    /// Someone without a token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::new("GET", path)).await
    }

    /// Someone without a token.
    pub(crate) async fn send(&self, request: Request) -> Answer {
        request.send(self.address).await
    }

    /// `/health`, by someone who will not wait.
    pub(crate) async fn is_alive(&self) {
        let answer = tokio::time::timeout(Duration::from_secs(2), self.get("/health")).await;
        assert_eq!(answer.expect("/health answers at once").is(200)["status"], "healthy");
    }

    /// Holds all rows of `tasks` so that no write can go on, until the guard is dropped.
    pub(crate) async fn hold_tasks(&self) -> Hold {
        self.hold(|schema| format!("lock table \"{schema}\".tasks in access exclusive mode")).await
    }

    /// Holds the row of a user as an erasure would, until the guard is dropped; on SQLite the file.
    pub(crate) async fn hold_user(&self, id: &str) -> Hold {
        self.hold(|schema| format!("select id from \"{schema}\".users where id = '{id}' for update")).await
    }

    async fn hold(&self, lock: impl FnOnce(&str) -> String) -> Hold {
        match &self.home {
            Home::Sqlite(folder) => {
                let file =
                    rusqlite::Connection::open(folder.path().join("test.db")).expect("a second opener");
                file.execute_batch("begin immediate").expect("the write lock");
                Hold::Sqlite(file)
            }
            Home::Postgres { url, schema, .. } => {
                let client = connect(url).await;
                client.batch_execute(&format!("begin; {}", lock(schema))).await.expect("the lock");
                Hold::Postgres(client)
            }
        }
    }
}

/// A lock that ends with it.
#[derive(Debug)]
#[expect(dead_code, reason = "held, never read")]
pub(crate) enum Hold {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

/// Where a world's rows live.
#[derive(Debug)]
pub(super) enum Home {
    Sqlite(tempfile::TempDir),
    Postgres {
        url: String,
        schema: String,
        /// The role that owns the tables and that row level security binds, where the tests run with it.
        role: Option<String>,
    },
}

/// Whether `TEST_POSTGRES_MODE=guarded`: servers directly on PostgreSQL then have row level security.
fn is_guarded(engine: Engine) -> bool {
    engine == Engine::Postgres && std::env::var("TEST_POSTGRES_MODE").is_ok_and(|mode| mode == "guarded")
}

/// The URL of another role on the same server.
pub(crate) fn as_role(url: &str, role: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (_, place) = rest.split_once('@').expect("a URL with a role");
    format!("{scheme}://{role}@{place}")
}

/// Whether `TEST_POSTGRES_MODE=pooled`: every server on PostgreSQL then reaches it through PgBouncer.
pub(crate) fn is_pooled() -> bool {
    std::env::var("TEST_POSTGRES_MODE").is_ok_and(|mode| mode == "pooled")
}

impl Home {
    pub(super) async fn make(engine: Engine) -> Self {
        if engine == Engine::Sqlite {
            return Self::Sqlite(tempfile::tempdir().expect("a temporary folder"));
        }
        let url = test_server("TEST_POSTGRES_URL");
        let schema = format!("test_{}", Clock::system().random_id().simple());
        let client = connect(&url).await;
        let role = is_guarded(engine).then(|| schema.replace("test_", "role_"));
        let make = match &role {
            Some(role) => {
                format!("create role {role} login; create schema \"{schema}\" authorization {role}")
            }
            None => format!("create schema \"{schema}\""),
        };
        client.batch_execute(&make).await.expect("a schema of its own");
        Self::Postgres { url, schema, role }
    }

    pub(super) async fn behind(&self) -> Behind {
        match self {
            Self::Sqlite(folder) => Behind::sqlite(&folder.path().join("test.db")),
            Self::Postgres { url, schema, .. } => Behind::postgres(connect(url).await, schema),
        }
    }

    pub(super) fn vars(&self, engine: Engine) -> Vec<(String, String)> {
        let mut vars = vec![
            ("ENVIRONMENT", "development".to_owned()),
            ("BETTER_AUTH_SECRET", SECRET.to_owned()),
            ("ALLOWED_ORIGINS", "https://front.example/,https://app-*.vercel.app".to_owned()),
            ("DATABASE_POOL_SIZE", "6".to_owned()),
            ("DATABASE_POOL_OVERFLOW", "2".to_owned()),
            // tests ask faster than any user: those about the limit set one, the program's own is on
            ("RATE_LIMIT", "off".to_owned()),
        ];
        match self {
            Self::Sqlite(folder) => {
                vars.push(("DATABASE_URL", format!("sqlite://{}", folder.path().join("test.db").display())));
            }
            Self::Postgres { url, schema, role } => {
                vars.push(("DATABASE_SCHEMA", schema.clone()));
                if engine == Engine::Pooled || is_pooled() {
                    vars.push(("DATABASE_URL", test_server("TEST_PGBOUNCER_URL")));
                    vars.push(("DATABASE_DIRECT_URL", url.clone()));
                } else if let Some(role) = role {
                    vars.push(("DATABASE_URL", as_role(url, role)));
                    vars.push(("DATABASE_RLS", "on".to_owned()));
                } else {
                    vars.push(("DATABASE_URL", url.clone()));
                }
            }
        }
        vars.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let Self::Postgres { url, schema, role } = self else { return };
        // The test's runtime may be at its end and its threads busy: another one tidies up. What fails here stays in a
        // server that is thrown away.
        let url = url.clone();
        let mut drop = format!("set lock_timeout = '5s'; drop schema \"{schema}\" cascade");
        if let Some(role) = role {
            drop.push_str(&format!("; drop owned by {role}; drop role {role}"));
        }
        let tidy = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                connect(&url).await.batch_execute(&drop).await.ok();
            });
        };
        std::thread::spawn(tidy).join().ok();
    }
}

/// Starts a server with these variables, as the command line does; it ends when the sender is dropped.
async fn serve(vars: Vec<(String, String)>, clock: Clock) -> (SocketAddr, oneshot::Sender<()>) {
    let (config, _) = Config::from_vars(vars).unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    match migrate::up(&config.database).await {
        // A database that is away is what some of the tests are about.
        Ok(_) | Err(DbError::Unavailable(_)) => {}
        Err(error) => panic!("{error}"),
    }
    let app = App::open(config, clock).await.unwrap_or_else(|problem| panic!("{problem}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(async move {
        let shutdown = async {
            stopped.await.ok();
        };
        server::serve(app, vec![listener], shutdown).await;
    });
    (address, stop)
}

/// A test server's URL, which scripts/test puts into the environment.
pub(crate) fn test_server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: scripts/test starts a server and sets it"))
}

/// A connection past the server under test.
pub(super) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the test's PostgreSQL answers");
    tokio::spawn(connection);
    client
}

fn token(id: &str, ttl: Duration, clock: &Clock) -> String {
    claim(SECRET, id, Some("someone@example.com"), Some("Someone"), ttl, clock)
}

/// An HS256 token over this secret.
pub(super) fn claim(
    secret: &str,
    id: &str,
    email: Option<&str>,
    name: Option<&str>,
    ttl: Duration,
    clock: &Clock,
) -> String {
    let claims =
        NewToken { user: id.to_owned(), email: email.map(str::to_owned), name: name.map(str::to_owned), ttl };
    mint(&Secret::new(secret), claims, clock.now())
}
