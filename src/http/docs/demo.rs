//! The demo user of dev mode: a token and a request to paste, so that the first call works before anything is set up.

use std::time::Duration;

use crate::auth::dev::dev_secret;
use crate::auth::mint::{NewToken, mint_for};
use crate::clock::Clock;
use crate::config::Config;

/// How long a demo token is good for.
const TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// The demo user of dev mode with a fresh token. It stays on this machine: `Debug` does not show the token.
pub struct Demo {
    /// The user's id.
    pub user: &'static str,
    /// A signed token, good for [`Demo::HOURS`].
    pub token: String,
}

impl std::fmt::Debug for Demo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demo").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Demo {
    /// How many hours a demo token is good for.
    pub const HOURS: u64 = TTL.as_secs() / 3600;

    /// The demo user, only in dev mode. `None` also when the secret of dev mode cannot be read or made: such a server
    /// does not start, so that happens only when the file goes away under a running one.
    pub fn of(config: &Config, clock: &Clock) -> Option<Self> {
        if !config.auth.dev_mode() {
            return None;
        }
        let secret = dev_secret(config.data_dir()).ok()?;
        let user = "demo";
        let new = NewToken {
            user: user.to_owned(),
            email: Some("demo@example.com".to_owned()),
            name: Some("Demo User".to_owned()),
            ttl: TTL,
        };
        Some(Self { user, token: mint_for(&config.auth, &secret, new, clock.now()) })
    }
}

/// A request to paste into a terminal: it creates a task at the server with that base address (`http://127.0.0.1:8000`).
pub fn curl(base: &str, token: &str) -> String {
    format!(
        "curl -X POST {base}/api/tasks \\\n  -H 'Authorization: Bearer {token}' \\\n  \
         -H 'Content-Type: application/json' \\\n  -d '{{\"title\": \"My first task\"}}'"
    )
}

/// The six lines that connect a Better Auth front-end to the server with that base address, which ends dev mode: the
/// settings here and there, the plugin, and a call.
pub fn connect(base: &str) -> [String; 6] {
    [
        "BETTER_AUTH_URL=http://localhost:3000 # .env here: your front-end's address; ends dev mode".to_owned(),
        format!("NEXT_PUBLIC_API_URL={base} # .env.local there; the same in dev mode"),
        "plugins: [jwt()], // auth.ts there: import { jwt } from \"better-auth/plugins\"; not in dev mode".to_owned(),
        "const api = process.env.NEXT_PUBLIC_API_URL; // in a page there; the same in dev mode".to_owned(),
        "const { token } = await (await fetch(\"/api/auth/token\")).json(); // in dev mode: the demo token".to_owned(),
        "await fetch(`${api}/api/tasks`, { headers: { Authorization: `Bearer ${token}` } }); // the same in dev mode"
            .to_owned(),
    ]
}
