//! Nobody reaches what is not hers: every operation of the server's own document, tried by everyone but its owner.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Request, User, World, document, on_both_and_pooled, without_correlation};

on_both_and_pooled!(nobody_reaches_what_is_not_hers);

/// What everyone may open and no contract documents.
const PAGES: [&str; 4] = ["/", "/docs", "/redoc", "/openapi.json"];

/// Who may do what an operation does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum For {
    /// Anyone.
    Everyone,
    /// The user that the path names.
    Owner,
    /// The token's user; the path names nobody.
    Me,
}

/// Every operation: method, path as the document writes it, whose it is, and a body that would do harm.
fn table() -> Vec<(&'static str, &'static str, For, Option<Value>)> {
    let task = || Some(json!({"title": "Stolen", "description": "Stolen", "completed": true}));
    let idea = || Some(json!({"title": "Stolen", "notes": "Stolen", "stage": "published"}));
    let mut table = vec![
        ("get", "/health", For::Everyone, None),
        ("get", "/health/db", For::Everyone, None),
        ("get", "/health/ready", For::Everyone, None),
        ("get", "/api/v1/users/me", For::Me, None),
        ("delete", "/api/v1/users/me", For::Me, None),
        ("get", "/api/v1/auth/verify", For::Me, None),
    ];
    for (many, one, whose, body) in [
        (
            "/api/{user_id}/tasks",
            "/api/{user_id}/tasks/{id}",
            For::Owner,
            &task as &dyn Fn() -> Option<Value>,
        ),
        ("/api/v1/{user_id}/tasks", "/api/v1/{user_id}/tasks/{id}", For::Owner, &task),
        ("/api/v1/{user_id}/ideas", "/api/v1/{user_id}/ideas/{id}", For::Owner, &idea),
        ("/api/tasks", "/api/tasks/{id}", For::Me, &task),
        ("/api/v1/tasks", "/api/v1/tasks/{id}", For::Me, &task),
        ("/api/v1/ideas", "/api/v1/ideas/{id}", For::Me, &idea),
    ] {
        table.extend([("get", many, whose, None), ("post", many, whose, body())]);
        table.extend([("get", one, whose, None), ("delete", one, whose, None)]);
        table.extend([("put", one, whose, body()), ("patch", one, whose, body())]);
    }
    for (path, whose, body) in [
        ("/api/v1/{user_id}/tasks/batch", For::Owner, task()),
        ("/api/v1/{user_id}/ideas/batch", For::Owner, idea()),
        ("/api/v1/tasks/batch", For::Me, task()),
        ("/api/v1/ideas/batch", For::Me, idea()),
    ] {
        let operations = json!([{"op": "create", "data": body}]);
        table.push(("post", path, whose, Some(json!({ "operations": operations }))));
    }
    for (method, path, whose) in [
        ("patch", "/api/{user_id}/tasks/{id}/complete", For::Owner),
        ("post", "/api/{user_id}/tasks/{id}/complete", For::Owner),
        ("post", "/api/{user_id}/tasks/{id}/uncomplete", For::Owner),
        ("patch", "/api/{user_id}/tasks/{id}/toggle", For::Owner),
        ("patch", "/api/v1/{user_id}/tasks/{id}/complete", For::Owner),
        ("patch", "/api/tasks/{id}/complete", For::Me),
        ("post", "/api/tasks/{id}/complete", For::Me),
        ("post", "/api/tasks/{id}/uncomplete", For::Me),
        ("patch", "/api/tasks/{id}/toggle", For::Me),
        ("patch", "/api/v1/tasks/{id}/complete", For::Me),
    ] {
        table.push((method, path, whose, None));
    }
    for (path, whose) in [
        ("/api/v1/{user_id}/tasks/stats", For::Owner),
        ("/api/v1/{user_id}/tasks/tags", For::Owner),
        ("/api/v1/{user_id}/ideas/stats", For::Owner),
        ("/api/v1/{user_id}/ideas/tags", For::Owner),
        ("/api/v1/tasks/stats", For::Me),
        ("/api/v1/tasks/tags", For::Me),
        ("/api/v1/ideas/stats", For::Me),
        ("/api/v1/ideas/tags", For::Me),
    ] {
        table.push(("get", path, whose, None));
    }
    table
}

