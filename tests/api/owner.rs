//! No statement without its owner. What PostgreSQL is sent is heard on the wire, word for word, and read; what is sent
//! to SQLite cannot be heard, and is held by `twins`, which does not look at texts but at what they do.

use crate::harness::{Engine, Old, Spy, World, command, test_server};
use crate::twins::everything_once;

const TABLES: [&str; 7] =
    ["tasks", "ideas", "users", "task_tags", "idea_tags", "idempotency_keys", "idempotency_texts"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_never_sent_a_statement_without_an_owner() {
    every_statement_has_its_owner(Engine::Postgres, "TEST_POSTGRES_URL").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_pooled_is_never_sent_a_statement_without_an_owner() {
    every_statement_has_its_owner(Engine::Pooled, "TEST_PGBOUNCER_URL").await;
}

async fn every_statement_has_its_owner(engine: Engine, server: &str) {
    let (spy, url) = Spy::before(&test_server(server)).await;
    let world = World::open(engine, &[("DATABASE_URL", &url)]).await;
    everything_once(&world, async || {}).await;
    world.user("ann").delete("/api/v1/users/me").await.is(204);
    let read = read_all(&world, &spy).await;
    assert!(read >= 100, "read only {read} statements");
}

/// An admin command has no token's user; whom it tells of stands at `$1` all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_sends_no_statement_without_an_owner() {
    let (spy, url) = Spy::before(&test_server("TEST_POSTGRES_URL")).await;
    let world = World::open(Engine::Postgres, &[]).await;
    for old in Old::both().await {
        let rows = "create table rows (id integer, user_id text, title text, tags text); \
                    insert into rows values (1, 'ann', 'a', 'x,y'), (2, 'bob', 'b', 'z'), (3, 'bob', '', '')";
        old.run(rows, rows).await;
        for (kind, more) in
            [("tasks", "--dry-run"), ("tasks", "--map=priority="), ("ideas", "--map=priority=")]
        {
            let from = old.url();
            let args = ["import", "--from", &from, "--table", "rows", "--as", kind, more];
            let ran = command(&world, &args).env("DATABASE_URL", &url).output().expect("the binary runs");
            assert_eq!(ran.status.code(), Some(1), "one row is refused: {ran:?}");
        }
    }
    assert_eq!(world.user("bob").ideas().titles("tags=z").await, ["b"]);
    let read = read_all(&world, &spy).await;
    assert!(read >= 12, "read only {read} statements");
}

/// Reads every statement that was sent, and says how many were about our tables.
async fn read_all(world: &World, spy: &Spy) -> usize {
    let behind = world.behind().await;
    let schema = format!("\"{}\".", behind.schema().expect("PostgreSQL has schemas"));
    let mut read = 0;
    // One text may hold several statements, and `begin` and settings around them.
    for statement in spy.statements().iter().flat_map(|text| text.split(';')) {
        let words = statement.replace(&schema, "ours.").split_whitespace().collect::<Vec<_>>().join(" ");
        let verbs = ["select ", "insert ", "update ", "delete ", "with "];
        // What is no query makes the tables: migrations. They are nobody's.
        if !verbs.iter().any(|verb| words.starts_with(verb)) || mentions(&words).is_empty() {
            continue;
        }
        read += 1;
        if let Err(fault) = has_its_owner(&words) {
            panic!("{fault}: {words}");
        }
    }
    read
}

/// Every one of our tables that a statement reads, changes or inserts into, with the word before it.
fn mentions(words: &str) -> Vec<(String, String)> {
    let split: Vec<_> = words.split([' ', '(', ')', ',', ';']).filter(|word| !word.is_empty()).collect();
    split
        .windows(2)
        .filter_map(|pair| {
            let table = pair[1].strip_prefix("ours.")?;
            TABLES.contains(&table).then(|| (pair[0].to_owned(), table.to_owned()))
        })
        .collect()
}

/// How often a condition holds a column at the owner; `$10` is not `$1`.
fn conditions(words: &str, column: &str) -> usize {
    let wanted = format!("{column} = $1");
    words
        .match_indices(&wanted)
        .filter(|(at, _)| {
            let before = words[..*at].chars().next_back();
            let after = words[at + wanted.len()..].chars().next();
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
                && after.is_none_or(|c| !c.is_ascii_digit())
        })
        .count()
}

/// Each table that is read or changed needs a condition of its own, each insert the owner in its first column.
fn has_its_owner(words: &str) -> Result<(), String> {
    let (inserts, others): (Vec<_>, Vec<_>) =
        mentions(words).into_iter().partition(|(before, _)| before == "into");
    for (column, of_users) in [("id", true), ("user_id", false)] {
        let used = others.iter().filter(|(_, table)| (table == "users") == of_users).count();
        let held = conditions(words, column);
        if held < used {
            return Err(format!("{used} tables, but {held} times {column} = $1"));
        }
    }
    let texts: Vec<_> = words.split("insert into ours.").skip(1).collect();
    if texts.len() != inserts.len() {
        return Err("an insert that cannot be read".to_owned());
    }
    texts.into_iter().try_for_each(inserts_the_owner)
}

/// Reads what follows `insert into`: the owner's column comes first, and the owner stands in its place.
fn inserts_the_owner(text: &str) -> Result<(), String> {
    let wrong = || format!("no owner in insert into {text}");
    let (table, rest) = text.split_once('(').ok_or_else(wrong)?;
    let column = if table.split(' ').next() == Some("users") { "id, " } else { "user_id, " };
    let (columns, rest) = rest.split_once(')').ok_or_else(wrong)?;
    if !columns.starts_with(column) {
        return Err(wrong());
    }
    let mut rest = rest.trim_start();
    if rest.starts_with("with given (tag) as (values ") {
        rest = rest.split_once(") select ").map(|(_, select)| select).ok_or_else(wrong)?;
    } else {
        rest = rest.strip_prefix("values (").or_else(|| rest.strip_prefix("select ")).ok_or_else(wrong)?;
    }
    // From the row itself only where that row is held at the owner.
    let through = |row: &str, condition: &str| rest.starts_with(row) && conditions(rest, condition) == 1;
    let good = rest.starts_with("$1, ") || through("r.user_id, ", "r.user_id") || through("u.id, ", "u.id");
    if good { Ok(()) } else { Err(wrong()) }
}

#[test]
fn the_reader_of_statements_sees_what_is_wrong() {
    for good in [
        "select id from ours.tasks where user_id = $1 and id = $2",
        "insert into ours.tasks (user_id, id) select $1, $2 from u",
        "insert into ours.users as u (id, email) values ($1, $2) on conflict (id) do nothing",
        "insert into ours.task_tags (user_id, task_id, tag) with given (tag) as (values ($2)) \
         select r.user_id, r.id, given.tag from ours.tasks as r, given where r.user_id = $1 and r.id = $3",
        "delete from ours.tasks where user_id = $1 and id in (select id from ours.tasks where user_id = $1)",
    ] {
        assert_eq!(has_its_owner(good), Ok(()), "{good}");
    }
    for bad in [
        "select id from ours.tasks where id = $1",
        "select id from ours.tasks where user_id = $10",
        "select id from ours.tasks where user_id = $2 and id = $1",
        "select email from ours.users where email = $1",
        "update ours.tasks set title = $1 where id = $2",
        "insert into ours.tasks (user_id, id) select $2, $1",
        "insert into ours.tasks (id, user_id) select $1, $2",
        "insert into ours.tasks (user_id, id) select u.id, $1 from ours.users as u",
        "insert into ours.task_tags (user_id, task_id, tag) with given (tag) as (values ($1)) \
         select r.user_id, r.id, given.tag from ours.tasks as r, given where r.id = $3",
        "delete from ours.tasks where user_id = $1 and id in (select id from ours.tasks)",
        "with u as (insert into ours.users (id) values ($1)) select id from ours.ideas",
    ] {
        assert!(has_its_owner(bad).is_err(), "{bad}");
    }
}
