//! Front-ends that were written against other back ends: each with the settings it needs, on an afternoon of its own.

use std::collections::{BTreeMap, BTreeSet};

use creatorvault::api::openapi;
use creatorvault::config::contract::{ContractConfig, DeleteStatus, TodoConfig, TodoListShape};
use serde_json::{Value, json};

use crate::harness::{Front, Request, World, document, on_both};

on_both!(
    a_front_end_that_wants_everything_its_own_way,
    a_front_end_that_counts_its_tasks,
    front_ends_that_want_an_object_for_a_list,
    a_long_list_in_an_object_is_whole,
);

pub(crate) const PATH: &str = "/api/ann/tasks";

/// Everything at once.
pub(crate) const EVERYTHING: [(&str, &str); 6] = [
    ("TODO_LIST", "tasks,total"),
    ("TODO_IDS", "number"),
    ("TODO_PUT", "partial"),
    ("TODO_COMPLETED_FIELD", "is_completed"),
    ("TODO_ERRORS", "nested"),
    ("DELETE_STATUS", "200"),
];

/// The path of a task that a front-end knows by its integer.
pub(crate) fn path(id: i64) -> String {
    format!("{PATH}/{id}")
}

fn id(task: &Value) -> i64 {
    task["id"].as_i64().unwrap_or_else(|| panic!("no integer id: {task}"))
}

/// The tasks of a list by their integers, as a front-end keeps them.
fn by_id(tasks: &Value) -> BTreeMap<i64, Value> {
    let tasks = tasks.as_array().unwrap_or_else(|| panic!("no list: {tasks}"));
    tasks.iter().map(|task| (id(task), task.clone())).collect()
}

async fn a_front_end_that_wants_everything_its_own_way(world: &World) {
    let front = Front::open(world, &EVERYTHING).await;
    assert_eq!(front.get(PATH).await, json!({"tasks": [], "total": 0}));
    for title in ["Write the script", "Shoot", "Cut"] {
        front.post(PATH, json!({"title": title, "is_completed": title == "Cut", "tags": ["film"]})).await;
    }
    let list = front.get(PATH).await;
    assert_eq!(list["total"], 3);
    let mut shown = by_id(&list["tasks"]);
    assert_eq!(shown.keys().collect::<Vec<_>>(), [&1, &2, &3]);
    assert_eq!((&shown[&3]["is_completed"], shown[&3].get("completed")), (&json!(true), None));

    // The tick is shown before the server has answered; what it answers takes its place.
    shown.get_mut(&2).expect("Shoot")["is_completed"] = json!(true);
    let ticked = front.patch(&format!("{}/complete", path(2)), json!({"is_completed": true})).await;
    assert_eq!(ticked["is_completed"], shown[&2]["is_completed"]);
    shown.insert(2, ticked);
    let renamed = front.put(&path(2), json!({"title": "Shoot again"})).await;
    assert_eq!((&renamed["title"], &renamed["is_completed"]), (&json!("Shoot again"), &json!(true)));
    assert_eq!(renamed["tags"], json!(["film"]));
    shown.insert(2, renamed);

    let gone = front.json("DELETE", &path(1), None, 200).await;
    assert_eq!(gone, json!({"success": true, "message": "Task deleted", "id": 1}));
    shown.remove(&1);
    let error = front.json("DELETE", &path(1), None, 404).await;
    assert_eq!(error["error"]["message"], "Task 1 not found");
    let refused = front.json("PUT", &path(2), Some(json!({"title": " ", "is_completed": 1})), 422).await;
    assert_eq!(
        refused["error"]["details"]["fields"],
        json!({"title": ["Title is required"], "is_completed": ["Completed must be true or false"]})
    );
    assert_eq!(by_id(&front.get(PATH).await["tasks"]), shown, "what is shown is what is there");
    let window = front.get(&format!("{PATH}?is_completed=true&sort=title&order=asc&limit=1")).await;
    assert_eq!(window, json!({"tasks": [shown[&3]], "total": 2, "limit": 1, "offset": 0, "has_more": true}));

    // The other contract is as it was, over the same rows.
    let row = front.get("/api/v1/ann/tasks/2").await;
    assert_eq!((&row["number"], &row["completed"]), (&json!(2), &json!(true)));
    assert_eq!(row["id"].as_str().map(str::len), Some(36));
    assert_eq!(front.get("/api/v1/ann/tasks").await["items"][0]["title"], "Cut");
    let half = front.json("PUT", "/api/v1/ann/tasks/2", Some(json!({"title": "Half"})), 422).await;
    let told = half["error"]["details"]["fields"]["body"].to_string();
    assert!(told.contains("PATCH") && !told.contains("TODO_PUT"), "no setting of the other contract: {told}");
}

