//! Whichever way a page is found, SQLite begins at the user: nobody pays for the rows of others.

use rusqlite::Connection;
use rusqlite::types::Value as Cell;

use super::*;
use crate::change::TagTable;
use crate::field::Invalid;
use crate::field::params::Params;
use crate::field::timestamp::Timestamp;
use crate::list::{Filter, Start, Table};

/// What statements call the rows that they have found already.
const DERIVED: [&str; 6] = ["listed", "list", "tagged", "page", "nearest", "found"];

fn migrated() -> Connection {
    let file = Connection::open_in_memory().unwrap();
    let folder = std::fs::read_dir("migrations/sqlite").unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(".up.sql"));
    paths.sort();
    for path in paths {
        file.execute_batch(&std::fs::read_to_string(path).unwrap().replace('@', "")).unwrap();
    }
    file
}

/// The lines of a plan that say how rows of a table are come by.
fn plan(file: &Connection, statement: &Statement) -> Vec<String> {
    let text = statement.sql.replace('@', "").replace('$', "?");
    let mut prepared = file.prepare(&format!("explain query plan {text}")).unwrap();
    for place in 1..=prepared.parameter_count() {
        prepared.raw_bind_parameter(place, Cell::Integer(7)).unwrap();
    }
    let mut rows = prepared.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines.retain(|line| ["SEARCH", "SCAN"].iter().any(|verb| line.starts_with(verb)));
    lines
}

fn filter(query: &str) -> Filter {
    let now = Timestamp::from_micros(1);
    Filter::read(&Params::parse(query).unwrap(), now, &mut Invalid::default())
}

#[test]
fn sqlite_begins_at_the_user() {
    let file = migrated();
    let tables: [&Table; 2] = [&crate::tasks::store::TABLE, &crate::ideas::store::TABLE];
    let window = |offset| Window { limit: 20, start: Start::Offset(offset), count: true };
    for table in tables {
        let TagTable { tags, .. } = table.tags;
        for query in [
            "search=rare",
            "search=two+words",
            "search=a",
            "tags=a",
            "tags=a,b&tag_mode=all",
            "tags=a&search=b",
        ] {
            let filter = filter(query);
            let rows = Rows { table, only: None, filter: &filter };
            let order = Order::default();
            let tagged = query.contains("tags");
            assert_eq!(rows.first(&order, Engine::Sqlite) == First::Listed, tagged, "{query}");
            let words = if query == "search=a" { First::Walk } else { First::Nearest };
            let first = if tagged { First::Listed } else { words };
            assert_eq!(rows.first(&order, Engine::Postgres), first, "{query}");
            let mut statements = vec![
                rows.page(&order, &window(0)),
                rows.nearest(&order, &window(0)),
                rows.found(&order, &window(9)),
                rows.count_all(),
            ];
            if tagged {
                statements.push(rows.listed(&order, &window(9)));
            }
            for statement in statements {
                let lines = plan(&file, &statement);
                let reads: Vec<_> = lines.iter().filter(|line| line.contains("user_id=?")).collect();
                assert!(!reads.is_empty(), "{query}: {lines:?}");
                for line in &lines {
                    let derived = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
                    assert!(
                        derived.is_some_and(|name| DERIVED.contains(&name)) || line.contains("user_id=?"),
                        "{query}: {line} of {tags}: {}",
                        statement.sql
                    );
                }
            }
        }
    }
}

#[test]
fn a_short_list_of_tags_leads_to_its_rows_by_their_keys() {
    let file = migrated();
    let tables: [&Table; 2] = [&crate::tasks::store::TABLE, &crate::ideas::store::TABLE];
    let window = Window { limit: 20, start: Start::Offset(0), count: true };
    for table in tables {
        for query in ["tags=a", "tags=a,b&tag_mode=all", "tags=a&search=b&priority=high&due_after=2026-01-01"]
        {
            let filter = filter(query);
            let rows = Rows { table, only: None, filter: &filter };
            let lines = plan(&file, &rows.listed(&Order::default(), &window));
            let mut keys: Vec<_> =
                lines.iter().filter_map(|line| Some(line.split_once(" (user_id=?")?.1)).collect();
            keys.sort_unstable();
            assert_eq!(keys, [" AND id=?)", " AND tag=?)"], "{query}: {lines:?}");
        }
    }
}

#[test]
fn only_the_order_of_creation_has_ways_to_choose_from() {
    let filter = filter("tags=a");
    let rows = Rows { table: &crate::tasks::store::TABLE, only: None, filter: &filter };
    for (sort, first) in
        [("created_at", First::Listed), ("title", First::Walk), ("created_at,title", First::Walk)]
    {
        let params = Params::parse(&format!("sort={sort}")).unwrap();
        let order = Order::read(&params, crate::list::order::State::Completed, &mut Invalid::default());
        assert_eq!(rows.first(&order, Engine::Sqlite), first, "{sort}");
    }
}
