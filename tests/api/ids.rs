//! User ids are opaque: whatever a token's id looks like, to SQL above all, it is one user's and nobody else's.

use serde_json::{Value, json};

use crate::harness::{World, encode, on_both_and_pooled};

on_both_and_pooled!(ids_that_look_like_something_are_ids);

fn ids() -> Vec<String> {
    let mut ids: Vec<String> = [
        "o'brien",
        "o''brien",
        "\"ann\"",
        "'; drop table tasks; --",
        "' or '1'='1",
        "%",
        "%%",
        "_",
        "a%",
        "a_",
        "%27",
        "back\\slash",
        "\\",
        "\\'",
        "$1",
        "?1",
        ":1",
        "@tasks",
        "{user_id}",
        "null",
        "true",
        "0",
        "-1",
        "1e3",
        "a b",
        "a/b",
        "a?b#c",
        "a&b=c",
        "a;b",
        "ann@example.com",
        // One to the eye, two to the database: composed and decomposed.
        "Zo\u{eb}",
        "Zoe\u{308}",
        "ANN",
        "ann",
        "stra\u{df}e",
        "strasse",
        "\u{7528}\u{6237}",
        "\u{627}\u{644}\u{645}\u{633}\u{62a}\u{62e}\u{62f}\u{645}",
        "👩\u{200d}🚀",
        "\u{202e}txt",
        "\u{feff}ann",
        "\u{10ffff}",
        "v2",
        "health",
        "docs",
    ]
    .map(str::to_owned)
    .into();
    ids.extend(["a".repeat(255), "\u{e9}".repeat(255), "'".repeat(255), "🚀".repeat(255)]);
    ids
}

async fn ids_that_look_like_something_are_ids(world: &World) {
    let ids = ids();
    let mut made: Vec<[Value; 3]> = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        let user = world.user(id);
        let mut rows = Vec::new();
        for resource in user.resources() {
            let body = json!({"title": format!("Of {i}"), "tags": [format!("tag{i}"), "all"]});
            let row = resource.create(body).await.is(201);
            assert_eq!(row["user_id"], json!(id), "{id:?}");
            rows.push(row);
        }
        made.push(rows.try_into().expect("three"));
    }
    for (i, id) in ids.iter().enumerate() {
        let user = world.user(id);
        let me = user.get("/api/v1/users/me").await.is(200);
        assert_eq!((&me["id"], &me["user_id"]), (&json!(id), &json!(id)));
        for (resource, row) in user.resources().iter().zip(&made[i]) {
            assert_eq!(&resource.read(&row["id"]).await.is(200), row, "{id:?}");
            for query in ["", "tags=all", "search=of", "sort=title"] {
                let rows = resource.rows(query).await;
                let hers = if resource.is_ideas() { 1 } else { 2 };
                assert_eq!(rows.len(), hers, "{id:?} {query}: {rows:?}");
                assert!(rows.iter().all(|row| row["title"] == format!("Of {i}")), "{id:?} {query}: {rows:?}");
            }
            let other = &ids[(i + 1) % ids.len()];
            user.get(&resource.base.replace(&encode(id), &encode(other))).await.is(403);
        }
    }
    // Every second one changes and erases; the others keep what they have.
    for id in ids.iter().step_by(2) {
        let user = world.user(id);
        for resource in user.resources() {
            let row = resource.rows("").await.remove(0);
            let patched = resource.patch(&row["id"], json!({"title": "Changed", "tags": ["new"]})).await;
            assert_eq!(patched.is(200)["title"], "Changed");
            assert_eq!(resource.titles("tags=new").await, ["Changed"], "{id:?}");
        }
        user.delete("/api/v1/users/me").await.is(204);
        assert_eq!(user.tasks().rows("").await, Vec::<Value>::new(), "{id:?}");
    }
    for (i, id) in ids.iter().enumerate().skip(1).step_by(2) {
        for (resource, row) in world.user(id).resources().iter().zip(&made[i]) {
            assert_eq!(&resource.read(&row["id"]).await.is(200), row, "{id:?}");
        }
    }
}
