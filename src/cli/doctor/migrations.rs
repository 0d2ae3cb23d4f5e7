//! Whether the tables are what this version needs.

use super::database::{cure, reason};
use super::finding::{Finding, Status};
use super::{bounded, bounded_blocking, spoiled};
use crate::config::Examined;
use crate::config::database::{DatabaseConfig, DatabaseUrl, PostgresUrl};
use crate::db::DbError;
use crate::db::inspect::{self, PostgresLook, Rights};
use crate::db::migrate::{self, Applied};

const CHECK: &str = "migrations";

/// How the migrations stand; nothing is applied.
pub(super) async fn look(examined: &Examined) -> Vec<Finding> {
    // What spoils these has its line at the database.
    if spoiled(examined, CHECK, &["DATABASE_", "NEON_DATABASE_URL", "ENVIRONMENT"]).is_some() {
        return Vec::new();
    }
    let config = &examined.config.database;
    match config.migration_url() {
        DatabaseUrl::Sqlite(path) => {
            let path = path.clone();
            match bounded_blocking(move || inspect::sqlite(&path)).await {
                Some(Ok(Some(look))) => vec![standing(config, look.migrations)],
                Some(Ok(None)) => vec![standing(config, Ok(unborn(config)))],
                Some(Err(_)) | None => vec![unknown()],
            }
        }
        DatabaseUrl::Postgres(url) => {
            let asked = async { tokio::join!(migrate::status(config), inspect::postgres(config, url)) };
            match bounded(asked).await {
                Some((Err(DbError::Unavailable(text) | DbError::Locked(text)), _)) => {
                    vec![unreachable(config, url, text)]
                }
                None => vec![unreachable(config, url, "no answer within three seconds".to_owned())],
                Some((found, look)) => postgres(config, found, look.ok().as_ref()),
            }
        }
    }
}

fn postgres(
    config: &DatabaseConfig,
    found: Result<Vec<Applied>, DbError>,
    look: Option<&PostgresLook>,
) -> Vec<Finding> {
    // An error says nothing about the tables.
    let pending = found.as_ref().ok().map(|rows| rows.iter().any(|row| !row.applied));
    let mut findings = vec![standing(config, found)];
    match (pending, look) {
        (Some(true), Some(look)) if !look.schema.create => findings.push(lacks(config, look.schema)),
        (Some(false), Some(look)) => findings.push(words(config, look)),
        _ => {}
    }
    findings
}

/// Whether searches have their index: the migration goes on without where the extensions are not to be had.
fn words(config: &DatabaseConfig, look: &PostgresLook) -> Finding {
    const CHECK: &str = "search index";
    let schema = &config.schema;
    if config.rls {
        return Finding::ok(
            CHECK,
            "row level security does without it: a search for a rare word reads all rows of its user",
        );
    }
    if look.finds_words {
        return Finding::ok(CHECK, "words of three signs or more are found by it");
    }
    let place = look.trigrams.as_deref().unwrap_or("public");
    let index = |table: &str, long_text: &str| {
        format!(
            "create index concurrently if not exists {table}_by_words on \"{schema}\".{table} using gin (user_id, \
             (title_fold || ' ' || coalesce({long_text}, '')) {place}.gin_trgm_ops)"
        )
    };
    let cure = format!(
        "run with psql, as a role that may: create extension if not exists pg_trgm with schema {place}; create \
         extension if not exists btree_gin; {}; {};",
        index("tasks", "description_fold"),
        index("ideas", "notes_fold")
    );
    Finding::warning(CHECK, "missing, so a search reads all rows of its user", cure)
}

/// All of them, for a database that is not there yet.
fn unborn(config: &DatabaseConfig) -> Vec<Applied> {
    migrate::names(config).into_iter().map(|name| Applied { applied: false, name }).collect()
}

fn unknown() -> Finding {
    Finding::warning(CHECK, "not known: the database cannot be looked at", "see to the database first")
}

