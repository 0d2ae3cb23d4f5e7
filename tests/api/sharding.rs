//! What makes the tables fit sharding by user, read from the catalogue of a migrated database: nothing of one user is bound
//! to something of another, and nothing counts across users. That every statement names its user is held by `owner`.

use std::collections::BTreeMap;

use crate::harness::{Behind, Engine, World};

/// The book of migrations belongs to nobody.
const BOOK: &str = "creatorvault_migrations";

/// A constraint that one row alone cannot break: what kind, on which table, its columns in order; for a foreign key where to.
#[derive(Debug)]
struct Bond {
    table: String,
    columns: Vec<String>,
    /// The table and the columns that a foreign key refers to.
    target: Option<(String, Vec<String>)>,
}

fn owner_of(table: &str) -> &'static str {
    if table == "users" { "id" } else { "user_id" }
}

/// What is wrong with a bond, if anything is.
fn complaint(bond: &Bond) -> Option<String> {
    let owner = owner_of(&bond.table);
    match &bond.target {
        None => (bond.columns.first().map(String::as_str) != Some(owner))
            .then(|| format!("does not start with {owner}: {bond:?}")),
        Some((table, columns)) => {
            let (from, to) = (
                bond.columns.iter().position(|c| c == owner),
                columns.iter().position(|c| c == owner_of(table)),
            );
            (from.is_none() || from != to).then(|| format!("does not hold the user at one place: {bond:?}"))
        }
    }
}

async fn strings(behind: &Behind, sql: &str) -> Vec<Vec<String>> {
    match behind {
        Behind::Sqlite(connection) => {
            let mut statement = connection.prepare(sql).expect("SQL");
            let width = statement.column_count();
            let read = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get(at)).collect();
            statement.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("texts")
        }
        Behind::Postgres { client, schema } => {
            let rows = client.query(&sql.replace("@schema", schema), &[]).await.expect("rows");
            rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
        }
    }
}

async fn bonds(behind: &Behind) -> Vec<Bond> {
    let rows = match behind.engine() {
        Engine::Sqlite => {
            // Every unique index stands for a key or a unique constraint; a primary key of whole numbers has none.
            let keys = "select t.name, i.name, c.name, '', '' from sqlite_schema t, pragma_index_list(t.name) i, \
                        pragma_index_info(i.name) c where t.type = 'table' and i.\"unique\" order by t.name, i.name, c.seqno";
            let foreign = "select t.name, 'fk' || f.id, f.\"from\", f.\"table\", f.\"to\" \
                           from sqlite_schema t, pragma_foreign_key_list(t.name) f where t.type = 'table' order by t.name, f.id, f.seq";
            [strings(behind, keys).await, strings(behind, foreign).await].concat()
        }
        Engine::Postgres | Engine::Pooled => {
            let keys = "select c.relname::text, i.relname::text, a.attname::text, '', '' from pg_index x \
                join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid \
                join lateral unnest(x.indkey::int2[]) with ordinality as k(number, place) on k.place <= x.indnkeyatts \
                join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number \
                where c.relnamespace = '\"@schema\"'::regnamespace and (x.indisunique or x.indisexclusion) \
                order by 1, 2, k.place";
            let foreign = "select c.relname::text, k.conname::text, a.attname::text, t.relname::text, b.attname::text \
                from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_class t on t.oid = k.confrelid \
                join lateral unnest(k.conkey, k.confkey) with ordinality as u(here, there, place) on true \
                join pg_attribute a on a.attrelid = c.oid and a.attnum = u.here \
                join pg_attribute b on b.attrelid = t.oid and b.attnum = u.there \
                where k.contype = 'f' and c.relnamespace = '\"@schema\"'::regnamespace order by 1, 2, u.place";
            [strings(behind, keys).await, strings(behind, foreign).await].concat()
        }
    };
    let mut bonds: BTreeMap<(String, String), Bond> = BTreeMap::new();
    for row in rows {
        let [table, name, column, target, to] = <[String; 5]>::try_from(row).expect("five columns");
        let bond =
            bonds.entry((table.clone(), name)).or_insert(Bond { table, columns: Vec::new(), target: None });
        bond.columns.push(column);
        if !target.is_empty() {
            bond.target.get_or_insert((target, Vec::new())).1.push(to);
        }
    }
    bonds.into_values().filter(|bond| bond.table != BOOK).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_bond_reaches_beyond_a_user() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let world = World::open(engine, &[]).await;
        let behind = world.behind().await;
        let bonds = bonds(&behind).await;
        let (keys, foreign): (Vec<_>, Vec<_>) = bonds.iter().partition(|bond| bond.target.is_none());
        // 7 primary keys and the tasks' numbers; 5 tables refer to users or rows, the kept texts to three.
        assert_eq!((keys.len(), foreign.len()), (8, 8), "{engine:?}: {bonds:#?}");
        let wrong: Vec<_> = bonds.iter().filter_map(complaint).collect();
        assert!(wrong.is_empty(), "{engine:?}:\n{}", wrong.join("\n"));
        let counters = match engine {
            Engine::Sqlite => {
                "select count(*) from sqlite_schema where type = 'trigger' or name = 'sqlite_sequence'"
                    .to_owned()
            }
            Engine::Postgres | Engine::Pooled => {
                let schema = behind.schema().expect("a schema");
                let inside = |of: &str| format!("{of} = '\"{schema}\"'::regnamespace");
                format!(
                    "select (select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid where not tgisinternal \
                     and {}) + (select count(*) from pg_class where relkind = 'S' and {})",
                    inside("relnamespace"),
                    inside("relnamespace")
                )
            }
        };
        assert_eq!(behind.number(&counters).await, 0, "{engine:?} has a trigger or a sequence");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bonds_beyond_a_user_would_be_seen() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let world = World::open(engine, &[]).await;
        let behind = world.behind().await;
        behind.run("create unique index wrong_one on @tasks (title, user_id)").await;
        behind.run("create table @wrong (user_id text, task_id integer primary key references @creatorvault_migrations (version))").await;
        let bonds = bonds(&behind).await;
        let wrong: Vec<_> = bonds.iter().filter_map(complaint).collect();
        assert!(wrong.iter().any(|text| text.contains("title")), "{wrong:?}");
        assert!(
            wrong.iter().any(|text| text.contains("at one place") && text.contains("wrong")),
            "{wrong:?}"
        );
    }
}
