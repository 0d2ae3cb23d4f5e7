//! What is the same afterwards: everything.

use serde_json::{Value, json};

use super::{Move, rows, run, strip};
use crate::harness::{Engine, Request, Resource, World};

const PEOPLE: [&str; 4] = ["ann", "bob", "Zoë/☕", "empty"];

/// An afternoon of several users.
async fn live(world: &World) {
    for name in PEOPLE {
        let user = world.user(name);
        let (tasks, ideas) = (user.tasks(), user.ideas());
        let (mut made, priorities) = (Vec::new(), ["high", "medium", "low"]);
        for n in 0..6 {
            let body = json!({
                "title": format!("{name}: Straße {n} 日記 \u{1f3ac}"), "tags": ["zebra", "Äpfel", "a\"b\\c"],
                "priority": priorities[n % 3],
                "due_date": if n % 2 == 0 { json!(format!("2031-02-0{}T10:11:12.123456+02:00", n + 1)) } else { Value::Null },
                "description": if n == 3 { Value::Null } else { json!(format!("line\n\ttab \u{7f} {n}")) },
            });
            made.push(tasks.create(body).await.is(201)["id"].clone());
        }
        tasks.toggle(&made[1]).await.is(200);
        tasks.patch(&made[2], json!({"title": "Again"})).await.is(200);
        tasks.patch(&made[2], json!({"title": "And again", "tags": []})).await.is(200);
        // Numbers are not used twice: the last one and one between are gone for good.
        tasks.delete(&made[0]).await.is(204);
        tasks.delete(&made[5]).await.is(204);
        let idea =
            ideas.create(json!({"title": "A film", "stage": "draft", "tags": ["video"], "notes": ""})).await;
        ideas.patch(&idea.is(201)["id"], json!({"stage": "published"})).await.is(200);
        ideas.create(json!({"title": "À la carte", "due_date": "0001-01-01T00:00:00Z"})).await.is(201);
    }
    // One who has nothing any more, and answers that are kept for a repeated request.
    for resource in world.user("empty").resources() {
        for row in resource.rows("").await {
            resource.delete(&row["id"]).await;
        }
    }
    let keep = "insert into @idempotency_keys (user_id, key, fingerprint, created_at, status, answer) \
                values ('ann', 'k 1', 'f', 1700000000000001, 201, '{}'), ('ann', 'k2', 'f', 1700000000000002, null, null); \
                insert into @idempotency_texts (user_id, key, place, task_id, idea_id, body) \
                select user_id, 'k 1', number, id, null, 'é' from @tasks where user_id = 'ann'; \
                insert into @idempotency_texts (user_id, key, place, task_id, idea_id, body) \
                select user_id, 'k2', 1, null, id, '{}' from @ideas where user_id = 'ann' limit 1";
    world.behind().await.run(keep).await;
}

async fn all_answers(world: &World, name: &str) -> Vec<Value> {
    let user = world.user(name);
    let mut me = user.get("/api/v1/users/me").await.is(200);
    // The token's, not the database's.
    me.as_object_mut().expect("an object").remove("token_expires_at");
    let mut answers = vec![me];
    for resource in user.resources() {
        let lists = [
            "",
            "sort=title&order=asc",
            "sort=due_date&order=desc",
            "search=straße",
            "tags=zebra",
            "limit=2",
        ];
        for query in lists {
            answers.push(resource.list(query).await.is(200));
        }
        for row in resource.rows("").await {
            answers.push(resource.read(&row["id"]).await.is(200));
        }
    }
    answers
}

