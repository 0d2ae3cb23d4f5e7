//! Fifty users at random against a model of what each of them should see.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Dice, Request, Resource, User, World, on_both_and_pooled};
use crate::pages_walk::{back, on, orders, sorted};

on_both_and_pooled!(users_never_mix);

const USERS: usize = 50;
const STEPS: usize = 25;

async fn users_never_mix(world: &World) {
    let mut dice = Dice::new();
    let afternoons = (0..USERS).map(|i| {
        let user = world.user(&format!("user-{i}"));
        let [todo, v1, ideas] = user.resources();
        // Every other user has a front-end of the other contract.
        let tasks = if i % 2 == 0 { todo } else { v1 };
        let (mut for_tasks, mut for_ideas) = (dice.split(), dice.split());
        async move {
            let both = (afternoon(&user, &tasks, &mut for_tasks), afternoon(&user, &ideas, &mut for_ideas));
            tokio::join!(both.0, both.1);
        }
    });
    join_all(afternoons).await;
}

/// One user's random work on one kind of row; after every few steps all that she sees is what the model says.
async fn afternoon(user: &User, resource: &Resource, dice: &mut Dice) {
    let mut model: BTreeMap<String, Value> = BTreeMap::new();
    for step in 0..STEPS {
        let some_id = model.keys().nth(dice.below(model.len().max(1))).cloned();
        match (dice.below(13), some_id) {
            (0..=3, _) | (_, None) => {
                let row = resource.create(random_row(dice)).await.is(201);
                let id = row["id"].as_str().expect("an id").to_owned();
                assert!(model.insert(id, row).is_none(), "an id is never given twice");
            }
            (4 | 5, Some(id)) => {
                let changes = random_row(dice);
                let mut expected = model[&id].clone();
                let changed = resource.patch(&json!(id), changes.clone()).await.is(200);
                for (name, value) in changes.as_object().expect("an object") {
                    if expected.get(name).is_some() {
                        expected[name] = value.clone();
                    }
                }
                same_but_for_times(&changed, &expected);
                model.insert(id, changed);
            }
            (6, Some(id)) => {
                let put = resource.put(&json!(id), json!({"title": "Put", "completed": false})).await.is(200);
                assert_eq!((&put["id"], &put["title"]), (&json!(id), &json!("Put")));
                model.insert(id, put);
            }
            (7, Some(id)) => {
                let answer = resource.delete(&json!(id)).await;
                assert!(matches!(answer.status, 200 | 204), "{}", answer.text());
                model.remove(&id);
                resource.read(&json!(id)).await.is(404);
            }
            (8, Some(id)) => expecting(user, resource, &id, &mut model, dice).await,
            (9, Some(id)) => twice(user, resource, &id, &mut model, dice).await,
            (10, Some(id)) if resource.is_v1() => several(user, resource, &id, &mut model, dice).await,
            (_, Some(id)) => assert_eq!(resource.read(&json!(id)).await.is(200), model[&id]),
        }
        if step % 10 == 9 {
            agrees(user, resource, &model, dice).await;
        }
    }
    agrees(user, resource, &model, dice).await;
}

/// A change of the version that the model knows, or of one that is not there any more.
async fn expecting(
    user: &User,
    resource: &Resource,
    id: &str,
    model: &mut BTreeMap<String, Value>,
    dice: &mut Dice,
) {
    let version = model[id]["version"].as_i64().expect("a version");
    let stale = i64::from(dice.below(2) == 0);
    let request = Request::new("PATCH", resource.path(&json!(id)))
        .header("If-Match", format!("\"{id}-{}\"", version + stale))
        .json(&json!({"title": "Expected", "tags": ["c"]}));
    let answer = user.send(request).await;
    if stale == 0 {
        model.insert(id.to_owned(), answer.is(200));
    } else {
        let told = answer.is(412);
        let current = if resource.is_v1() { &told["error"]["details"]["current"] } else { &told["current"] };
        assert_eq!(*current, model[id]);
    }
}

/// A create that is sent twice, with another change in between.
async fn twice(
    user: &User,
    resource: &Resource,
    id: &str,
    model: &mut BTreeMap<String, Value>,
    dice: &mut Dice,
) {
    let (key, body) = (format!("key {} {}", resource.kind, dice.below(1 << 30)), random_row(dice));
    let post = || user.send(Request::new("POST", &resource.base).header("Idempotency-Key", &key).json(&body));
    let made = post().await.is(201);
    let changed = resource.patch(&json!(id), json!({"title": "Between"})).await.is(200);
    model.insert(id.to_owned(), changed);
    assert_eq!(post().await.is(201), made);
    model.insert(made["id"].as_str().expect("an id").to_owned(), made);
}

