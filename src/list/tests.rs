//! What a page costs does not grow with its depth, wherever an index serves the order; counted in steps of SQLite's
//! machine, which no noisy neighbour changes.

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, StatementStatus, params_from_iter};

use super::cursor::{Cursor, Way};
use super::order::State;
use super::*;
use crate::field::Invalid;
use crate::field::params::Params;
use crate::field::timestamp::Timestamp;

mod blocks;

const ROWS: i64 = 20_000;

/// A file with many rows of one user among others', in every priority, stage and state, half of them with a due date.
fn filled() -> Connection {
    let file = Connection::open_in_memory().unwrap();
    let mut migrations: Vec<_> =
        std::fs::read_dir("migrations/sqlite").unwrap().map(|e| e.unwrap().path()).collect();
    migrations.retain(|path| path.to_string_lossy().ends_with(".up.sql"));
    migrations.sort();
    for path in migrations {
        file.execute_batch(&std::fs::read_to_string(path).unwrap().replace('@', "")).unwrap();
    }
    let rows = format!(
        "insert into users (id) values ('ann'), ('bob'), ('zoe');
         with recursive n (n) as (select 1 union all select n + 1 from n where n < {ROWS}),
             of (id, rows) as (values ('ann', {ROWS}), ('bob', 500), ('zoe', 500))
         insert into TABLE (user_id, id, NUMBER title, title_fold, priority, STATE, due_date, created_at)
         select of.id, randomblob(16), NUM 'T', 't' || n, iif(n % 3 = 0, 'low', iif(n % 3 = 1, 'medium', 'high')), VALUE,
             iif(n % 2 = 0, n / 10, null), n / 10
         from n, of where n <= of.rows;"
    );
    let tasks =
        [("TABLE", "tasks"), ("NUMBER", "number,"), ("NUM", "n,"), ("STATE", "completed, completed_at")];
    let tasks = tasks.iter().fold(rows.clone(), |text, (from, to)| text.replace(from, to));
    file.execute_batch(&tasks.replace("VALUE", "n % 2, iif(n % 2 = 1, 5, null)")).unwrap();
    let rows = rows.split_once(';').unwrap().1;
    let ideas = [("TABLE", "ideas"), ("NUMBER", ""), ("NUM", ""), ("STATE", "stage")];
    let ideas = ideas.iter().fold(rows.to_owned(), |text, (from, to)| text.replace(from, to));
    let stage = "iif(n % 4 = 0, 'idea', iif(n % 4 = 1, 'outline', iif(n % 4 = 2, 'draft', 'published')))";
    file.execute_batch(&ideas.replace("VALUE", stage)).unwrap();
    file.execute_batch("analyze").unwrap();
    file
}

