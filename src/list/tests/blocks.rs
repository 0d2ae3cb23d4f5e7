//! The same on PostgreSQL, counted in blocks that a page looks at: by the plan that serves every value and by one for
//! the page's own.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::*;
use crate::config::database::DatabaseConfig;
use crate::config::{Environment, Reader};
use crate::db::migrate;

const ROWS: u64 = 30_000;

/// A schema with many rows of one user among others', as in the test of SQLite's steps. They lie in no order at all, so
/// that the rows of every page are in as many blocks.
async fn filled(url: &str, schema: &str) -> Client {
    let vars = [("DATABASE_URL", url), ("DATABASE_SCHEMA", schema)];
    let mut reader = Reader::new(vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    let config = DatabaseConfig::read(&mut reader, Environment::Development);
    migrate::up(&config).await.unwrap();
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let fill = |table: &str, more: &str, values: &str| {
        format!(
            "insert into {table} (user_id, id, {more}, title, title_fold, priority, due_date, created_at)
             select of.id, md5(of.id || n)::uuid, {values}, 'T', 't' || n, ('{{low,medium,high}}'::text[])[1 + n % 3],
                 case when n % 2 = 0 then timestamptz '2026-01-01Z' + n / 10 * interval '1 hour' end,
                 timestamptz '2026-01-01Z' + n / 10 * interval '1 hour'
             from generate_series(1, {ROWS}) n, (values ('ann', {ROWS}), ('bob', 500), ('zoe', 500)) of (id, rows)
             where n <= of.rows order by md5(n || of.id);"
        )
    };
    let tasks = fill(
        "tasks",
        "number, completed, completed_at",
        "n, n % 2 = 1, case when n % 2 = 1 then timestamptz '2026-01-01Z' end",
    );
    let ideas = fill("ideas", "stage", "('{idea,outline,draft,published}'::text[])[1 + n % 4]");
    let sql = format!(
        "set search_path = {schema}; insert into users (id) values ('ann'), ('bob'), ('zoe'); {tasks} {ideas} \
         analyze tasks; analyze ideas"
    );
    client.batch_execute(&sql).await.unwrap();
    client
}

/// A value as it is written in SQL, and its type.
fn literal(value: &Value) -> (String, &'static str) {
    match value {
        Value::Text(text) => (text.as_ref().map_or("null".to_owned(), |text| format!("'{text}'")), "text"),
        Value::Uuid(id) => (format!("'{id}'"), "uuid"),
        Value::Int(int) => (int.to_string(), "bigint"),
        Value::Bool(switch) => (switch.to_string(), "boolean"),
        Value::Time(time) => (time.map_or("null".to_owned(), |time| format!("'{time}'")), "timestamptz"),
        Value::Tags(_) => panic!("no list asks for tags"),
    }
}

/// The first columns of what SQL answers, as text.
async fn texts<const N: usize>(client: &Client, sql: &str) -> Vec<[String; N]> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
    let row = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            Some(std::array::from_fn(|column| row.get(column).unwrap_or_default().to_owned()))
        }
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// Asks as the server does, under a name and with typed parameters: the rows' ids, and the most blocks that either plan
/// looked at.
async fn ask(client: &Client, statement: &Statement) -> (Vec<Uuid>, u64) {
    let (values, types): (Vec<_>, Vec<_>) = statement.params.iter().map(literal).unzip();
    let types = [&["text"][..], &types].concat().join(", ");
    let values = [vec!["'ann'".to_owned()], values].concat().join(", ");
    let sql = statement.sql.replace('@', "");
    client.batch_execute(&format!("deallocate all; prepare page ({types}) as {sql}")).await.unwrap();
    let mut most = 0;
    for mode in ["force_generic_plan", "force_custom_plan"] {
        client.batch_execute(&format!("set plan_cache_mode = {mode}")).await.unwrap();
        let explain = "explain (analyze, buffers, timing off, format json) execute page";
        let [[plan]] = &texts(client, &format!("{explain} ({values})")).await[..] else { panic!("no plan") };
        let plan: serde_json::Value = serde_json::from_str(plan).unwrap();
        let blocks = |kind: &str| plan[0]["Plan"][kind].as_u64().unwrap();
        most = most.max(blocks("Shared Hit Blocks") + blocks("Shared Read Blocks"));
    }
    let ids = texts(client, &format!("execute page ({values})")).await;
    (ids.into_iter().map(|[id]| id.parse().unwrap()).collect(), most)
}

