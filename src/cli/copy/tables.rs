//! What is copied: every table and every column, in an order in which each row finds those that it refers to.

use crate::db::bulk::{ColumnKind, Datum};
use crate::db::{DbError, Row};

use ColumnKind::{Bool, Int, Tags, Text, Time, Uuid};

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, ColumnKind)],
    /// Its primary key, which begins with the user: the order in which rows are read on both sides.
    key: &'static [&'static str],
    /// Rows that are in memory together: fewer where they may be long.
    pub(super) at_once: usize,
}

/// All tables of ours but the book of migrations.
pub(super) const TABLES: [Table; 7] = [
    Table {
        name: "users",
        columns: &[
            ("id", Text),
            ("email", Text),
            ("name", Text),
            ("next_task", Int),
            ("created_at", Time),
            ("updated_at", Time),
        ],
        key: &["id"],
        at_once: 500,
    },
    Table {
        name: "tasks",
        columns: &[
            ("user_id", Text),
            ("id", Uuid),
            ("number", Int),
            ("title", Text),
            ("title_fold", Text),
            ("description", Text),
            ("description_fold", Text),
            ("completed", Bool),
            ("completed_at", Time),
            ("priority", Text),
            ("tags", Tags),
            ("due_date", Time),
            ("created_at", Time),
            ("updated_at", Time),
            ("version", Int),
        ],
        key: &["user_id", "id"],
        at_once: 200,
    },
    Table {
        name: "task_tags",
        columns: &[("user_id", Text), ("tag", Text), ("task_id", Uuid)],
        key: &["user_id", "tag", "task_id"],
        at_once: 1_000,
    },
    Table {
        name: "ideas",
        columns: &[
            ("user_id", Text),
            ("id", Uuid),
            ("title", Text),
            ("title_fold", Text),
            ("notes", Text),
            ("notes_fold", Text),
            ("stage", Text),
            ("priority", Text),
            ("tags", Tags),
            ("due_date", Time),
            ("created_at", Time),
            ("updated_at", Time),
            ("version", Int),
        ],
        key: &["user_id", "id"],
        at_once: 200,
    },
    Table {
        name: "idea_tags",
        columns: &[("user_id", Text), ("tag", Text), ("idea_id", Uuid)],
        key: &["user_id", "tag", "idea_id"],
        at_once: 1_000,
    },
    Table {
        name: "idempotency_keys",
        columns: &[
            ("user_id", Text),
            ("key", Text),
            ("fingerprint", Text),
            ("created_at", Time),
            ("status", Int),
            ("answer", Text),
        ],
        key: &["user_id", "key"],
        at_once: 20,
    },
    Table {
        name: "idempotency_texts",
        columns: &[
            ("user_id", Text),
            ("key", Text),
            ("place", Int),
            ("task_id", Uuid),
            ("idea_id", Uuid),
            ("body", Text),
        ],
        key: &["user_id", "key", "place"],
        at_once: 20,
    },
];

/// A row that does not read.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) column: &'static str,
    pub(super) kind: ColumnKind,
}

impl Table {
    /// The names of its columns.
    pub(super) fn columns(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Reads all its rows, user by user: in the same order on both engines, which compare ids byte by byte.
    pub(super) fn select(&self) -> String {
        format!("select {} from @{} order by {}", self.columns(), self.name, self.key.join(", "))
    }

    /// Reads a row, if there is one.
    pub(super) fn any(&self) -> String {
        format!("select {} from @{} limit 1", self.key.join(", "), self.name)
    }

    /// The values of a row.
    pub(super) fn read(&self, row: &Row) -> Result<Vec<Datum>, Unread> {
        let datum = |(i, (column, kind)): (usize, &(&'static str, ColumnKind))| {
            Datum::read(row, i, *kind).map_err(|_: DbError| Unread { column, kind: *kind })
        };
        self.columns.iter().enumerate().map(datum).collect()
    }

    /// Which row it is, for a message: its user and its id, and none of its texts.
    pub(super) fn place(&self, row: &Row) -> String {
        let mut words = vec![self.name.to_owned()];
        for (i, (column, kind)) in self.columns.iter().enumerate() {
            let told = i == 0 || (self.key.contains(column) && matches!(kind, Uuid | Int));
            if !told {
                continue;
            }
            let name = if i == 0 { "user" } else { column };
            words.push(match Datum::read(row, i, *kind) {
                Ok(Datum::Text(text)) => format!("{name} {}", text.escape_debug()),
                Ok(Datum::Uuid(id)) => format!("{name} {id}"),
                Ok(Datum::Int(int)) => format!("{name} {int}"),
                Ok(Datum::Null | Datum::Bool(_) | Datum::Time(_) | Datum::Tags(_)) | Err(_) => {
                    format!("{name} that does not read")
                }
            });
        }
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::config::database::DatabaseConfig;
    use crate::db::bulk::Source;
    use crate::db::migrate;

    type Columns = BTreeMap<String, BTreeMap<String, String>>;

    /// The tables as the migrations make them: each column and its kind's name.
    async fn made(vars: &[(&str, &str)], sql: &str) -> Columns {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config: DatabaseConfig = Config::from_vars(vars).unwrap().0.database;
        migrate::up(&config).await.unwrap();
        let source = Source::open(&config.url, &config).await.unwrap();
        let mut columns = Columns::new();
        for row in source.rows(sql).await.unwrap() {
            let (table, column, kind) = (row.text(0).unwrap(), row.text(1).unwrap(), row.text(2).unwrap());
            columns.entry(table).or_default().insert(column, kind);
        }
        columns.remove("creatorvault_migrations");
        columns
    }

    /// The tables as they are copied.
    fn copied(name: impl Fn(ColumnKind) -> &'static str) -> Columns {
        let columns = |table: &Table| {
            table
                .columns
                .iter()
                .map(|(column, kind)| ((*column).to_owned(), name(*kind).to_owned()))
                .collect()
        };
        TABLES.iter().map(|table| (table.name.to_owned(), columns(table))).collect()
    }

    #[tokio::test]
    async fn every_column_that_sqlite_has_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("rows.db").display());
        let sql = "select t.name, c.name, lower(c.type) from sqlite_schema t, pragma_table_info(t.name) c \
                   where t.type = 'table' and t.name not like 'sqlite~_%' escape '~'";
        let expected = copied(|kind| match kind {
            Text | Tags => "text",
            Uuid => "blob",
            Int | Bool | Time => "integer",
        });
        assert_eq!(made(&[("DATABASE_URL", &url)], sql).await, expected);
    }

    #[tokio::test]
    async fn every_column_that_postgresql_has_is_copied() {
        let url = std::env::var("TEST_POSTGRES_URL").expect("scripts/test sets it");
        let schema = format!("test_{}", Clock::system().random_id().simple());
        let sql = format!(
            "select table_name::text, column_name::text, udt_name::text from information_schema.columns \
             where table_schema = '{schema}' and is_generated = 'NEVER'"
        );
        let expected = copied(|kind| match kind {
            Text => "text",
            Tags => "jsonb",
            Uuid => "uuid",
            Int => "int8",
            Bool => "bool",
            Time => "timestamptz",
        });
        let made = made(&[("DATABASE_URL", &url), ("DATABASE_SCHEMA", &schema)], &sql).await;
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("drop schema {schema} cascade")).await.unwrap();
        assert_eq!(made, expected);
    }
}
