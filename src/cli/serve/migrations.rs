//! Sees to the tables when the server starts: brings them up to date, or waits until somebody does. As long as they
//! are not what this version needs the server is not ready, and says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::app::App;
use crate::config::database::DatabaseConfig;
use crate::db::migrate::Fence;
use crate::db::{DbError, migrate, spread};

/// How long the server waits for its tables before it listens without them. A migration may take minutes, ours or
/// another replica's; whoever watches over this process must not end it meanwhile for not answering.
const PATIENCE: Duration = Duration::from_secs(3);

/// The first wait before another look; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait: as long may the server stay without its tables after the database is back.
const LONGEST: Duration = Duration::from_secs(5);

/// What there is to say about a look that panicked.
const ENDED: &str = "the look at the tables ended early";

/// How the tables are.
#[derive(Debug, PartialEq, Eq)]
enum Tables {
    /// What this version needs.
    Ready,
    /// Not yet, and why.
    Pending(String),
}

/// A look that is being taken.
type Looking = JoinHandle<Result<Tables, String>>;

/// Applies what is pending, or with `AUTO_MIGRATE=false` only looks. When the database is down, its migrations are
/// somebody else's to run, or they take long, the server starts all the same, and goes on with it in the background.
///
/// # Errors
/// What the database refused, with the cure: a table of our name that is not ours, a right that the role lacks.
pub(super) async fn bring_up(app: &Arc<App>) -> Result<(), String> {
    bring_up_within(PATIENCE, app).await
}

async fn bring_up_within(patience: Duration, app: &Arc<App>) -> Result<(), String> {
    let mut looking = begin(app);
    let (reason, looking) = match tokio::time::timeout(patience, &mut looking).await {
        Ok(looked) => match looked.unwrap_or_else(|_| Err(ENDED.to_owned()))? {
            Tables::Ready => return Ok(()),
            Tables::Pending(reason) => (reason, None),
        },
        Err(_) => ("they are being applied, here or by another process".to_owned(), Some(looking)),
    };
    app.migrations_pending.raise();
    tracing::warn!(target: "creatorvault::migrations", reason, "Not ready: migrations are pending");
    tokio::spawn(keep_looking(Arc::clone(app), looking));
    Ok(())
}

/// A look in a task of its own, so that its taking long holds up nobody.
fn begin(app: &Arc<App>) -> Looking {
    let app = Arc::clone(app);
    tokio::spawn(async move { look(&app).await })
}

/// One look, and what can be done about it now.
async fn look(app: &App) -> Result<Tables, String> {
    match found(&app.config.database).await {
        Ok(tables) => Ok(tables),
        Err(DbError::Unavailable(reason) | DbError::Locked(reason)) => Ok(Tables::Pending(reason)),
        Err(DbError::OutcomeUnknown(reason) | DbError::Fault(reason)) => Err(reason),
    }
}

async fn found(config: &DatabaseConfig) -> Result<Tables, DbError> {
    if let Some(fence) = fence(config).await? {
        fence.check_role()?;
    }
    let pending = if config.auto_migrate {
        migrate::up(config).await?;
        0
    } else {
        migrate::status(config).await?.iter().filter(|row| !row.applied).count()
    };
    if pending > 0 {
        let text = format!("AUTO_MIGRATE=false and {pending} to apply: run `creatorvault migrate up`");
        return Ok(Tables::Pending(text));
    }
    // Whoever asks for that fence must not run without it.
    match fence(config).await?.map(|fence| fence.open().join(", ")) {
        Some(open) if !open.is_empty() => Ok(Tables::Pending(format!(
            "AUTO_MIGRATE=false, DATABASE_RLS=on, and no row level security on {open}: run `creatorvault migrate up`"
        ))),
        Some(_) | None => Ok(Tables::Ready),
    }
}

/// How row level security stands, where it is asked for.
async fn fence(config: &DatabaseConfig) -> Result<Option<Fence>, DbError> {
    if config.rls { migrate::fence(config).await } else { Ok(None) }
}

/// Looks until the tables are there. What the database refuses now does not end a server that may answer other
/// requests: it is told, and tried again, since somebody may put it right.
async fn keep_looking(app: Arc<App>, mut begun: Option<Looking>) {
    let mut wait = FIRST;
    loop {
        let looking = match begun.take() {
            Some(looking) => looking,
            None => {
                tokio::time::sleep(spread(wait)).await;
                wait = (wait * 2).min(LONGEST);
                begin(&app)
            }
        };
        match looking.await.unwrap_or_else(|_| Err(ENDED.to_owned())) {
            Ok(Tables::Ready) => break,
            Ok(Tables::Pending(reason)) => {
                tracing::debug!(target: "creatorvault::migrations", reason, "Migrations are still pending");
            }
            Err(reason) => tracing::error!(target: "creatorvault::migrations", reason, "Migration failed"),
        }
    }
    app.migrations_pending.lower();
    tracing::info!(target: "creatorvault::migrations", "The tables are up to date");
}

#[cfg(test)]
mod tests;
