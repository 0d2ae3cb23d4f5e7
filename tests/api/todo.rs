//! The todo contract: what an existing todo front-end calls, unchanged.

use serde_json::{Value, json};

use crate::harness::{World, on_both};

on_both!(
    a_task_from_first_to_last,
    a_task_has_exactly_these_members,
    the_token_says_whose_tasks_they_are,
    a_task_answers_to_its_number,
    malformed_ids_are_refused,
    the_list_is_a_bare_array_however_long,
    a_window_changes_the_shape_of_the_list,
    what_is_not_there_is_404,
);

async fn a_task_from_first_to_last(world: &World) {
    let ann = world.user("ann");
    let tasks = ann.tasks();
    assert_eq!(tasks.list("").await.is(200), json!([]));

    let created = tasks.create(json!({"title": "  Buy milk ", "description": "two litres"})).await;
    let task = created.is(201);
    assert_eq!(task["title"], "Buy milk");
    assert_eq!(task["description"], "two litres");
    let location = created.header("location").expect("a Location").to_owned();
    assert_eq!(ann.get(&location).await.is(200), task);
    assert_eq!(tasks.read(&task["id"]).await.is(200), task);
    assert_eq!(tasks.list("").await.is(200), json!([task]));

    let renamed = tasks.patch(&task["id"], json!({"title": "Buy oat milk"})).await.is(200);
    assert_eq!(renamed["title"], "Buy oat milk");
    assert_eq!(renamed["description"], "two litres");
    let done = tasks.complete(&task["id"], true).await.is(200);
    assert_eq!(done["completed"], true);
    let replaced = tasks.put(&task["id"], json!({"title": "Bake bread", "completed": false})).await.is(200);
    assert_eq!(replaced["title"], "Bake bread");
    assert_eq!(tasks.read(&task["id"]).await.is(200), replaced);

    assert_eq!(tasks.delete(&task["id"]).await.is(204), Value::Null);
    tasks.read(&task["id"]).await.refuses(404, "Task not found");
    tasks.delete(&task["id"]).await.refuses(404, "Task not found");
    assert_eq!(tasks.list("").await.is(200), json!([]));
}

async fn a_task_has_exactly_these_members(world: &World) {
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Buy milk"})).await.is(201);
    let members: Vec<_> = task.as_object().expect("a task is an object").keys().map(String::as_str).collect();
    let mut expected = vec![
        "id",
        "number",
        "user_id",
        "title",
        "description",
        "completed",
        "completed_at",
        "priority",
        "tags",
        "due_date",
        "created_at",
        "updated_at",
        "version",
    ];
    expected.sort_unstable();
    let mut members = members;
    members.sort_unstable();
    assert_eq!(members, expected);

    let id: uuid::Uuid = task["id"].as_str().and_then(|text| text.parse().ok()).expect("the id is a UUID");
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(task["id"], id.to_string());
    assert_eq!(task["number"], 1);
    assert_eq!(task["user_id"], "ann");
    assert_eq!(task["completed"], false);
    assert_eq!(task["priority"], "medium");
    assert_eq!(task["tags"], json!([]));
    for empty in ["description", "completed_at", "due_date"] {
        assert_eq!(task[empty], Value::Null, "{empty}");
    }
    assert_eq!(task["created_at"], task["updated_at"]);
    assert!(task["version"].as_i64().is_some_and(|version| version >= 1), "{task}");
}

async fn the_token_says_whose_tasks_they_are(world: &World) {
    let ann = world.user("ann");
    let task = ann.post("/api/tasks", json!({"title": "Without a name"})).await.is(201);
    assert_eq!(task["user_id"], "ann");
    ann.post("/api/me/tasks", json!({"title": "As me"})).await.is(201);
    let all = ann.tasks().list("").await.is(200);
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    assert_eq!(ann.get("/api/tasks").await.is(200), all);
    assert_eq!(ann.get("/api/me/tasks").await.is(200), all);
    let id = task["id"].as_str().expect("an id");
    for base in [
        "/api/tasks",
        "/api/me/tasks",
        "/api/ann/tasks",
        "/api/v1/tasks",
        "/api/v1/me/tasks",
        "/api/v1/ann/tasks",
    ] {
        assert_eq!(ann.get(&format!("{base}/{id}")).await.is(200), task, "{base}");
    }
    ann.patch(&format!("/api/tasks/{id}/complete"), json!({})).await.is(200);
    ann.delete(&format!("/api/me/tasks/{id}")).await.is(204);
}

async fn a_task_answers_to_its_number(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let tasks = ann.tasks();
    let first = tasks.create(json!({"title": "First"})).await.is(201);
    let second = tasks.create(json!({"title": "Second"})).await.is(201);
    bob.tasks().create(json!({"title": "Bob's first"})).await.is(201);
    assert_eq!((&first["number"], &second["number"]), (&json!(1), &json!(2)));

    assert_eq!(tasks.read(&json!(2)).await.is(200), second);
    assert_eq!(ann.v1_tasks().read(&json!(2)).await.is(200), second);
    let upper = second["id"].as_str().expect("an id").to_uppercase();
    assert_eq!(tasks.read(&json!(upper)).await.is(200), second);
    assert_eq!(tasks.toggle(&json!(2)).await.is(200)["id"], second["id"]);
    assert_eq!(tasks.patch(&json!(1), json!({"title": "Still first"})).await.is(200)["id"], first["id"]);
    tasks.delete(&json!(2)).await.is(204);
    tasks.read(&json!(2)).await.refuses(404, "Task not found");
    let third = tasks.create(json!({"title": "Third"})).await.is(201);
    assert_eq!(third["number"], 3, "a number is never given twice");
}

