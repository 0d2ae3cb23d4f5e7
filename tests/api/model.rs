//! Eight users at random against a model of what each of them should see.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Dice, Resource, World, on_both_and_pooled};

on_both_and_pooled!(users_never_mix);

const USERS: usize = 8;
const STEPS: usize = 60;

async fn users_never_mix(world: &World) {
    let mut dice = Dice::new();
    let afternoons = (0..USERS).map(|i| {
        let user = world.user(&format!("user-{i}"));
        let [todo, _, ideas] = user.resources();
        let (mut for_tasks, mut for_ideas) = (dice.split(), dice.split());
        async move {
            let both = (afternoon(&todo, &mut for_tasks), afternoon(&ideas, &mut for_ideas));
            tokio::join!(both.0, both.1);
        }
    });
    join_all(afternoons).await;
}

/// One user's random work on one kind of row; after every few steps all that she sees is what the model says.
async fn afternoon(resource: &Resource, dice: &mut Dice) {
    let mut model: BTreeMap<String, Value> = BTreeMap::new();
    for step in 0..STEPS {
        let some_id = model.keys().nth(dice.below(model.len().max(1))).cloned();
        match (dice.below(10), some_id) {
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
                answer.is(204);
                model.remove(&id);
                resource.read(&json!(id)).await.is(404);
            }
            (_, Some(id)) => assert_eq!(resource.read(&json!(id)).await.is(200), model[&id]),
        }
        if step % 10 == 9 {
            agrees(resource, &model).await;
        }
    }
    agrees(resource, &model).await;
}

fn random_row(dice: &mut Dice) -> Value {
    let words = ["milk", "bread", "film", "Blog", "100%"];
    let tags: Vec<_> = ["a", "b", "c"].into_iter().filter(|_| dice.below(2) == 0).collect();
    let title = format!("{} {}", words[dice.below(5)], words[dice.below(5)]);
    let priority = ["high", "medium", "low"][dice.below(3)];
    let stage = ["idea", "outline", "draft", "published"][dice.below(4)];
    let completed = dice.below(2) == 0;
    json!({"title": title, "priority": priority, "tags": tags, "completed": completed, "stage": stage})
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

/// Lists, filters and search see exactly the model's rows.
async fn agrees(resource: &Resource, model: &BTreeMap<String, Value>) {
    let done = if resource.is_ideas() {
        ("stage=draft", "stage", json!("draft"))
    } else {
        ("completed=true", "completed", json!(true))
    };
    let checks: [(&str, Wanted<'_>); 5] = [
        ("order=asc", &|_| true),
        (done.0, &|row| row[done.1] == done.2),
        ("priority=high", &|row| row["priority"] == "high"),
        ("tags=b", &|row| row["tags"].as_array().is_some_and(|tags| tags.contains(&json!("b")))),
        ("search=BLOG", &|row| row["title"].as_str().is_some_and(|title| title.contains("Blog"))),
    ];
    for (query, wanted) in checks {
        let rows = resource.rows(&format!("{query}&limit=100")).await;
        let seen: BTreeMap<_, _> =
            rows.into_iter().map(|row| (row["id"].as_str().unwrap_or_default().to_owned(), row)).collect();
        let expected: BTreeMap<_, _> =
            model.iter().filter(|(_, row)| wanted(row)).map(|(id, row)| (id.clone(), row.clone())).collect();
        assert_eq!(seen, expected, "{} {query}", resource.base);
    }
    let total = resource.list("limit=1").await.is(200)["total"].clone();
    assert_eq!(total, model.len(), "{}", resource.base);
}
