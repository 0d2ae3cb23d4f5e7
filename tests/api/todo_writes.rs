//! The todo contract's writes: PUT, PATCH, complete, and what they refuse.

use serde_json::{Value, json};

use crate::harness::{Request, World, on_both};

on_both!(
    put_replaces_what_these_front_ends_know,
    put_wants_title_and_completed,
    patch_changes_only_what_it_names,
    completing_toggles_or_sets,
    a_task_can_be_created_completed,
    every_complaint_is_told_at_once,
);

async fn put_replaces_what_these_front_ends_know(world: &World) {
    let ann = world.user("ann");
    for tasks in [ann.tasks(), ann.v1_tasks()] {
        let whole = json!({"title": "Whole", "description": "all of it", "priority": "high", "tags": ["a"], "due_date": "2030-01-01"});
        let task = tasks.create(whole).await.is(201);
        let answer = tasks.put(&task["id"], json!({"title": "Replaced", "completed": true})).await;
        let put = answer.is(200);
        assert_eq!(put["title"], "Replaced");
        assert_eq!(put["completed"], true);
        assert_ne!(put["completed_at"], Value::Null);
        assert_eq!(put["description"], Value::Null);
        for kept in ["priority", "tags", "due_date", "number", "created_at"] {
            assert_eq!(put[kept], task[kept], "{kept}");
        }
        assert_eq!(answer.listed("cleared-fields"), ["description"]);

        let answer =
            tasks.put(&task["id"], json!({"title": "Replaced", "completed": true, "due_date": null})).await;
        assert_eq!(answer.is(200)["due_date"], Value::Null);
        assert_eq!(answer.listed("cleared-fields"), ["due_date"]);
        let again = tasks.put(&task["id"], json!({"title": "Replaced", "completed": true})).await;
        assert_eq!(again.header("cleared-fields"), None, "nothing was there to clear");
        assert_eq!(again.is(200)["completed_at"], put["completed_at"]);
    }
}

async fn put_wants_title_and_completed(world: &World) {
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Whole"})).await.is(201);
    for tasks in [ann.tasks(), ann.v1_tasks()] {
        for body in [json!({"title": "Half"}), json!({"completed": true}), json!({})] {
            let answer = tasks.put(&task["id"], body).await;
            answer.is(422);
            let text = answer.text();
            assert!(text.contains("both") && text.contains("PATCH"), "{text}");
        }
        tasks.put(&task["id"], json!({"title": null, "completed": true})).await.complains_about("title");
        tasks.put(&task["id"], json!({"title": "x", "completed": null})).await.complains_about("completed");
    }
    assert_eq!(ann.tasks().read(&task["id"]).await.is(200), task);
    let unknown = json!("01890000-0000-7000-8000-000000000000");
    ann.tasks()
        .put(&unknown, json!({"title": "New?", "completed": false}))
        .await
        .refuses(404, "Task not found");
    assert_eq!(ann.tasks().list("").await.is(200), json!([task]), "a PUT never creates");
}

async fn patch_changes_only_what_it_names(world: &World) {
    let ann = world.user("ann");
    let tasks = ann.tasks();
    let task = tasks
        .create(json!({"title": "T", "description": "D", "priority": "low", "tags": ["x", "y"], "due_date": "2030-05-06"}))
        .await
        .is(201);
    let steps = [
        ("title", json!("New")),
        ("description", json!("")),
        ("description", Value::Null),
        ("priority", json!("high")),
        ("tags", json!(["y", "z"])),
        ("tags", json!([])),
        ("due_date", json!("2031-01-02T03:04:05Z")),
        ("due_date", Value::Null),
        ("completed", json!(true)),
    ];
    let mut expected = task.clone();
    for (field, value) in steps {
        let changed = tasks.patch(&task["id"], json!({ (field): value })).await.is(200);
        assert!(changed["version"].as_i64() > expected["version"].as_i64(), "{field}");
        expected[field] = value;
        for moved in ["updated_at", "version", "completed_at"] {
            expected[moved] = changed[moved].clone();
        }
        assert_eq!(changed, expected, "{field}");
        assert_eq!(tasks.read(&task["id"]).await.is(200), expected, "{field}");
    }
    assert_ne!(expected["completed_at"], Value::Null);
    let undone = tasks.patch(&task["id"], json!({"completed": false})).await.is(200);
    assert_eq!(undone["completed_at"], Value::Null);
}