async fn a_front_end_that_counts_its_tasks(world: &World) {
    let front = Front::open(world, &[("TODO_IDS", "number")]).await;
    let request = Request::new("POST", PATH).json(&json!({"title": "First"}));
    let made = front.send(request, 201).await;
    assert_eq!(made.header("location"), Some("/api/ann/tasks/1"));
    let first = made.value();
    assert_eq!((&first["id"], &first["number"]), (&json!(1), &json!(1)));
    front.post(PATH, json!({"title": "Second"})).await;
    let shown = by_id(&front.get(PATH).await);
    assert_eq!(shown[&1], first);
    assert_eq!(front.get(&path(2)).await, shown[&2]);
    let window = front.get(&format!("{PATH}?limit=5")).await;
    assert_eq!(by_id(&window["tasks"]), shown);

    let toggled = front.json("PATCH", &format!("{}/toggle", path(1)), None, 200).await;
    assert_eq!((id(&toggled), &toggled["completed"]), (1, &json!(true)));
    assert_eq!(front.patch(&path(1), json!({"id": 7, "title": "Still the first"})).await["id"], 1);
    front.send(Request::new("DELETE", path(1)), 204).await;
    assert_eq!(id(&front.post(PATH, json!({"title": "Third"})).await), 3, "no number is given twice");
    for wrong in ["0", "-1", "1.0", "abc"] {
        front.json("GET", &format!("{PATH}/{wrong}"), None, 422).await;
    }
    // Another user counts by herself, and the same number leads nobody to another's task.
    let ben = front.world.user("ben");
    let his = ben.tasks().create(json!({"title": "His first"})).await.is(201);
    assert_eq!(id(&his), 1);
    ben.get(&path(2)).await.refuses(403, "Access forbidden: user_id mismatch");
    ben.get("/api/tasks/2").await.refuses(404, "Task not found");
}

async fn front_ends_that_want_an_object_for_a_list(world: &World) {
    for (setting, rows, number) in [
        ("tasks,total", "tasks", "total"),
        ("tasks,count", "tasks", "count"),
        ("data,count", "data", "count"),
        ("items,total", "items", "total"),
    ] {
        let front = Front::open(world, &[("TODO_LIST", setting)]).await;
        assert_eq!(front.get(PATH).await, json!({rows: [], number: 0}));
        assert_eq!(front.get(&format!("{PATH}?limit=2")).await[number], 0);
        for title in ["A", "B", "C"] {
            front.post(PATH, json!({"title": title, "completed": title == "B"})).await;
        }
        let answer = front.send(Request::new("GET", PATH), 200).await;
        assert_eq!(answer.header("x-total-count"), None, "{setting}: it is counted while it is sent");
        let text = answer.text();
        assert!(
            text.starts_with(&format!("{{\"{rows}\":[")) && text.ends_with(&format!("],\"{number}\":3}}")),
            "{text}"
        );
        let list = answer.value();
        let titles = |list: &Value| -> Vec<String> {
            let tasks = list[rows].as_array().expect("rows").iter();
            tasks.map(|task| task["title"].as_str().expect("a title").to_owned()).collect()
        };
        assert_eq!((titles(&list), &list[number]), (vec!["C".to_owned(), "B".into(), "A".into()], &json!(3)));
        assert_eq!(
            list.as_object().map(serde_json::Map::len),
            Some(2),
            "{setting}: no window, no more members"
        );
        let open = front.get(&format!("{PATH}?status=pending")).await;
        assert_eq!((titles(&open), &open[number]), (vec!["C".to_owned(), "A".into()], &json!(2)));

        let window = front.send(Request::new("GET", format!("{PATH}?limit=2&offset=1")), 200).await;
        assert_eq!(window.header("x-total-count"), Some("3"));
        let window = window.value();
        let expected = json!({rows: list[rows].as_array().expect("rows")[1..], number: 3, "limit": 2, "offset": 1, "has_more": false});
        assert_eq!(window, expected, "{setting}");
        let beyond = front.get(&format!("{PATH}?offset=9")).await;
        assert_eq!((&beyond[rows], &beyond[number]), (&json!([]), &json!(3)));
        front.json("GET", &format!("{PATH}?limit=0"), None, 422).await;
    }
}