/// The operations of the server's own document.
fn documented() -> BTreeSet<(String, String)> {
    let methods = ["get", "put", "post", "delete", "patch", "head", "options", "trace"];
    let paths = document()["paths"].as_object().expect("the document has paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let known =
                item.as_object().expect("an item").keys().filter(|key| methods.contains(&key.as_str()));
            known.map(|method| (method.clone(), path.clone()))
        })
        .collect()
}

#[test]
fn the_table_has_every_operation() {
    let table = table();
    let known: BTreeSet<_> =
        table.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(known.len(), table.len(), "a row is there twice");
    let documented = documented();
    let missing: Vec<_> = documented.difference(&known).collect();
    assert!(missing.is_empty(), "documented, but nobody has tried to break in there: {missing:?}");
    let unheard: Vec<_> = known.difference(&documented).collect();
    assert!(unheard.is_empty(), "tried, but nobody has documented it: {unheard:?}");
}

/// Everything that Ann can see of hers.
async fn all_of(user: &User) -> Value {
    let mut seen = Vec::new();
    for resource in user.resources() {
        seen.push(json!(resource.rows("").await));
    }
    seen.push(user.get("/api/v1/users/me").await.is(200));
    json!(seen)
}

async fn nobody_reaches_what_is_not_hers(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let task = ann
        .tasks()
        .create(json!({"title": "Ann's", "tags": ["private"], "due_date": "2030-01-01"}))
        .await
        .is(201);
    ann.tasks().create(json!({"title": "Ann's second"})).await.is(201);
    let idea = ann.ideas().create(json!({"title": "Ann's", "tags": ["private"]})).await.is(201);
    bob.tasks().create(json!({"title": "Bob's"})).await.is(201);
    bob.ideas().create(json!({"title": "Bob's"})).await.is(201);
    let (anns, bobs) = (all_of(&ann).await, all_of(&bob).await);
    assert!(!anns.to_string().contains("Bob's") && !bobs.to_string().contains("Ann's"), "{anns} {bobs}");

    for page in PAGES {
        assert_eq!(world.get(page).await.status, 200, "{page}");
        assert_eq!(bob.get(page).await.status, 200, "{page}");
    }
    for (method, path, whose, body) in table() {
        let id = if path.contains("ideas") { &idea["id"] } else { &task["id"] };
        let id = id.as_str().expect("an id");
        let asked = |user: &str, id: &str| {
            let request =
                Request::new(&method.to_uppercase(), path.replace("{user_id}", user).replace("{id}", id));
            match &body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        if whose == For::Everyone {
            assert_eq!(world.send(asked("ann", id)).await.status, 200, "{method} {path}");
            continue;
        }
        world.send(asked("ann", id)).await.is(401);
        world.send(asked("ann", id).bearer("garbage")).await.is(401);
        world.expired("ann").send(asked("ann", id)).await.is(401);
        if whose == For::Owner {
            bob.send(asked("ann", id)).await.is(403);
            bob.send(asked("ANN", id)).await.is(403);
        }
        if path.contains("{id}") {
            // Number 2 is Ann's alone: Bob has but one task.
            for own in ["bob", "me"] {
                looks_like_nothing(&bob, &asked, own, id).await;
                if path.contains("tasks") {
                    bob.send(asked(own, "2")).await.is(404);
                }
            }
        }
        assert_eq!(all_of(&ann).await, anns, "{method} {path} changed what is Ann's");
    }
    assert_eq!(all_of(&bob).await, bobs, "and nothing of Bob's");
}

/// Another's id is answered exactly as an id that nobody has.
async fn looks_like_nothing(user: &User, asked: &impl Fn(&str, &str) -> Request, own: &str, id: &str) {
    let nobodys = "01890000-0000-7000-8000-000000000000";
    let told = |answer: Answer, id: &str| without_correlation(answer.is(404)).to_string().replace(id, "…");
    let theirs = told(user.send(asked(own, id)).await, id);
    let none = told(user.send(asked(own, nobodys)).await, nobodys);
    assert_eq!(theirs, none);
}