/// Past a pooler, migrations have an address of their own.
fn unreachable(config: &DatabaseConfig, url: &PostgresUrl, text: String) -> Finding {
    if config.direct_url.is_none() {
        return unknown();
    }
    let reason = reason(url, &DbError::Unavailable(text));
    let cure = cure(&reason).replace("DATABASE_URL", "DATABASE_DIRECT_URL");
    Finding::problem(CHECK, format!("{url} (DATABASE_DIRECT_URL) cannot be used: {reason}"), cure)
}

fn standing(config: &DatabaseConfig, found: Result<Vec<Applied>, DbError>) -> Finding {
    let rows = match found {
        Ok(rows) => rows,
        Err(DbError::Unavailable(_) | DbError::Locked(_)) => return unknown(),
        Err(DbError::Fault(text) | DbError::OutcomeUnknown(text)) => {
            return Finding::from_line(CHECK, Status::Problem, &text);
        }
    };
    let ours = migrate::names(config);
    let pending: Vec<_> = rows.iter().filter(|row| !row.applied).map(|row| row.name.as_str()).collect();
    let foreign: Vec<_> =
        rows.iter().filter(|row| !ours.contains(&row.name)).map(|row| row.name.as_str()).collect();
    if !pending.is_empty() && !config.auto_migrate {
        let detail = format!("AUTO_MIGRATE=false and {} pending: {}", pending.len(), pending.join(", "));
        return Finding::problem(CHECK, detail, "run: creatorvault migrate up");
    }
    if !foreign.is_empty() {
        let detail = format!("the database has {}, which this version does not know", foreign.join(", "));
        return Finding::warning(
            CHECK,
            detail,
            "run the newest version of this program; this one works meanwhile",
        );
    }
    if pending.is_empty() {
        return Finding::ok(CHECK, format!("all {} applied", rows.len()));
    }
    Finding::ok(CHECK, format!("pending, applied at the next start: {}", pending.join(", ")))
}

fn lacks(config: &DatabaseConfig, rights: Rights) -> Finding {
    let schema = &config.schema;
    let (what, grant) = match rights.there {
        true => (
            format!("tables in the schema {schema}"),
            format!("grant create on schema {schema} to that role"),
        ),
        false => (format!("the schema {schema}"), "grant create on database … to that role".to_owned()),
    };
    let cure = format!("as its owner: {grant}; or set DATABASE_SCHEMA to a schema that it owns");
    Finding::problem(CHECK, format!("the role of DATABASE_URL may not make {what}"), cure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn config(vars: &[(&str, &str)]) -> DatabaseConfig {
        Config::from_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
            .unwrap()
            .0
            .database
    }

    fn rows(config: &DatabaseConfig, applied: bool) -> Vec<Applied> {
        unborn(config).into_iter().map(|row| Applied { applied, ..row }).collect()
    }

    #[test]
    fn pending_ones_are_a_problem_only_where_the_server_does_not_apply_them() {
        let auto = config(&[]);
        assert_eq!(standing(&auto, Ok(rows(&auto, true))).status, Status::Ok);
        assert_eq!(standing(&auto, Ok(unborn(&auto))).status, Status::Ok);
        let by_hand = config(&[("AUTO_MIGRATE", "false")]);
        assert_eq!(standing(&by_hand, Ok(rows(&by_hand, true))).status, Status::Ok);
        let finding = standing(&by_hand, Ok(unborn(&by_hand)));
        assert_eq!(finding.status, Status::Problem);
        assert_eq!(finding.cure.as_deref(), Some("run: creatorvault migrate up"));
    }

    #[test]
    fn a_database_ahead_of_this_version_is_a_warning() {
        let config = config(&[]);
        let mut rows = rows(&config, true);
        rows.push(Applied { applied: true, name: "9000_later".to_owned() });
        let finding = standing(&config, Ok(rows));
        assert_eq!(finding.status, Status::Warning);
        assert!(finding.detail.contains("9000_later"), "{finding:?}");
    }
}