/// A batch that is done, or one that is not because its last operation cannot be.
async fn several(
    user: &User,
    resource: &Resource,
    id: &str,
    model: &mut BTreeMap<String, Value>,
    dice: &mut Dice,
) {
    let mut operations = vec![
        json!({"op": "create", "data": random_row(dice)}),
        json!({"op": "update", "id": id, "data": {"title": "Batch", "tags": ["a", "b"]}}),
    ];
    let fails = dice.below(2) == 0;
    if fails {
        operations.push(json!({"op": "delete", "id": "0198c2a4-7d1f-7abc-8def-0123456789ab"}));
    }
    let path = format!("{}/batch", resource.base);
    let answer = user.post(&path, json!({ "operations": operations })).await;
    if fails {
        answer.is(404);
        return;
    }
    for result in answer.is(200)["results"].as_array().expect("results") {
        let row = &result["data"];
        model.insert(row["id"].as_str().expect("an id").to_owned(), row.clone());
    }
}

fn random_row(dice: &mut Dice) -> Value {
    let words = ["milk", "bread", "film", "Blog", "100%"];
    let tags: Vec<_> = ["a", "b", "c"].into_iter().filter(|_| dice.below(2) == 0).collect();
    let title = format!("{} {}", words[dice.below(5)], words[dice.below(5)]);
    let priority = ["high", "medium", "low"][dice.below(3)];
    let stage = ["idea", "outline", "draft", "published"][dice.below(4)];
    let completed = dice.below(2) == 0;
    let due =
        [Value::Null, json!("2026-12-01T00:00:00Z"), json!("2030-01-01T12:30:00Z")][dice.below(3)].clone();
    json!({
        "title": title, "priority": priority, "tags": tags, "completed": completed, "stage": stage, "due_date": due,
    })
}

/// A PATCH did what it said and nothing else; when it did nothing at all, the row is untouched.
fn same_but_for_times(changed: &Value, expected: &Value) {
    let mut expected = expected.clone();
    for name in ["updated_at", "version", "completed_at"] {
        if expected.get(name).is_some() {
            expected[name] = changed[name].clone();
        }
    }
    assert_eq!(*changed, expected);
}

/// Whether a row is among those that a query asks for.
type Wanted<'a> = &'a dyn Fn(&Value) -> bool;

/// Lists, filters and search see exactly the model's rows, and a walk sees them in order.
async fn agrees(user: &User, resource: &Resource, model: &BTreeMap<String, Value>, dice: &mut Dice) {
    let done = if resource.is_ideas() {
        ("stage=draft", "stage", json!("draft"))
    } else {
        ("completed=true", "completed", json!(true))
    };
    let checks: [(&str, Wanted<'_>); 5] = [
        ("", &|_| true),
        (done.0, &|row| row[done.1] == done.2),
        ("priority=high", &|row| row["priority"] == "high"),
        ("tags=b", &|row| row["tags"].as_array().is_some_and(|tags| tags.contains(&json!("b")))),
        ("search=BLOG", &|row| row["title"].as_str().is_some_and(|title| title.contains("Blog"))),
    ];
    for (query, wanted) in checks {
        let rows = resource.rows(&format!("limit=100&{query}")).await;
        let seen: BTreeMap<_, _> =
            rows.into_iter().map(|row| (row["id"].as_str().unwrap_or_default().to_owned(), row)).collect();
        let expected: BTreeMap<_, _> =
            model.iter().filter(|(_, row)| wanted(row)).map(|(id, row)| (id.clone(), row.clone())).collect();
        assert_eq!(seen, expected, "{} {query}", resource.base);
    }
    let total = resource.list("limit=1").await.is(200)["total"].clone();
    assert_eq!(total, model.len(), "{}", resource.base);
    let (filter, wanted) = checks[dice.below(checks.len())];
    let rows: Vec<_> = model.values().filter(|row| wanted(row)).cloned().collect();
    in_order(user, resource, rows, filter, dice).await;
}

/// A walk in an order by chance, and back, shows these rows in that order.
async fn in_order(user: &User, resource: &Resource, rows: Vec<Value>, filter: &str, dice: &mut Dice) {
    let mut orders = orders(if resource.is_ideas() { "stage" } else { "completed" });
    let (sort, order) = orders.swap_remove(dice.below(orders.len()));
    let count = ["&count=false", ""][dice.below(2)];
    let query = format!("?sort={sort}&order={order}&{filter}&limit={}{count}", 1 + dice.below(12));
    let expected = sorted(rows, &sort, order);
    let (walked, last) = on(user, &resource.base, &query).await;
    assert_eq!(walked, expected, "{}{query}", resource.base);
    let (walked, _) = back(user, &resource.base, last).await;
    assert_eq!(walked, expected, "back {}{query}", resource.base);
}