async fn everything_is_the_same(pair: &Move) {
    live(&pair.from).await;
    let report = pair.copy();
    assert_eq!(
        (&report["copied"], &report["same"], &report["source_changed"]),
        (&json!(true), &json!(true), &json!(false))
    );
    let there = rows(&pair.to.behind().await).await;
    assert_eq!(report["rows"], there);
    assert_eq!(rows(&pair.from.behind().await).await, there);
    assert_eq!(report["users"], 4);
    let tables = report["tables"].as_array().expect("tables");
    let count = |name: &str| {
        let table = tables.iter().find(|table| table["table"] == name).expect("a table");
        assert_eq!(table["rows"], table["target_rows"]);
        table["rows"].as_i64().expect("a number")
    };
    assert_eq!((count("tasks"), count("ideas"), count("task_tags")), (12, 6, 27));
    assert_eq!((count("idempotency_keys"), count("idempotency_texts")), (2, 5));

    for name in PEOPLE {
        let (there, here) = (all_answers(&pair.to, name).await, all_answers(&pair.from, name).await);
        assert_eq!(there.len(), here.len(), "{name}");
        there.iter().zip(&here).for_each(|(there, here)| assert_eq!(there, here, "{name}"));
    }
    let again = pair.run(&["--verify", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let again: Value = serde_json::from_str(&again.out).expect("JSON");
    assert_eq!((&again["checksum"], &again["copied"]), (&report["checksum"], &json!(false)));

    // Numbers go on where they were, also those of one who has nothing left.
    for name in PEOPLE {
        let next = async |world: &World| {
            let tasks: Resource = world.user(name).tasks();
            tasks.create(json!({"title": "Next"})).await.is(201)["number"].clone()
        };
        assert_eq!((next(&pair.from).await, next(&pair.to).await), (json!(7), json!(7)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_the_same_afterwards() {
    everything_is_the_same(&Move::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_the_same_through_a_pooler() {
    everything_is_the_same(&Move::to(Engine::Pooled).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_repeated_after_the_move_gets_its_answer() {
    let pair = Move::new().await;
    let create = async |world: &World| {
        let request = Request::new("POST", "/api/tasks").bearer(&world.user("ann").token);
        let request = request.header("Idempotency-Key", "before the move");
        request.json(&json!({"title": "Once", "tags": ["b", "a"]})).send(world.address).await
    };
    let first = create(&pair.from).await.is(201);
    pair.copy();
    let again = create(&pair.to).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.is(201), first);
    assert_eq!(pair.to.user("ann").tasks().rows("").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_without_tables_gets_them() {
    let pair = Move::new().await;
    let task = pair.from.user("ann").tasks().create(json!({"title": "Moved"})).await.is(201);
    strip(&pair.to.behind().await).await;
    let ran = pair.run(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("applied 0001_users_tasks_ideas to the target"), "{ran:?}");
    assert!(ran.err.contains("\ncopying tasks: 1 row,"), "{ran:?}");
    let lines: Vec<_> =
        ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!((lines[0].as_str(), lines[1].as_str()), ("users 1", "tasks 1"), "{ran:?}");
    assert_eq!(lines[7], "1 user, 2 rows: copied, and the same on both sides");
    assert!(lines[8].starts_with("checksum "), "{ran:?}");
    assert_eq!(pair.to.user("ann").tasks().read(&task["id"]).await.is(200), task);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_file_is_copied_too() {
    let report = Move::new().await.copy();
    assert_eq!((&report["rows"], &report["users"], &report["same"]), (&json!(0), &json!(0), &json!(true)));
}

/// The command line names what it reads in the ways that people write it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_and_the_schema_of_the_settings_do() {
    let pair = Move::new().await;
    pair.from.user("ann").ideas().create(json!({"title": "Moved"})).await.is(201);
    let file = super::variable(&pair.from, "DATABASE_URL").replace("sqlite://", "");
    let mut command = super::bare();
    command
        .args(["copy", "--from", &file, "--to", &super::variable(&pair.to, "DATABASE_URL")])
        .env("DATABASE_SCHEMA", super::variable(&pair.to, "DATABASE_SCHEMA"));
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(pair.to.user("ann").ideas().titles("").await, ["Moved"]);
}