async fn a_long_list_in_an_object_is_whole(world: &World) {
    let front = Front::open(world, &[("TODO_LIST", "data,count"), ("TODO_IDS", "number")]).await;
    // Longer than what is read at once, and not a multiple of it.
    for n in 1..=230 {
        front.post(PATH, json!({"title": format!("Task {n}"), "description": "x".repeat(n)})).await;
    }
    let list = front.get(PATH).await;
    assert_eq!(list["count"], 230);
    let numbers: Vec<_> = list["data"].as_array().expect("rows").iter().map(id).collect();
    assert_eq!(numbers, (1..=230).rev().collect::<Vec<_>>(), "each once, newest first");
    for number in 1..=130 {
        front.send(Request::new("DELETE", path(number)), 204).await;
    }
    let list = front.get(PATH).await;
    assert_eq!(list["count"], 100, "the first piece is full, and nothing comes after it");
    assert_eq!(list["data"].as_array().map(Vec::len), Some(100));
}

/// The configurations that each setting makes by itself, and all of them together.
fn configurations() -> Vec<ContractConfig> {
    let todo = TodoConfig::default;
    let own = |todo| ContractConfig { todo, ..ContractConfig::default() };
    let mut all = vec![
        own(TodoConfig { list: TodoListShape::TasksTotal, ..todo() }),
        own(TodoConfig { list: TodoListShape::DataCount, ..todo() }),
        own(TodoConfig { number_ids: true, ..todo() }),
        own(TodoConfig { is_completed: true, ..todo() }),
        own(TodoConfig { partial_put: true, ..todo() }),
        own(TodoConfig { nested_errors: true, ..todo() }),
        ContractConfig { delete_status: Some(DeleteStatus::NoContent), ..ContractConfig::default() },
    ];
    let list = TodoListShape::ItemsTotal;
    let todo =
        TodoConfig { list, number_ids: true, partial_put: true, is_completed: true, nested_errors: true };
    all.push(ContractConfig { delete_status: Some(DeleteStatus::Ok), todo, ..ContractConfig::default() });
    all
}

/// Every place in the document that is referred to.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_setting_is_in_the_document_and_the_other_contract_stays() {
    let mut seen = BTreeSet::from([document().to_string()]);
    for config in configurations() {
        let set = serde_json::to_value(openapi(&config)).expect("the document is JSON");
        assert!(seen.insert(set.to_string()), "{config:?} changes nothing in the document");
        let mut found = BTreeSet::new();
        references(&set, &mut found);
        for reference in found {
            assert!(
                set.pointer(reference.trim_start_matches('#')).is_some(),
                "{config:?}: {reference} leads nowhere"
            );
        }
        for (path, item) in document()["paths"].as_object().expect("paths") {
            let (mut item, mut now) = (item.clone(), set["paths"][path].clone());
            if config.delete_status.is_some() {
                item["delete"].take();
                now["delete"].take();
            }
            assert!(!path.starts_with("/api/v1/") || item == now, "{config:?} changes {path}");
        }
        assert_eq!(
            set["components"]["schemas"]["Task"],
            document()["components"]["schemas"]["Task"],
            "{config:?}"
        );
    }
}

#[test]
fn a_body_is_documented_as_it_is_taken() {
    let set = |todo| {
        let config = ContractConfig { todo, ..ContractConfig::default() };
        serde_json::to_value(openapi(&config)).expect("the document is JSON")
    };
    let body = |document: &Value, method: &str| {
        let place = format!(
            "/paths/~1api~1{{user_id}}~1tasks~1{{id}}/{method}/requestBody/content/application~1json/schema/$ref"
        );
        let reference = document.pointer(&place).and_then(Value::as_str).expect("a body").to_owned();
        document.pointer(reference.trim_start_matches('#')).expect("its schema").clone()
    };
    let usual = body(document(), "put");
    assert_eq!(usual["required"], json!(["title", "completed"]));
    let renamed = body(&set(TodoConfig { is_completed: true, ..TodoConfig::default() }), "put");
    assert_eq!(renamed["required"], json!(["title", "is_completed"]));
    assert_eq!(renamed["properties"].get("completed"), None);
    let partial = set(TodoConfig { partial_put: true, ..TodoConfig::default() });
    assert_eq!(body(&partial, "put"), body(document(), "patch"));
    let both = set(TodoConfig { partial_put: true, is_completed: true, ..TodoConfig::default() });
    assert_eq!(body(&both, "put")["properties"]["is_completed"]["type"], "boolean");
    assert_eq!(body(&both, "put").get("required"), None);
}