async fn completing_toggles_or_sets(world: &World) {
    let ann = world.user("ann");
    for tasks in [ann.tasks(), ann.v1_tasks()] {
        let id = tasks.create(json!({"title": "Flip"})).await.is(201)["id"].clone();
        let done = tasks.toggle(&id).await.is(200);
        assert_eq!(done["completed"], true);
        assert_ne!(done["completed_at"], Value::Null);
        let path = format!("{}/complete", tasks.path(&id));
        let undone = ann.patch(&path, json!({})).await.is(200);
        assert_eq!((&undone["completed"], &undone["completed_at"]), (&json!(false), &Value::Null));
        assert_eq!(tasks.complete(&id, false).await.is(200)["completed"], false);
        let done = tasks.complete(&id, true).await.is(200);
        assert_eq!(done["completed"], true);
        let again = tasks.complete(&id, true).await.is(200);
        assert_eq!(again["completed_at"], done["completed_at"], "it has been so since then");
        for wrong in [json!(1), json!("true"), Value::Null] {
            ann.patch(&path, json!({ "completed": wrong })).await.complains_about("completed");
        }
        assert_eq!(tasks.read(&id).await.is(200), again);
    }
    let tasks = ann.tasks();
    let id = tasks.create(json!({"title": "Aliases"})).await.is(201)["id"].clone();
    let at = tasks.path(&id);
    let call = async |method: &str, name: &str| {
        ann.send(Request::new(method, format!("{at}/{name}"))).await.is(200)["completed"].clone()
    };
    assert_eq!(call("PATCH", "toggle").await, true);
    assert_eq!(call("PATCH", "toggle").await, false);
    assert_eq!(call("POST", "complete").await, true);
    assert_eq!(call("POST", "complete").await, true);
    assert_eq!(call("POST", "uncomplete").await, false);
    assert_eq!(call("POST", "uncomplete").await, false);
}

async fn a_task_can_be_created_completed(world: &World) {
    let ann = world.user("ann");
    for tasks in [ann.tasks(), ann.v1_tasks()] {
        let task = tasks.create(json!({"title": "Done before", "completed": true})).await.is(201);
        assert_eq!(task["completed"], true);
        assert_ne!(task["completed_at"], Value::Null);
        assert_eq!(tasks.read(&task["id"]).await.is(200), task);
    }
}

async fn every_complaint_is_told_at_once(world: &World) {
    let ann = world.user("ann");
    let tasks = ann.tasks();
    tasks.create(json!({})).await.refuses(422, "title: Title is required");
    tasks.create(json!({"title": "   "})).await.refuses(422, "title: Title is required");
    tasks
        .create(json!({"tags": [1]}))
        .await
        .refuses(422, "title: Title is required; tags: Each tag must be a string");
    tasks
        .create(json!({"title": "x".repeat(501)}))
        .await
        .refuses(422, "title: Title exceeds maximum length of 500 characters");
    let all = tasks
        .create(
            json!({"description": 5, "completed": "yes", "priority": "urgent", "tags": "a", "due_date": 7}),
        )
        .await;
    for field in ["title", "description", "completed", "priority", "tags", "due_date"] {
        all.complains_about(field);
    }
    let query = tasks.list("limit=x&status=never&sort=colour&due_before=soon").await;
    for field in ["limit", "status", "sort", "due_before"] {
        query.complains_about(field);
    }
    assert_eq!(tasks.list("").await.is(200), json!([]));
}
