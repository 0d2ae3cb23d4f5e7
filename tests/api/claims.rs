//! What a user's row learns from tokens: by a write whose claims differ, and by nothing else.

use serde_json::{Value, json};

use crate::harness::{Resource, User, World, on_both};

on_both!(a_write_brings_claims_up_to_date, the_first_write_makes_the_row, claims_are_kept_to_their_user);

/// The ways to write a row of this resource.
fn writes(resource: &Resource) -> &'static [&'static str] {
    if resource.is_ideas() {
        &["POST", "PATCH", "PUT", "DELETE"]
    } else {
        &["POST", "PATCH", "PUT", "DELETE", "toggle", "complete"]
    }
}

/// One write of this kind with the user's own token, to a row that is there.
async fn write(resource: &Resource, kind: &str, id: &Value) {
    let whole = json!({"title": "Put", "completed": true});
    match kind {
        "POST" => drop(resource.create(json!({"title": "Posted"})).await.is(201)),
        "PATCH" => drop(resource.patch(id, json!({"title": "Patched"})).await.is(200)),
        "PUT" => drop(resource.put(id, whole).await.is(200)),
        "toggle" => drop(resource.toggle(id).await.is(200)),
        "complete" => drop(resource.complete(id, true).await.is(200)),
        _ => {
            let status = resource.delete(id).await.status;
            assert!(matches!(status, 200 | 204), "{status}");
        }
    }
}

/// The row, as a token without claims sees it.
async fn known(silent: &User) -> (Value, Value) {
    let me = silent.get("/api/v1/users/me").await.is(200);
    (me["email"].clone(), me["name"].clone())
}

fn same(user: &User, resource: &Resource) -> Resource {
    let all = user.resources();
    all.into_iter().find(|other| other.base == resource.base).expect("one of the three")
}

async fn a_write_brings_claims_up_to_date(world: &World) {
    let token = |email, name| world.claiming("ann", email, name);
    let silent = token(None, None);
    let [one, two] = ["one", "two"].map(|word| (format!("{word}@example.com"), format!("Ann {word}")));
    let (one_mail, one_name) = (Some(one.0.as_str()), Some(one.1.as_str()));
    let (two_mail, two_name) = (Some(two.0.as_str()), Some(two.1.as_str()));
    // Each token, and what the row says after a write with it. The same two in turn: what was known a moment ago
    // is not known any more.
    let turns = [
        ((one_mail, one_name), (&one.0, &one.1)),
        ((two_mail, two_name), (&two.0, &two.1)),
        ((None, None), (&two.0, &two.1)),
        ((one_mail, one_name), (&one.0, &one.1)),
        ((one_mail, one_name), (&one.0, &one.1)),
        ((two_mail, None), (&two.0, &one.1)),
        ((None, two_name), (&two.0, &two.1)),
        ((one_mail, None), (&one.0, &two.1)),
        ((None, None), (&one.0, &two.1)),
    ];
    for resource in silent.resources() {
        for kind in writes(&resource) {
            for ((email, name), (expected_email, expected_name)) in turns {
                let id = resource.create(json!({"title": "T"})).await.is(201)["id"].clone();
                let before = known(&silent).await;
                let speaking = token(email, name);
                let reading = same(&speaking, &resource);
                reading.read(&id).await.is(200);
                reading.list("limit=1").await.is(200);
                speaking.get("/api/v1/users/me").await.is(200);
                assert_eq!(known(&silent).await, before, "a read tells the row nothing");
                write(&reading, kind, &id).await;
                assert_eq!(
                    known(&silent).await,
                    (json!(expected_email), json!(expected_name)),
                    "{kind} {} with {email:?} {name:?}",
                    resource.base
                );
            }
        }
    }
}

async fn the_first_write_makes_the_row(world: &World) {
    for (id, email, name) in
        [("a", Some("a@example.com"), Some("A")), ("b", None, Some("B")), ("c", None, None)]
    {
        for kind in 0..3 {
            let id = format!("{id}{kind}");
            let (user, silent) = (world.claiming(&id, email, name), world.claiming(&id, None, None));
            assert_eq!(silent.get("/api/v1/users/me").await.is(200)["created_at"], Value::Null);
            user.resources()[kind].create(json!({"title": "First"})).await.is(201);
            let me = silent.get("/api/v1/users/me").await.is(200);
            assert!(me["created_at"].is_string(), "{me}");
            assert_eq!((&me["email"], &me["name"]), (&json!(email), &json!(name)));
        }
    }
}

async fn claims_are_kept_to_their_user(world: &World) {
    // Of one address, as a shared mailbox has it: two users all the same.
    let (ann, bob) = (
        world.claiming("ann", Some("both@example.com"), Some("Ann")),
        world.claiming("bob", Some("both@example.com"), Some("Bob")),
    );
    for user in [&ann, &bob] {
        user.tasks().create(json!({"title": "T"})).await.is(201);
    }
    let changed = world.claiming("ann", Some("ann@example.com"), Some("Anna"));
    changed.ideas().create(json!({"title": "T"})).await.is(201);
    assert_eq!(known(&world.claiming("bob", None, None)).await, (json!("both@example.com"), json!("Bob")));
    assert_eq!(known(&world.claiming("ann", None, None)).await, (json!("ann@example.com"), json!("Anna")));
}