/// Where a row stands.
async fn position(client: &Client, table: &Table, key: Key, id: Uuid) -> Position {
    let (name, expression) = (&table.name[1..], key.expression(table));
    let sql = format!(
        "select case when value is null then '' when '{key:?}' like '%At' or '{key:?}' = 'DueDate' \
             then (extract(epoch from value::text::timestamptz) * 1000000)::bigint::text else value::text end \
         from (select {expression} as value from {name} where user_id = 'ann' and id = '{id}') as one"
    );
    let [[value]] = &texts(client, &sql).await[..] else { panic!("{id} is not there") };
    let value = match key {
        Key::CreatedAt | Key::UpdatedAt | Key::DueDate => {
            Value::Time(value.parse().ok().map(Timestamp::from_micros))
        }
        Key::State(State::Completed) => Value::Bool(value == "true"),
        Key::Priority | Key::State(State::Stage) => Value::Int(value.parse().unwrap()),
        Key::Title => Value::Text(Some(value.clone())),
    };
    Position { values: vec![value], id }
}

/// Every page in this order looks at as few blocks as the first one.
async fn holds(client: &Client, table: &'static Table, state: State, key: &str, direction: &str) {
    let filter = Filter::default();
    let rows = Rows { table, only: None, filter: &filter };
    let params = Params::parse(&format!("sort={key}&order={direction}")).unwrap();
    let order = Order::read(&params, state, &mut Invalid::default());
    let window = |start, limit| Window { limit, start, count: false };
    let (first, at_first) = ask(client, &rows.page(&order, &window(Start::Offset(0), 20))).await;
    assert_eq!(first.len(), 21);
    for depth in [ROWS / 10, ROWS / 2 - 30, ROWS / 2 + 5, ROWS * 9 / 10] {
        let (all, _) = ask(client, &rows.page(&order, &window(Start::Offset(depth), 60))).await;
        let position = position(client, table, order.keys()[0].0, all[30]).await;
        for (way, expected) in
            [(Way::Next, all[31..52].to_vec()), (Way::Prev, all[9..30].iter().rev().copied().collect())]
        {
            let cursor = window(Start::Cursor(Cursor { way, position: position.clone() }), 20);
            let (found, blocks) = match rows.ranges(&order, &cursor) {
                None => ask(client, &rows.page(&order, &cursor)).await,
                Some((near, far)) => {
                    let (mut found, mut blocks) = ask(client, &near).await;
                    let room = 21 - i64::try_from(found.len()).unwrap();
                    if room > 0 {
                        let (others, more) = ask(client, &far(room)).await;
                        found.extend(others);
                        blocks += more;
                    }
                    (found, blocks)
                }
            };
            let what = format!("{} by {key} {direction} {way:?} at {depth}", table.name);
            assert_eq!(found, expected, "{what}");
            // The way down an index once more, where two ranges are read.
            assert!(blocks <= at_first * 3 / 2 + 8, "{what}: {blocks} blocks, {at_first} on the first page");
        }
    }
}

#[tokio::test]
async fn depth_costs_nothing_on_postgres_either() {
    let url = std::env::var("TEST_POSTGRES_URL").expect("set TEST_POSTGRES_URL to a PostgreSQL server");
    let schema = format!("test_{}", crate::clock::Clock::system().random_id().simple());
    let client = filled(&url, &schema).await;
    let all = async {
        let lists =
            [(&crate::tasks::store::TABLE, State::Completed), (&crate::ideas::store::TABLE, State::Stage)];
        for (table, state) in lists {
            for key in ["created_at", "due_date", "priority", state.name()] {
                for direction in ["asc", "desc"] {
                    holds(&client, table, state, key, direction).await;
                }
            }
        }
    };
    let result = AssertUnwindSafe(all).catch_unwind().await;
    client.batch_execute(&format!("drop schema {schema} cascade")).await.unwrap();
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}
