//! What PostgreSQL's errors mean: whether to try again, on which connection, and what a log may say.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError as ServerError, Severity};

use crate::db::DbError;

/// An error of the driver, sorted by what is to be done about it.
#[derive(Debug)]
pub(in crate::db) struct Trouble {
    pub(in crate::db) kind: Kind,
    /// For the log: no row values, no parameters.
    pub(in crate::db) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Kind {
    /// The link broke, or what stands between broke it: the server's state is unknown.
    Lost,
    /// The server itself ended the connection (57P01 and its kin): what had not ended is rolled back.
    Ended,
    /// A link behind who answers broke (class 08 as a plain error): a pooler's to its server, a coordinator's to a worker.
    Broken,
    /// A pooler gave up before any server saw the statement.
    Unserved,
    /// The connection is of no use any more, the statement was refused: forgotten statement.
    Stale,
    /// As [`Kind::Stale`]: the server is read-only, as a primary is that has become a standby.
    ReadOnly,
    /// A named statement whose rows look different since a migration: it has to be prepared again.
    Replanned,
    /// A table or a column is not there: migrations are pending.
    Unready,
    /// Row level security hides rows from a statement that was to see them all (`row_security = off`).
    Guarded,
    /// A known rollback that may well succeed when run again: 40001, 40P01.
    Conflict,
    /// Refused for want of something that may come back: time, memory, disk.
    Unavailable,
    /// A lock did not come within the lock timeout (55P03).
    Locked,
    /// Refused for good.
    Fault,
    /// The driver did not send it: parameters that do not fit.
    Unsent,
}

impl Trouble {
    pub(in crate::db) fn of(error: &Error) -> Self {
        match error.as_db_error() {
            Some(server) => Self { kind: kind(server), text: describe(server) },
            None if is_ours(error) => Self { kind: Kind::Unsent, text: error.to_string() },
            None => Self { kind: Kind::Lost, text: error.to_string() },
        }
    }

    /// The deadline came before an answer.
    pub(in crate::db) fn out_of_time() -> Self {
        Self { kind: Kind::Unavailable, text: "the deadline has passed".to_owned() }
    }

    /// Whether the connection has to go.
    pub(in crate::db) fn evicts(&self) -> bool {
        matches!(self.kind, Kind::Lost | Kind::Ended | Kind::Unserved | Kind::Stale | Kind::ReadOnly)
    }

    /// The error, where it is known that nothing was changed.
    pub(in crate::db) fn unchanged(self) -> DbError {
        match self.kind {
            Kind::Fault | Kind::Unsent => DbError::Fault(self.text),
            Kind::Unready => DbError::pending(&self.text),
            Kind::Locked => DbError::Locked(self.text),
            Kind::Guarded => DbError::Fault(format!(
                "{}; name a role that sees the rows of all users (a superuser, or with bypassrls)",
                self.text
            )),
            Kind::Lost
            | Kind::Ended
            | Kind::Broken
            | Kind::Unserved
            | Kind::Stale
            | Kind::ReadOnly
            | Kind::Replanned
            | Kind::Conflict
            | Kind::Unavailable => DbError::Unavailable(self.text),
        }
    }
}

/// Errors of the driver that say nothing about the link: parameters or rows that do not fit.
fn is_ours(error: &Error) -> bool {
    let text = error.to_string();
    [
        "error serializing",
        "error deserializing",
        "expected ",
        "invalid column",
        "error encoding",
        "query returned",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

fn kind(server: &ServerError) -> Kind {
    let code = server.code().code();
    // A pooler may leave out the severity that does not depend on the language.
    let fatal = server.parsed_severity().map_or_else(
        || matches!(server.severity(), "FATAL" | "PANIC"),
        |severity| matches!(severity, Severity::Fatal | Severity::Panic),
    );
    match code {
        _ if server.message().contains("query_wait_timeout") => Kind::Unserved,
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Kind::Ended,
        _ if fatal => Kind::Lost,
        // Ours: a bind with too few parameters. The rest of the class comes from workers behind the server.
        "08P01" => Kind::Fault,
        _ if code.starts_with("08") => Kind::Broken,
        "25006" => Kind::ReadOnly,
        "26000" => Kind::Stale,
        // The function that says so has the same name in every language.
        "0A000" if server.routine() == Some("RevalidateCachedQuery") => Kind::Replanned,
        "42501" if server.routine() == Some("check_enable_rls") => Kind::Guarded,
        // undefined_table, undefined_column, invalid_schema_name
        "42P01" | "42703" | "3F000" => Kind::Unready,
        // Beside a lost race for locks also foreign_key_violation: what a row refers to went away in between, and comes
        // back with the next try.
        "23503" | "40001" | "40P01" => Kind::Conflict,
        "55P03" => Kind::Locked,
        _ if code.starts_with("53") || code.starts_with("57") => Kind::Unavailable,
        _ => Kind::Fault,
    }
}

/// SQLSTATE and names; the message only of classes whose messages hold no values.
fn describe(server: &ServerError) -> String {
    let code = server.code().code();
    let mut text = format!("SQLSTATE {code}");
    if matches!(
        code.get(..2),
        Some("08" | "25" | "26" | "28" | "3D" | "3F" | "40" | "42" | "53" | "55" | "57")
    ) {
        text.push_str(": ");
        text.push_str(server.message());
    }
    let names = [("table", server.table()), ("column", server.column()), ("constraint", server.constraint())];
    for (kind, name) in names {
        if let Some(name) = name {
            text.push_str(&format!(" ({kind} {name})"));
        }
    }
    text
}

/// Why no connection could be made: always a reason to try again later. With the cause, which names no secret.
pub(in crate::db) fn connecting(error: &Error) -> String {
    if let Some(server) = error.as_db_error() {
        return format!("connecting failed: {}", describe(server));
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("connecting failed: {error}{cause}")
}
