//! The table that is read: found by its name, its columns listed, its rows asked for as text.
//!
//! Every column comes as text: so one reader serves both engines, whatever type a back end has given a column.

use crate::db::bulk::Source;
use crate::db::{DbError, Engine, Row};

use super::columns::{Columns, Field};
use super::read::GREATEST;

/// How many tables are named to somebody who looks for one.
const LISTED: usize = 40;

/// A table of the source.
#[derive(Debug)]
pub(super) struct Table {
    /// As it is told to people.
    pub(super) name: String,
    /// As SQL names it.
    quoted: String,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    /// Its value as text.
    text: String,
}

/// A table of a list.
struct Listed {
    schema: Option<String>,
    name: String,
    /// Whether it is meant where no schema is said.
    plain: bool,
}

impl Listed {
    fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What tells the rows of a table apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// Each has an id of its own.
    Ids,
    /// Each has an id of its own among those of its user.
    IdsOfUsers,
    /// So many ids stand in several rows.
    None { twice: i64 },
}

/// Why there is no table to read.
#[derive(Debug)]
pub(super) enum Missing {
    /// One line with the cure.
    Said(String),
    Db(DbError),
}

impl From<DbError> for Missing {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl Table {
    /// Finds a table, or view, by its name: `tasks` or `public.tasks`.
    pub(super) async fn find(source: &Source, wanted: &str) -> Result<Self, Missing> {
        let all = list(source).await?;
        let said: Vec<&str> = wanted.split('.').map(|part| part.trim_matches('"')).collect();
        let named = |table: &&Listed| match said[..] {
            [schema, name] => {
                table.schema.as_deref() == Some(schema) && table.name == name || table.name == wanted
            }
            _ => table.name == wanted.trim_matches('"'),
        };
        let found: Vec<&Listed> = all.iter().filter(named).collect();
        let table = match (found.iter().find(|table| table.plain), &found[..]) {
            (Some(table), _) => table,
            (None, [table]) => table,
            (None, []) => return Err(Missing::Said(not_there(wanted, &all))),
            (None, _) => {
                let names: Vec<_> = found.iter().take(LISTED).map(|table| table.shown()).collect();
                let text = format!("the table {wanted} may be {}: say which", names.join(" or "));
                return Err(Missing::Said(text));
            }
        };
        let columns = columns(source, table).await?;
        let quoted = match &table.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&table.name)),
            None => quote(&table.name),
        };
        Ok(Self { name: table.shown(), quoted, columns })
    }

    /// The names of its columns, in their order.
    pub(super) fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The query that reads some columns of all rows.
    pub(super) fn all(&self, names: &[&str]) -> String {
        let texts: Vec<_> = names.iter().map(|name| self.text(name)).collect();
        format!("select {} from {}", texts.join(", "), self.quoted)
    }

    fn text(&self, name: &str) -> String {
        let column = self.columns.iter().find(|column| column.name == name);
        column.map_or_else(|| quote(name), |column| column.text.clone())
    }

    /// Whether it is a table of this program, which has nothing to be taken over.
    pub(super) fn is_ours(&self) -> bool {
        ["user_id", "title_fold", "version"].iter().all(|name| self.columns.iter().any(|c| c.name == *name))
    }

    /// How many rows it has.
    pub(super) async fn count(&self, source: &Source) -> Result<i64, DbError> {
        number(source, &format!("select count(*) from {}", self.quoted)).await
    }

    /// What tells its rows apart: without that they could not be told from rows that were taken before.
    pub(super) async fn keys(&self, source: &Source, columns: &Columns) -> Result<Keys, DbError> {
        let twice = async |fields: &[Field]| self.twice(source, columns, fields).await;
        if twice(&[Field::Id]).await? == 0 {
            return Ok(Keys::Ids);
        }
        let ids = twice(&[Field::User, Field::Id]).await?;
        Ok(if ids == 0 { Keys::IdsOfUsers } else { Keys::None { twice: ids } })
    }

    /// How many values of these fields stand in more than one row.
    async fn twice(&self, source: &Source, columns: &Columns, fields: &[Field]) -> Result<i64, DbError> {
        let keys = fields.iter().filter_map(|field| columns.name(*field)).map(quote);
        let id = columns.name(Field::Id).map(quote).unwrap_or_default();
        let keys = keys.collect::<Vec<_>>().join(", ");
        let table = &self.quoted;
        let text = format!(
            "select count(*) from (select 1 as one from {table} where {id} is not null group by {keys} \
             having count(*) > 1) as twice"
        );
        number(source, &text).await
    }

    /// The query that reads of each user: the id as text, the greatest id that is a number (0 where none is), when the
    /// oldest row was made, and how many there are. It sees what the reader would refuse, too.
    pub(super) fn owners(&self, source: &Source, columns: &Columns) -> String {
        let text = |field| columns.name(field).map(|name| self.text(name));
        let (id, none) = (text(Field::Id).unwrap_or_default(), || "cast(null as text)".to_owned());
        let user = text(Field::User).unwrap_or_else(none);
        let made = text(Field::CreatedAt).unwrap_or_else(none);
        let (digits, is_number, whole) = match source.engine() {
            Engine::Postgres => (
                format!("ltrim(btrim({id}, E' \\t\\r\\n'), '+')"),
                "digits ~ '^[0-9]{1,16}$'",
                "cast(digits as bigint)",
            ),
            Engine::Sqlite => (
                format!("ltrim(trim({id}, char(32, 9, 10, 13)), '+')"),
                "length(digits) between 1 and 16 and digits not glob '*[^0-9]*'",
                "cast(digits as integer)",
            ),
        };
        format!(
            "select owner, coalesce(max(case when {is_number} then case when {whole} <= {GREATEST} then {whole} end \
             end), 0), min(case when made <> '' then made end), count(*) \
             from (select {user} as owner, {digits} as digits, {made} as made from {}) as said group by owner",
            self.quoted
        )
    }

    /// The query that reads the columns that are taken, in their order: user by user, the oldest row first.
    pub(super) fn select(&self, columns: &Columns) -> String {
        let texts: Vec<_> = columns.taken.iter().map(|(_, name)| self.text(name)).collect();
        // Without the table's name PostgreSQL would sort by the texts that are selected, and put 10 before 9.
        let named = |field| columns.name(field).map(|name| format!("told.{}", quote(name)));
        let (user, created) = (named(Field::User), named(Field::CreatedAt));
        let made = created.map(|created| format!("{created} is null, {created}"));
        let id = named(Field::Id);
        let order: Vec<_> = [user, made, id].into_iter().flatten().collect();
        format!("select {} from {} as told order by {}", texts.join(", "), self.quoted, order.join(", "))
    }
}

