//! A user who erases everything while others of her devices still write: no fault, and nothing left over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Engine, World, on_both_and_pooled};

on_both_and_pooled!(erasing_amid_creates, a_create_that_waits_for_an_erasure);

async fn erasing_amid_creates(world: &World) {
    let over = AtomicBool::new(false);
    // With claims and without: the user's row is made and brought up to date in different ways.
    let devices = [
        world.claiming("ann", None, None),
        world.claiming("ann", Some("ann@example.com"), Some("Ann")),
        world.claiming("ann", Some("ann@example.org"), None),
    ];
    let create = async |device: usize, resource: usize| {
        let resource = devices[device].resources()[resource].clone();
        let mut answers = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let body = json!({"title": "Meanwhile", "tags": ["a", "b"]});
            answers.push(resource.create(body).await);
        }
        answers
    };
    let erase = async {
        for _ in 0..100 {
            devices[0].delete("/api/v1/users/me").await.is(204);
        }
        over.store(true, Ordering::Relaxed);
    };
    let creates = (0..3).flat_map(|device| [(device, 0), (device, 2)]);
    let creates = futures_util::future::join_all(creates.map(|(device, resource)| create(device, resource)));
    let (created, ()) = tokio::join!(creates, erase);
    let answers: Vec<_> = created.into_iter().flatten().collect();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 201).collect();
    assert!(
        refused.is_empty(),
        "{} of {} creates beside an erasure failed, the first with {} {}",
        refused.len(),
        answers.len(),
        refused[0].status,
        refused[0].text()
    );
    assert!(answers.len() > 100, "only {} creates beside the erasures", answers.len());

    // Whole rows only: each task has its own number, each tag its row, each row its user.
    let ann = &devices[0];
    let mut numbers: Vec<_> = ann.tasks().rows("").await.iter().map(|row| row["number"].clone()).collect();
    let all = numbers.len();
    numbers.sort_by_key(Value::as_i64);
    numbers.dedup();
    assert_eq!(numbers.len(), all, "a number is there twice");
    let behind = world.behind().await;
    for (rows, tags, owner) in [("@tasks", "@task_tags", "task_id"), ("@ideas", "@idea_tags", "idea_id")] {
        let rows = behind.number(&format!("select count(*) from {rows}")).await;
        let tagged = behind.number(&format!("select count(distinct {owner}) from {tags}")).await;
        assert_eq!(rows, tagged, "{tags}");
    }
    ann.delete("/api/v1/users/me").await.is(204);
    for table in ["@users", "@tasks", "@ideas", "@task_tags", "@idea_tags"] {
        assert_eq!(behind.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    assert_eq!(ann.get("/api/v1/users/me").await.is(200)["created_at"], Value::Null);
}

/// The same at certain moments: the user's row is already gone for the erasure, or it goes while the create, which has
/// just seen it, waits.
async fn a_create_that_waits_for_an_erasure(world: &World) {
    let behind = world.behind().await;
    let sqlite = behind.engine() == Engine::Sqlite;
    let delete = "delete from @users where id = 'ann'";
    let hold = "select id from @users where id = 'ann' for update";
    for (first, then) in [(delete, "commit"), (hold, "delete from @users where id = 'ann'; commit")] {
        for claims in [(None, None), (Some("ann@example.com"), Some("Ann"))] {
            let ann = world.claiming("ann", claims.0, claims.1);
            for resource in ann.resources() {
                resource.create(json!({"title": "Before"})).await.is(201);
                behind.run(if sqlite { "begin immediate" } else { "begin" }).await;
                behind.run(if sqlite { delete } else { first }).await;
                let end = async {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    behind.run(if sqlite { "commit" } else { then }).await;
                };
                let (created, ()) = tokio::join!(resource.create(json!({"title": "After"})), end);
                let row = created.is(201);
                assert_eq!(resource.rows("").await, [row], "{} {claims:?}", resource.base);
            }
        }
    }
}
