//! The migrations' files: built into the program, begun by `migrate new`, written out as a script.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use include_dir::{Dir, include_dir};

use super::BOOK;
use crate::db::Engine;
use crate::db::text::translate;

static POSTGRES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/migrations/postgres");
static SQLITE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/migrations/sqlite");

/// One migration of one engine.
#[derive(Debug, Clone)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: String,
    /// What applies it; tables are written `@name`.
    pub(super) up: String,
    /// What takes it back.
    pub(super) down: String,
}

impl Migration {
    pub(super) fn full_name(&self) -> String {
        full_name(self.version, &self.name)
    }

    /// SHA-256 of the text that applies it, in hex; line ends do not count.
    pub(super) fn checksum(&self) -> String {
        let hash = digest(&SHA256, self.up.replace("\r\n", "\n").as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The tables that it makes.
    pub(super) fn tables(&self) -> Vec<&str> {
        let word =
            |text: &'_ str| text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        self.up.split("create table @").skip(1).map(|after| &after[..word(after)]).collect()
    }

    /// The statement that writes it down as applied.
    pub(super) fn record(&self) -> String {
        let (version, name, checksum) = (self.version, &self.name, self.checksum());
        format!("insert into @{BOOK} (version, name, checksum) values ({version}, '{name}', '{checksum}')")
    }

    /// The statement that forgets it.
    pub(super) fn forget(&self) -> String {
        format!("delete from @{BOOK} where version = {}", self.version)
    }
}

/// The tables whose rows a migration says it touches, `-- touches rows: tasks, ideas`: there row level security is lifted
/// from their owner while it runs.
pub(super) fn touched(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("-- touches rows:"));
    lines.flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// As the files are called.
pub(super) fn full_name(version: i64, name: &str) -> String {
    format!("{version:04}_{name}")
}

/// The migrations of one engine, in their order.
pub(super) fn known(engine: Engine) -> Vec<Migration> {
    let dir = if engine == Engine::Postgres { &POSTGRES } else { &SQLITE };
    let text =
        |path: &Path| dir.get_file(path).and_then(|file| file.contents_utf8()).unwrap_or_default().to_owned();
    let mut found: Vec<Migration> = dir
        .files()
        .filter_map(|file| {
            let (version, name) = parse(file.path().to_str()?.strip_suffix(".up.sql")?)?;
            let down = file.path().with_file_name(format!("{}.down.sql", full_name(version, name)));
            Some(Migration { version, name: name.to_owned(), up: text(file.path()), down: text(&down) })
        })
        .collect();
    found.sort_by_key(|migration| migration.version);
    found
}

fn parse(stem: &str) -> Option<(i64, &str)> {
    let (version, name) = stem.split_once('_')?;
    Some((version.parse().ok()?, name)).filter(|(_, name)| is_plain(name))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The statement that makes the table where applied migrations are written down.
pub(super) fn book(engine: Engine) -> String {
    let (version, time, end) = match engine {
        Engine::Postgres => ("bigint", "timestamptz not null default now()", ""),
        Engine::Sqlite => (
            "integer",
            "integer not null default (cast((julianday('now') - 2440587.5) * 86400000000 as integer))",
            " strict",
        ),
    };
    format!(
        "create table if not exists @{BOOK} (version {version} not null primary key, name text not null, \
         checksum text not null, applied_at {time}){end}"
    )
}

/// The statements of a migration, each with the comments before it. One ends with a semicolon at the end of a line, outside
/// comments and `$$`.
pub(super) fn statements(text: &str) -> Vec<String> {
    let (mut found, mut statement, mut quoted) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        statement.push_str(line);
        statement.push('\n');
        if line.trim_start().starts_with("--") {
            continue;
        }
        quoted ^= line.matches("$$").count() % 2 == 1;
        if !quoted && line.trim_end().ends_with(';') {
            found.push(std::mem::take(&mut statement));
        }
    }
    // Comments alone are no statement.
    let is_code = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("--");
    if statement.lines().any(is_code) {
        found.push(statement);
    }
    found
}

/// A script that applies migrations by hand, each in a transaction.
pub(super) fn script<'a>(
    engine: Engine,
    schema: &str,
    pending: impl Iterator<Item = &'a Migration>,
) -> String {
    let mut out = String::new();
    for migration in pending {
        let begin = if engine == Engine::Postgres { "begin" } else { "begin immediate" };
        out.push_str(&format!("-- {}\n{begin};\n", migration.full_name()));
        if engine == Engine::Postgres && schema != "public" {
            out.push_str(&format!("create schema if not exists \"{schema}\";\n"));
        }
        let statements = format!("{};\n\n{}\n{};\n", book(engine), migration.up.trim(), migration.record());
        out.push_str(&translate(&statements, engine, schema));
        out.push_str("commit;\n\n");
    }
    if out.is_empty() {
        out.push_str("-- nothing pending\n");
    }
    out
}

/// Writes the four files of a new migration.
pub(super) fn make(dir: &Path, name: &str) -> std::io::Result<Vec<PathBuf>> {
    if !is_plain(name) {
        return Err(Error::new(ErrorKind::InvalidInput, "a migration's name is made of a-z, 0-9 and _"));
    }
    let folders = [dir.join("postgres"), dir.join("sqlite")];
    let mut last = 0;
    for folder in &folders {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let file = entry?.file_name();
            let stem = file.to_str().and_then(|file| file.split('.').next());
            last = last.max(stem.and_then(parse).map_or(0, |(version, _)| version));
        }
    }
    let full = full_name(last + 1, name);
    let mut made = Vec::new();
    for folder in &folders {
        for (way, hint) in [
            (
                "up",
                "What the tables need next. Write tables as @name; leave the previous version of the program working.",
            ),
            ("down", "How to take it back."),
        ] {
            let path = folder.join(format!("{full}.{way}.sql"));
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
            std::io::Write::write_all(&mut file, format!("-- {hint}\n").as_bytes())?;
            made.push(path);
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_read_statement_by_statement() {
        let text = "-- first;\ncreate table @a (\n  b text\n);\n\ndo $$\nbegin\n  null;\nend\n$$;\n-- last;\ndrop table @a";
        let read: Vec<_> = statements(text).iter().map(|text| text.trim().to_owned()).collect();
        let table = "-- first;\ncreate table @a (\n  b text\n);";
        assert_eq!(read, [table, "do $$\nbegin\n  null;\nend\n$$;", "-- last;\ndrop table @a"]);
        assert_eq!(statements("-- nothing\n\n"), Vec::<String>::new());
        for migration in known(Engine::Postgres) {
            for text in [&migration.up, &migration.down] {
                assert_eq!(statements(text).concat().trim_end(), text.trim_end(), "nothing is lost");
            }
        }
        let all: Vec<_> =
            known(Engine::Postgres).iter().map(|migration| statements(&migration.up).len()).take(3).collect();
        assert_eq!(all, [16, 5, 5]);
    }
}