async fn number(source: &Source, text: &str) -> Result<i64, DbError> {
    source.rows(text).await?.first().map_or(Ok(0), |row| row.int(0))
}

/// Names the tables that are there, those first that need no schema.
fn not_there(wanted: &str, all: &[Listed]) -> String {
    let name = |table: &Listed| if table.plain { table.name.clone() } else { table.shown() };
    let names: Vec<_> = all.iter().take(LISTED).map(name).collect();
    let more = if all.len() > LISTED { " …" } else { "" };
    match &names[..] {
        [] => format!("the table {wanted} is not there: that database has no tables at all"),
        names => format!("the table {wanted} is not there; there are: {}{more}", names.join(", ")),
    }
}

/// Every table and view of people's own.
async fn list(source: &Source) -> Result<Vec<Listed>, DbError> {
    // Of a table that goes at this moment nobody knows whether it is visible.
    let postgres = "select n.nspname::text, c.relname::text, coalesce(pg_catalog.pg_table_is_visible(c.oid), false) \
                    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> 'information_schema' \
                    and n.nspname not like 'pg\\_%' order by 3 desc, 1, 2";
    let sqlite = "select name from sqlite_schema where type in ('table', 'view') \
                  and name not like 'sqlite\\_%' escape '\\' order by name";
    let engine = source.engine();
    let text = match engine {
        Engine::Postgres => postgres,
        Engine::Sqlite => sqlite,
    };
    let read = |row: &Row| match engine {
        Engine::Postgres => {
            Ok(Listed { schema: Some(row.text(0)?), name: row.text(1)?, plain: row.bool(2)? })
        }
        Engine::Sqlite => Ok(Listed { schema: None, name: row.text(0)?, plain: true }),
    };
    source.rows(text).await?.iter().map(read).collect()
}

async fn columns(source: &Source, table: &Listed) -> Result<Vec<Column>, DbError> {
    let name = literal(&table.name);
    let text = match &table.schema {
        Some(schema) => format!(
            "select a.attname::text, t.typcategory::text from pg_catalog.pg_attribute a \
             join pg_catalog.pg_type t on t.oid = a.atttypid join pg_catalog.pg_class c on c.oid = a.attrelid \
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = {} and c.relname = {name} and a.attnum > 0 and not a.attisdropped order by a.attnum",
            literal(schema)
        ),
        None => format!("select name, '' from pragma_table_xinfo({name}) where hidden <> 1 order by cid"),
    };
    let read = |row: &Row| {
        let (name, category) = (row.text(0)?, row.text(1)?);
        let text = as_text(source.engine(), &name, &category);
        Ok(Column { name, text })
    };
    source.rows(&text).await?.iter().map(read).collect()
}

/// A column's value as text: lists as JSON, bytes as `\x` and hexadecimal digits.
fn as_text(engine: Engine, name: &str, category: &str) -> String {
    let column = quote(name);
    match engine {
        Engine::Postgres if category == "A" => format!("to_json({column})::text"),
        Engine::Postgres => format!("{column}::text"),
        Engine::Sqlite => format!(
            "case typeof({column}) when 'blob' then '\\x' || hex({column}) else cast({column} as text) end"
        ),
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
