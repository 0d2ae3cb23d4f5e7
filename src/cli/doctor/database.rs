//! Whether the database answers, what stands before it, and whether it is fit for the rows.

use std::time::Duration;

use super::finding::Finding;
use super::{bounded, bounded_blocking, spoiled};
use crate::config::Examined;
use crate::config::database::{DatabaseConfig, DatabaseUrl, PostgresUrl};
use crate::db::DbError;
use crate::db::inspect::{self, PostgresLook, SqliteLook};

mod way;

const CHECK: &str = "database";

/// From how many milliseconds on a round trip makes every request slow.
const SLOW: Duration = Duration::from_millis(50);

/// What can be learned of the database without changing it.
pub(super) async fn look(examined: &Examined) -> Vec<Finding> {
    if let Some(finding) = spoiled(examined, CHECK, &["DATABASE_", "NEON_DATABASE_URL", "ENVIRONMENT"]) {
        return vec![finding];
    }
    let config = &examined.config.database;
    match &config.url {
        DatabaseUrl::Sqlite(path) => {
            let (path, asked) = (path.clone(), config.url.to_string());
            let found = bounded_blocking(move || inspect::sqlite(&path)).await;
            vec![sqlite(&asked, found)]
        }
        DatabaseUrl::Postgres(url) => {
            let mut found = match bounded(inspect::postgres(config, url)).await {
                None => vec![silent(url)],
                Some(Err(error)) => vec![unreachable(url, &error)],
                Some(Ok(look)) => postgres(config, url, &look),
            };
            found.extend(way::hosts(config, url).await);
            found.extend(way::encryption(url));
            found
        }
    }
}

fn sqlite(file: &str, found: Option<Result<Option<SqliteLook>, DbError>>) -> Finding {
    match found {
        Some(Ok(Some(look))) => {
            let SqliteLook { version, bytes, took, .. } = look;
            Finding::ok(CHECK, format!("{file}, {}, SQLite {version}, read in {}", size(bytes), millis(took)))
        }
        Some(Ok(None)) => {
            Finding::ok(CHECK, format!("{file} is not there yet: it will be created at the first start"))
        }
        Some(Err(DbError::Unavailable(reason) | DbError::Locked(reason))) => {
            let cure =
                "start the server, which sees to it; if another program holds it, wait and run this again";
            Finding::warning(CHECK, format!("{file} could not be looked at: {reason}"), cure)
        }
        Some(Err(DbError::Fault(reason) | DbError::OutcomeUnknown(reason))) => {
            let cure = "let this user read and write it, name another file in DATABASE_URL, or restore this one from a \
                        backup";
            Finding::problem(CHECK, format!("{file} cannot be used: {reason}"), cure)
        }
        None => {
            let cure = "put the file on a disk of this machine, or look at who holds it";
            Finding::problem(CHECK, format!("{file} cannot be read within three seconds"), cure)
        }
    }
}

fn silent(url: &PostgresUrl) -> Finding {
    let detail = format!("{url} does not answer within three seconds");
    Finding::problem(
        CHECK,
        detail,
        "put host and port of DATABASE_URL right, or open the way there (firewall, VPN)",
    )
}

fn unreachable(url: &PostgresUrl, error: &DbError) -> Finding {
    let reason = reason(url, error);
    let cure = cure(&reason);
    Finding::problem(CHECK, format!("{url} cannot be used: {reason}"), cure)
}

/// Why, without the role's name, which a URL keeps beside its password.
pub(super) fn reason(url: &PostgresUrl, error: &DbError) -> String {
    let text = error.text();
    // All messages of a refused login name the role.
    if let Some(at) = text.find("SQLSTATE 28") {
        return text[..at + "SQLSTATE 28xxx".len()].to_owned();
    }
    match &url.user {
        Some(user) => text.replace(&format!("\"{user}\""), "of DATABASE_URL"),
        None => text.to_owned(),
    }
}

/// What to do when a server cannot be used.
pub(super) fn cure(reason: &str) -> &'static str {
    let says = |part: &str| reason.contains(part);
    if says("SQLSTATE 28") || says("password missing") {
        "put user and password in DATABASE_URL right (special characters percent-encoded), or admit this machine in \
         pg_hba.conf"
    } else if says("SQLSTATE 3D") {
        "make that database (createdb), or put the name at the end of DATABASE_URL right"
    } else if says("SQLSTATE 53") {
        "end other connections, lower DATABASE_POOL_SIZE, or raise max_connections"
    } else if says("SQLSTATE 08P01") {
        "this looks like a connection pooler: set DATABASE_PREPARED=off"
    } else if says("refused") {
        "start PostgreSQL, or put host and port of DATABASE_URL right (in a container, localhost is the container \
         itself)"
    } else if says("channel binding") {
        "take channel_binding=require out of DATABASE_URL, or give the server TLS, scram-sha-256 passwords, and a \
         certificate signed with SHA-256, SHA-384 or RSA"
    } else if says("TLS") || says("certificate") {
        "put sslmode and sslrootcert in DATABASE_URL right for this server"
    } else if says("lookup address") || says("resolve") {
        "put the host's name in DATABASE_URL right; nothing on this network has it"
    } else {
        "put host, port and keys of DATABASE_URL right"
    }
}