/// Asks as the server does: the rows' ids, and the steps that it took.
fn ask(file: &Connection, statement: &Statement) -> (Vec<Uuid>, i32) {
    let mut prepared = file.prepare(&statement.sql.replace('@', "").replace('$', "?")).unwrap();
    let params = statement.params.iter().map(|value| match value.clone() {
        Value::Text(text) => text.map_or(Cell::Null, Cell::Text),
        Value::Uuid(id) => Cell::Blob(id.as_bytes().to_vec()),
        Value::Int(int) => Cell::Integer(int),
        Value::Bool(switch) => Cell::Integer(switch.into()),
        Value::Time(time) => time.map_or(Cell::Null, |time| Cell::Integer(time.micros())),
        Value::Tags(_) => panic!("no list asks for tags"),
    });
    let params = std::iter::once(Cell::Text("ann".to_owned())).chain(params);
    let ids = prepared.query_map(params_from_iter(params), |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let ids = ids.map(|id| Uuid::from_slice(&id.unwrap()).unwrap()).collect();
    (ids, prepared.get_status(StatementStatus::VmStep))
}

/// Where a row stands.
fn position(file: &Connection, table: &Table, order: &Order, id: Uuid) -> Position {
    let one = |key: Key| {
        let sql = format!(
            "select {} from {} where user_id = 'ann' and id = ?1",
            key.expression(table),
            &table.name[1..]
        );
        file.query_row(&sql, [id.as_bytes()], |row| row.get::<_, Cell>(0)).unwrap()
    };
    let values = order.keys().iter().map(|(key, _)| match (key, one(*key)) {
        (Key::CreatedAt | Key::UpdatedAt | Key::DueDate, Cell::Integer(time)) => {
            Value::Time(Some(Timestamp::from_micros(time)))
        }
        (Key::DueDate, Cell::Null) => Value::Time(None),
        (Key::State(State::Completed), Cell::Integer(done)) => Value::Bool(done == 1),
        (Key::Priority | Key::State(State::Stage), Cell::Integer(rank)) => Value::Int(rank),
        (Key::Title, Cell::Text(title)) => Value::Text(Some(title)),
        (key, other) => panic!("{key:?} is {other:?}"),
    });
    Position { values: values.collect(), id }
}

#[test]
fn depth_costs_nothing_where_an_index_serves_the_order() {
    let file = filled();
    let filter = Filter::default();
    let lists =
        [(&crate::tasks::store::TABLE, State::Completed), (&crate::ideas::store::TABLE, State::Stage)];
    for (table, state) in lists {
        let rows = Rows { table, only: None, filter: &filter };
        for key in ["created_at", "due_date", "priority", state.name()] {
            for direction in ["asc", "desc"] {
                let params = Params::parse(&format!("sort={key}&order={direction}")).unwrap();
                let order = Order::read(&params, state, &mut Invalid::default());
                let window = |start| Window { limit: 20, start, count: false };
                let first = Start::Offset(0);
                let (first, at_first) = ask(&file, &rows.page(&order, &window(first)));
                assert_eq!(first.len(), 21);
                for depth in [ROWS / 4, ROWS / 2 - 5, ROWS / 2 + 5, ROWS - 100] {
                    let there = window(Start::Offset(depth.unsigned_abs()));
                    let (all, _) = ask(&file, &rows.page(&order, &Window { limit: 60, ..there }));
                    let position = position(&file, table, &order, all[30]);
                    for (way, expected) in [
                        (Way::Next, all[31..52].to_vec()),
                        (Way::Prev, all[9..30].iter().rev().copied().collect()),
                    ] {
                        let cursor = window(Start::Cursor(Cursor { way, position: position.clone() }));
                        let (found, steps) = match rows.ranges(&order, &cursor) {
                            None => ask(&file, &steady(rows.page(&order, &cursor))),
                            Some((near, far)) => {
                                let (mut found, mut steps) = ask(&file, &steady(near));
                                let room = 21 - i64::try_from(found.len()).unwrap();
                                if room > 0 {
                                    let (others, more) = ask(&file, &steady(far(room)));
                                    found.extend(others);
                                    steps += more;
                                }
                                (found, steps)
                            }
                        };
                        let what = format!("{} by {key} {direction} {way:?} at {depth}", table.name);
                        assert_eq!(found, expected, "{what}");
                        assert!(
                            steps * 2 <= at_first * 3,
                            "{what}: {steps} steps, {at_first} on the first page"
                        );
                    }
                    let (here, steps) = ask(&file, &rows.here(&order, &position));
                    assert_eq!(
                        (here[0], steps < at_first),
                        (all[30], true),
                        "{} by {key}: {steps}",
                        table.name
                    );
                }
            }
        }
    }
}

fn steady(statement: Statement) -> Statement {
    assert_eq!(statement.plan, Plan::Steady);
    statement
}

/// The list in the order of due dates puts two stretches together: how far the second one is skipped is counted no
/// further than the offset.
#[test]
fn a_small_offset_counts_no_stretch_to_its_end() {
    let file = filled();
    let rows = Rows { table: &crate::tasks::store::TABLE, only: None, filter: &Filter::default() };
    let params = Params::parse("sort=due_date&order=asc").unwrap();
    let order = Order::read(&params, State::Completed, &mut Invalid::default());
    let at = |offset| {
        let window = Window { limit: 20, start: Start::Offset(offset), count: false };
        ask(&file, &rows.page(&order, &window))
    };
    let (first, at_first) = at(0);
    let (second, at_second) = at(10);
    assert_eq!(second[..11], first[10..]);
    assert!(at_second <= at_first * 3 / 2 + 200, "{at_second} steps, {at_first} without an offset");
    // Across the border, and beyond the first stretch.
    let dated = ROWS.unsigned_abs() / 2;
    let (across, _) = at(dated - 15);
    let ((border, _), (beyond, _)) = (at(dated), at(dated + 5));
    assert_eq!((&across[15..], &border[5..]), (&border[..6], &beyond[..16]));
}

#[test]
fn the_most_frequent_tags_are_answered() {
    let file = filled();
    let table = &crate::tasks::store::TABLE;
    file.execute_batch(
        "with tags (tag, rows) as (values ('rare', 1), ('b', 5), ('a', 5), ('common', 9))
         insert into task_tags (user_id, tag, task_id)
         select 'ann', tag, id from tags, tasks where user_id = 'ann' and number <= rows",
    )
    .unwrap();
    for (most, expected) in [(1, &["common"][..]), (2, &["common", "a"]), (9, &["common", "a", "b", "rare"])]
    {
        let statement = facts::count_tags(table.tags, most);
        let mut prepared = file.prepare(&statement.sql.replace('@', "").replace('$', "?")).unwrap();
        let tags = prepared.query_map(("ann", most), |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(tags.map(Result::unwrap).collect::<Vec<_>>(), expected);
    }
}
