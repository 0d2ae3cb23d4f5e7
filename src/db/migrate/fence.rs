//! Row level security on PostgreSQL: puts the fence up, and tells how it stands.
//!
//! A policy lets through the rows of the user that `app.user_id` names in the transaction, and none where it names
//! nobody. It is put up after the migrations, table by table, and only where it is missing; nothing takes it down.

use tokio_postgres::SimpleQueryRow;

use super::files::Migration;
use super::postgres::{BEGIN, Ground, Stop, lock_key};
use crate::db::{DbError, Engine};

/// The policy's name, on every table.
const POLICY: &str = "own_rows";

/// How row level security stands for the role that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The attribute by which the role sees everything all the same: `superuser` or `bypassrls`.
    pub bypassed_by: Option<&'static str>,
    /// Every table with users' rows that is there, in order.
    pub tables: Vec<Fenced>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    /// Its name, without the schema.
    pub table: String,
    /// Row level security is enabled, and forced upon the table's owner.
    pub forced: bool,
    /// It has our policy.
    pub policy: bool,
    /// A policy of somebody else's that lets through more.
    pub other: Option<String>,
    /// The role that asks is bound by it.
    pub binds: bool,
}

impl Fenced {
    fn is_whole(&self) -> bool {
        self.forced && self.policy
    }
}

impl Fence {
    /// The tables without it.
    pub fn open(&self) -> Vec<&str> {
        self.tables.iter().filter(|table| !table.is_whole()).map(|table| table.table.as_str()).collect()
    }

    /// Refuses a role that walks through it.
    ///
    /// # Errors
    /// [`DbError::Fault`] with the cure.
    pub fn check_role(&self) -> Result<(), DbError> {
        match self.bypassed_by {
            None => Ok(()),
            Some(attribute) => Err(DbError::Fault(format!(
                "DATABASE_RLS=on, but the role of DATABASE_URL has {attribute}, which row level security does not bind: \
                 make one that it binds (`create role vault_app login password '…' nosuperuser nobypassrls`), grant it \
                 the tables, name it in DATABASE_URL, and leave the owner to DATABASE_DIRECT_URL (docs/database.md, Row \
                 level security)"
            ))),
        }
    }
}

impl Ground {
    /// How it stands for the role of this connection.
    pub(super) async fn fence(&self, known: &[Migration]) -> Result<Fence, Stop> {
        let names: Vec<String> =
            known.iter().flat_map(Migration::tables).map(|name| format!("'{name}'")).collect();
        let (schema, names) = (&self.schema, names.join(", "));
        let role = "select case when rolsuper then 'superuser' when rolbypassrls then 'bypassrls' end \
                    from pg_catalog.pg_roles where rolname = current_user";
        let bypassed_by = match self.word(role).await?.as_deref() {
            Some("superuser") => Some("superuser"),
            Some(_) => Some("bypassrls"),
            None => None,
        };
        let text = format!(
            "select c.relname, c.relrowsecurity and c.relforcerowsecurity, \
             exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid and p.polname = '{POLICY}'), \
             (select min(p.polname) from pg_catalog.pg_policy p \
              where p.polrelid = c.oid and p.polname <> '{POLICY}' and p.polpermissive), \
             pg_catalog.row_security_active(c.oid) \
             from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = '{schema}' and c.relkind in ('r', 'p') and c.relname in ({names}) order by c.relname"
        );
        let tables = self.rows(&text).await?.iter().map(read).collect();
        Ok(Fence { bypassed_by, tables })
    }

    /// Puts it up where it is missing: each table in a transaction of its own, so that no two are locked at once. Says
    /// on how many.
    pub(super) async fn put_up(&self, known: &[Migration]) -> Result<usize, Stop> {
        let open: Vec<Fenced> =
            self.fence(known).await?.tables.into_iter().filter(|table| !table.is_whole()).collect();
        for table in &open {
            let made = match self.client.batch_execute(BEGIN).await {
                Ok(()) => self.put_up_on(&table.table, known).await,
                Err(error) => Err(error.into()),
            };
            if made.is_err() && !self.client.is_closed() {
                drop(self.client.batch_execute("rollback").await);
            }
            made?;
        }
        Ok(open.len())
    }

    async fn put_up_on(&self, table: &str, known: &[Migration]) -> Result<(), Stop> {
        let lock = format!("select pg_try_advisory_xact_lock({})", lock_key(&self.schema));
        if self.word(&lock).await?.as_deref() != Some("t") {
            return Err(Stop::Busy("another process migrates".to_owned()));
        }
        let now = self.fence(known).await?.tables.into_iter().find(|now| now.table == table);
        if let Some(now) = now.filter(|now| !now.is_whole()) {
            self.run(&statements(&now)).await.map_err(owner_only)?;
        }
        Ok(self.client.batch_execute("commit").await?)
    }

    /// Lets this transaction see the rows of all users in the tables that a migration touches.
    pub(super) async fn lift(&self, tables: &[&str], known: &[Migration]) -> Result<Vec<String>, Stop> {
        let fence = self.fence(known).await?.tables;
        let forced = fence.into_iter().filter(|t| t.forced && tables.contains(&t.table.as_str()));
        let lifted: Vec<String> = forced.map(|t| t.table).collect();
        for table in &lifted {
            self.run(&format!("alter table @{table} no force row level security")).await?;
        }
        Ok(lifted)
    }

    /// What [`Ground::lift`] lifted is back in the same transaction.
    pub(super) async fn restore(&self, lifted: &[String]) -> Result<(), Stop> {
        for table in lifted {
            self.run(&format!("alter table if exists @{table} force row level security")).await?;
        }
        Ok(())
    }
}

fn read(row: &SimpleQueryRow) -> Fenced {
    let text = |at: usize| row.try_get(at).ok().flatten();
    let yes = |at: usize| text(at) == Some("t");
    Fenced {
        table: text(0).unwrap_or_default().to_owned(),
        forced: yes(1),
        policy: yes(2),
        other: text(3).map(str::to_owned),
        binds: yes(4),
    }
}

/// What a table lacks.
fn statements(table: &Fenced) -> String {
    let name = &table.table;
    let column = if name == "users" { "id" } else { "user_id" };
    let own = format!("{column} = pg_catalog.current_setting('app.user_id', true)");
    let policy = format!("create policy {POLICY} on @{name} using ({own}) with check ({own});\n");
    let force = format!("alter table @{name} enable row level security, force row level security;\n");
    if table.policy { force } else { policy + &force }
}

/// The same as text to be run by hand, for every table that a database will have once it is up to date.
pub(super) fn script(fence: &Fence, known: &[Migration], schema: &str) -> String {
    let mut names: Vec<&str> = known.iter().flat_map(Migration::tables).collect();
    names.sort_unstable();
    let mut out = String::new();
    for name in names {
        let unborn =
            Fenced { table: name.to_owned(), forced: false, policy: false, other: None, binds: false };
        let now = fence.tables.iter().find(|now| now.table == name).unwrap_or(&unborn);
        if !now.is_whole() {
            out.push_str(&statements(now));
        }
    }
    if out.is_empty() {
        return out;
    }
    let out = format!("-- row level security\nbegin;\n{out}commit;\n");
    crate::db::text::translate(&out, Engine::Postgres, schema)
}

fn owner_only(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(DbError::Fault(text)) if text.contains("SQLSTATE 42501") => Stop::Failed(DbError::Fault(
            "DATABASE_RLS=on: only the owner of the tables can put row level security on them: run `creatorvault migrate \
             up` with the owner in DATABASE_DIRECT_URL (or DATABASE_URL)"
                .to_owned(),
        )),
        other => other,
    }
}