fn postgres(config: &DatabaseConfig, url: &PostgresUrl, look: &PostgresLook) -> Vec<Finding> {
    let mut found = vec![server(url, look), pooler(config, look)];
    if look.encoding != "UTF8" {
        let detail = format!("the database's encoding is {}, which cannot hold every text", look.encoding);
        let cure =
            "make one with: createdb --template=template0 --encoding=UTF8, and name it in DATABASE_URL";
        found.push(Finding::problem("encoding", detail, cure));
    }
    found.push(ctype(look));
    found.extend(look.shadows.then(|| shadows(&config.schema)));
    found.extend(look.citus.as_ref().map(|citus| super::citus::citus(&config.schema, citus)));
    found
}

/// PostgreSQL looks for a name in the schema that is called like the role, and only then in `public`.
fn shadows(schema: &str) -> Finding {
    let detail = format!(
        "there is a role {schema} too, so whoever signs in as it and asks for tasks gets the table of {schema}, not that of public"
    );
    let cure = format!(
        "if another program signs in as {schema}: alter role {schema} set search_path = public, or choose another DATABASE_SCHEMA"
    );
    Finding::warning("schema", detail, cure)
}

fn server(url: &PostgresUrl, look: &PostgresLook) -> Finding {
    let (version, trip) = (&look.version, millis(look.round_trip));
    let connected = millis(look.connecting);
    let detail = format!("{url}, server {version}, connected in {connected}, a round trip takes {trip}");
    if look.read_only {
        let cure = "name the primary in DATABASE_URL, or add target_session_attrs=read-write to it";
        return Finding::problem(CHECK, format!("{detail}; it takes no writes"), cure);
    }
    if look.round_trip > SLOW {
        let cure = "run this server near its database: a request takes one to three round trips";
        return Finding::warning(CHECK, detail, cure);
    }
    Finding::ok(CHECK, detail)
}

/// Whether a transaction pooler stands between, as the settings have it and as it shows; and who ends statements.
fn pooler(config: &DatabaseConfig, look: &PostgresLook) -> Finding {
    const CHECK: &str = "pooler";
    let (ours, theirs) = (config.statement_timeout, look.statement_timeout);
    let limit = if theirs.is_zero() { "none".to_owned() } else { millis(theirs) };
    let from = &look.timeout_source;
    if config.is_pooled() {
        return Finding::ok(
            CHECK,
            format!(
                "yes, by DATABASE_URL or DATABASE_PREPARED: each request sets its statement timeout of {}; the role's \
                 own is {limit} (set by: {from})",
                millis(ours)
            ),
        );
    }
    if look.refuses_options || theirs != ours {
        let detail = format!(
            "a pooler seems to stand between, since the statement timeout of {} does not arrive (it is {limit}, set \
             by: {from})",
            millis(ours)
        );
        return Finding::problem(
            CHECK,
            detail,
            "set DATABASE_PREPARED=off, or name the server itself in DATABASE_URL",
        );
    }
    Finding::ok(CHECK, format!("no: a direct connection, statement timeout {}", millis(ours)))
}

/// Searches for words find their rows by trigrams, and those need to know what a letter is.
fn ctype(look: &PostgresLook) -> Finding {
    const CHECK: &str = "lc_ctype";
    let ctype = &look.ctype;
    if matches!(ctype.as_str(), "C" | "POSIX") && !look.own_classes {
        let detail = format!(
            "{ctype}: PostgreSQL knows no letters beyond a to z, and no index helps searches in other scripts"
        );
        let cure = "it cannot be changed in place: make a database with createdb --template=template0 --locale=C.UTF-8, \
                    copy the rows, and name it in DATABASE_URL";
        return Finding::warning(CHECK, detail, cure);
    }
    Finding::ok(CHECK, ctype)
}

/// A time for people.
pub(super) fn millis(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        micros => format!("{} ms", micros / 1_000),
    }
}

/// A size for people.
pub(in crate::cli) fn size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1_024)),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes / 1_048_576),
        _ => format!("{} GiB", bytes / 1_073_741_824),
    }
}

#[cfg(test)]
mod tests;