async fn malformed_ids_are_refused(world: &World) {
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Here"})).await.is(201);
    let id = task["id"].as_str().expect("an id");
    let malformed = [
        "abc".to_owned(),
        "tasks".to_owned(),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        id.replace('-', ""),
        format!("{id}0"),
        format!("%20{id}"),
        "-1".to_owned(),
        "%2B1".to_owned(),
        "1.0".to_owned(),
        "1e3".to_owned(),
        "%D9%A1".to_owned(), // an Arabic-Indic one
    ];
    for tasks in [ann.tasks(), ann.v1_tasks()] {
        for bad in &malformed {
            let path = format!("{}/{}", tasks.base, bad.replace('{', "%7B").replace('}', "%7D"));
            ann.get(&path).await.is(422);
            ann.delete(&path).await.is(422);
            ann.patch(&path, json!({"title": "No"})).await.is(422);
        }
    }
    ann.get("/api/tasks/tasks").await.is(422);
    ann.get("/api/v1/ann/ideas/1").await.is(422);
    assert_eq!(ann.tasks().read(&task["id"]).await.is(200), task);
}

async fn the_list_is_a_bare_array_however_long(world: &World) {
    use futures_util::StreamExt;

    let ann = world.user("ann");
    let tasks = ann.tasks();
    let all = 1_005;
    let made: Vec<Value> = futures_util::stream::iter(0..all)
        .map(|i| {
            let tasks = &tasks;
            async move { tasks.create(json!({"title": format!("Task {i}"), "tags": ["many"]})).await.is(201) }
        })
        .buffer_unordered(16)
        .collect()
        .await;
    let list = tasks.list("").await.is(200);
    let list = list.as_array().expect("a bare array");
    assert_eq!(list.len(), all);
    let key = |task: &Value| (time(&task["created_at"]), task["id"].as_str().map(str::to_owned));
    assert!(list.windows(2).all(|pair| key(&pair[0]) > key(&pair[1])), "newest first, each once");
    let mut expected = made;
    expected.sort_by_key(|task| std::cmp::Reverse(key(task)));
    assert!(*list == expected, "every row as it was answered when it was made");

    let by_number = tasks.rows("sort=created_at&order=asc").await;
    assert_eq!(by_number.len(), all);
    assert!(by_number.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])), "oldest first, each once");
    for query in
        ["sort=title", "sort=-priority,title", "sort=due_date", "sort=updated_at&order=asc", "sort=completed"]
    {
        let mut ids: Vec<_> = tasks.rows(query).await.iter().map(|task| task["id"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{query}: each once");
    }
    assert_eq!(tasks.rows("tags=many&search=task").await.len(), all);
    assert_eq!(tasks.rows("completed=true").await.len(), 0);
    let window = tasks.list("limit=1000&offset=3").await.is(200);
    assert_eq!(window["tasks"].as_array(), Some(&list[3..1_003].to_vec()));
}

async fn a_window_changes_the_shape_of_the_list(world: &World) {
    let ann = world.user("ann");
    let tasks = ann.tasks();
    for title in ["one", "two", "three"] {
        tasks.create(json!({"title": title})).await.is(201);
    }
    let all = tasks.list("").await.is(200);
    let page = tasks.list("limit=2").await.is(200);
    assert_eq!(
        page,
        json!({"tasks": [all[0], all[1]], "total": 3, "limit": 2, "offset": 0, "has_more": true})
    );
    let rest = tasks.list("limit=2&offset=2").await.is(200);
    assert_eq!(rest, json!({"tasks": [all[2]], "total": 3, "limit": 2, "offset": 2, "has_more": false}));
    let usual = tasks.list("offset=1").await.is(200);
    assert_eq!(
        usual,
        json!({"tasks": [all[1], all[2]], "total": 3, "limit": 50, "offset": 1, "has_more": false})
    );
    let beyond = tasks.list("limit=1000&offset=7").await.is(200);
    assert_eq!(beyond, json!({"tasks": [], "total": 3, "limit": 1000, "offset": 7, "has_more": false}));
    for wrong in ["limit=0", "limit=1001", "limit=-1"] {
        tasks.list(wrong).await.complains_about("limit");
    }
    tasks.list("offset=-1").await.complains_about("offset");
}

async fn what_is_not_there_is_404(world: &World) {
    let ann = world.user("ann");
    let tasks = ann.tasks();
    let nowhere = json!("01890000-0000-7000-8000-000000000000");
    for id in [nowhere, json!(1), json!(9_007_199_254_740_993_i64)] {
        tasks.read(&id).await.refuses(404, "Task not found");
        tasks.patch(&id, json!({"title": "x"})).await.refuses(404, "Task not found");
        tasks.toggle(&id).await.refuses(404, "Task not found");
        tasks.complete(&id, true).await.refuses(404, "Task not found");
        tasks.delete(&id).await.refuses(404, "Task not found");
    }
    for path in ["/api/ann", "/api/ann/nothing", "/api/ann/tasks/1/nothing", "/api/ann/tasks/1/complete/now"]
    {
        ann.get(path).await.is(404);
    }
}

/// An answered time.
fn time(value: &Value) -> jiff::Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no time: {value}"))
}
