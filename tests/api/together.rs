//! Several requests at once: nothing is lost, no number is given twice.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{World, on_both_and_pooled};

on_both_and_pooled!(
    two_fields_changed_at_once_are_both_changed,
    creates_at_once_get_different_numbers,
    a_hundred_toggles_leave_the_right_parity,
    put_and_patch_leave_a_legal_state,
    a_row_is_deleted_once,
);

async fn two_fields_changed_at_once_are_both_changed(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let long = resource.long_text();
        let start = resource.create(json!({"title": "0", (long): "0"})).await.is(201);
        let (id, version) = (start["id"].clone(), start["version"].as_i64().expect("a version"));
        for round in 1..=20 {
            let value = round.to_string();
            let title = resource.patch(&id, json!({ "title": value }));
            let text = resource.patch(&id, json!({ (long): value }));
            let due = resource.patch(&id, json!({"due_date": format!("20{:02}-01-01", round + 10)}));
            let tags = resource.patch(&id, json!({ "tags": [value] }));
            let (a, b, c, d) = tokio::join!(title, text, due, tags);
            for answer in [a, b, c, d] {
                answer.is(200);
            }
            let row = resource.read(&id).await.is(200);
            assert_eq!(
                (&row["title"], &row[long], &row["tags"]),
                (&json!(value), &json!(value), &json!([value]))
            );
            assert!(
                row["due_date"].as_str().is_some_and(|due| due.starts_with(&format!("20{}", round + 10))),
                "{row}"
            );
            assert_eq!(row["version"].as_i64(), Some(version + 4 * round), "each change counted once");
        }
    }
}

async fn creates_at_once_get_different_numbers(world: &World) {
    let ann = world.user("ann");
    let tasks = ann.tasks();
    let made = join_all((0..50).map(|i| {
        let tasks = &tasks;
        async move { tasks.create(json!({"title": format!("Task {i}")})).await.is(201) }
    }))
    .await;
    let mut numbers: Vec<_> = made.iter().map(|task| task["number"].as_i64().expect("a number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    for task in made.iter().take(5) {
        assert_eq!(tasks.read(&task["number"]).await.is(200), *task);
    }
}

async fn a_hundred_toggles_leave_the_right_parity(world: &World) {
    let tasks = world.user("ann").tasks();
    let id = tasks.create(json!({"title": "Flip"})).await.is(201)["id"].clone();
    for (toggles, completed) in [(100, false), (51, true)] {
        let answers = join_all((0..toggles).map(|_| tasks.toggle(&id))).await;
        let done = answers.iter().filter(|answer| answer.is(200)["completed"] == true).count();
        assert_eq!(done, usize::div_ceil(toggles, 2), "every other one completed it");
        assert_eq!(tasks.read(&id).await.is(200)["completed"], completed);
    }
}

async fn put_and_patch_leave_a_legal_state(world: &World) {
    let ideas = world.user("ann").ideas();
    let id = ideas.create(json!({"title": "Start", "notes": "start"})).await.is(201)["id"].clone();
    for _ in 0..20 {
        let put = ideas.put(&id, json!({"title": "Put"}));
        let patch = ideas.patch(&id, json!({"notes": "Patched"}));
        let (put, patch) = tokio::join!(put, patch);
        let (put, patch) = (put.is(200), patch.is(200));
        let row = ideas.read(&id).await.is(200);
        assert!(row == put || row == patch, "the last of the two is what is there: {row}");
        assert_eq!(row["title"], "Put");
        let last_was_patch = row == patch;
        assert_eq!(row["notes"], if last_was_patch { json!("Patched") } else { Value::Null });
    }
}

async fn a_row_is_deleted_once(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let id = resource.create(json!({"title": "Once"})).await.is(201)["id"].clone();
        let answers = join_all((0..10).map(|_| resource.delete(&id))).await;
        let deleted = answers.iter().filter(|answer| answer.status != 404).count();
        assert_eq!(deleted, 1);
    }
}
