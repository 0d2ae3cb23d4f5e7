//! The same request again under its key: done once, answered again, for a day, whichever server it comes to.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, Engine, Request, Resource, User, World, on_both, on_both_and_pooled};

on_both!(
    a_repeated_request_gets_the_same_answer,
    a_toggle_is_repeated_without_turning_round,
    a_key_belongs_to_one_request,
    a_malformed_key_is_refused,
    what_was_not_done_is_not_kept,
    the_same_path_in_other_words,
    a_deleted_row_leaves_only_its_id,
    keys_are_outlived_after_a_day,
    erasing_oneself_erases_the_keys,
    two_users_may_have_the_same_key,
    a_short_answer_is_repeated_short,
    a_key_is_judged_after_the_body,
    outlived_keys_of_two_writes_are_in_nobodys_way,
    repeating_beside_an_erasure_is_a_write_or_a_replay,
);

on_both_and_pooled!(twenty_at_once_make_one_row);

/// Sends a request under a key.
async fn keyed(user: &User, key: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let request = Request::new(method, path).header("Idempotency-Key", key);
    user.send(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn post(user: &User, resource: &Resource, key: &str, body: Value) -> Answer {
    keyed(user, key, "POST", &resource.base, Some(&body)).await
}

/// What was answered, but for what differs with each request.
fn said(answer: &Answer) -> (u16, Vec<u8>, Vec<Option<String>>) {
    let headers = ["location", "etag", "content-type"].map(|name| answer.header(name).map(str::to_owned));
    (answer.status, answer.body.clone(), headers.to_vec())
}

async fn a_repeated_request_gets_the_same_answer(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let key = format!("one {}", resource.base);
        let body = json!({"title": "Once", "tags": ["a"], "due_date": "2030-01-01"});
        let first = post(&ann, &resource, &key, body.clone()).await;
        let row = first.is(201);
        assert_eq!(first.header("idempotency-replayed"), None);
        assert_eq!(ann.get(first.header("location").expect("a Location")).await.is(200), row);
        // Changed meanwhile: what was answered stays what was answered.
        resource.patch(&row["id"], json!({"title": "Changed"})).await.is(200);
        for _ in 0..3 {
            let again = post(&ann, &resource, &key, body.clone()).await;
            assert_eq!(said(&again), said(&first));
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
        }
        assert_eq!(resource.titles("search=once").await, [""; 0]);
        let found = resource.titles("search=changed").await;
        assert_eq!(
            found.len(),
            if resource.is_ideas() { 1 } else { resource.titles("search=changed").await.len() }
        );
        resource.delete(&row["id"]).await;
    }
}

async fn a_toggle_is_repeated_without_turning_round(world: &World) {
    let ann = world.user("ann");
    let id = ann.tasks().create(json!({"title": "A"})).await.is(201)["id"].clone();
    let ways = [
        ("PATCH", format!("{}/complete", ann.tasks().path(&id)), None),
        ("PATCH", format!("{}/toggle", ann.tasks().path(&id)), Some(json!({}))),
        ("POST", format!("{}/complete", ann.tasks().path(&id)), None),
        ("POST", format!("{}/uncomplete", ann.tasks().path(&id)), None),
        ("PATCH", format!("{}/complete", ann.v1_tasks().path(&id)), None),
    ];
    for (i, (method, path, body)) in ways.iter().enumerate() {
        let key = format!("toggle {i}");
        let first = keyed(&ann, &key, method, path, body.as_ref()).await;
        let row = first.is(200);
        for _ in 0..3 {
            let again = keyed(&ann, &key, method, path, body.as_ref()).await;
            assert_eq!(said(&again), said(&first), "{method} {path}");
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
        }
        assert_eq!(ann.tasks().read(&id).await.is(200), row, "{method} {path}");
    }
}

async fn twenty_at_once_make_one_row(world: &World) {
    // The first of them is also the user's first write.
    for (name, make) in [("ann", User::tasks as fn(&User) -> Resource), ("ben", User::ideas)] {
        let user = world.user(name);
        let resource = make(&user);
        let body = json!({"title": "Once", "tags": ["a", "b"]});
        let answers = join_all((0..20).map(|_| post(&user, &resource, "twenty", body.clone()))).await;
        let made: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 201 && answer.header("idempotency-replayed").is_none())
            .collect();
        assert_eq!(made.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        for answer in &answers {
            match answer.status {
                201 => assert_eq!(said(answer), said(made[0])),
                409 => assert_eq!(answer.header("retry-after"), Some("1")),
                _ => panic!("{}: {}", answer.status, answer.text()),
            }
        }
        assert_eq!(resource.rows("").await, [made[0].value()]);
    }
}

async fn a_key_belongs_to_one_request(world: &World) {
    let ann = world.user("ann");
    let reused = "Idempotency-Key was used for another request: send a new key with a new request";
    let row = post(&ann, &ann.tasks(), "k", json!({"title": "A"})).await.is(201);
    post(&ann, &ann.tasks(), "k", json!({"title": "B"})).await.complains(&[("Idempotency-Key", reused)]);
    post(&ann, &ann.v1_tasks(), "k", json!({"title": "A"})).await.complains(&[("Idempotency-Key", reused)]);
    post(&ann, &ann.ideas(), "k", json!({"title": "A"})).await.complains(&[("Idempotency-Key", reused)]);
    let complete = format!("{}/complete", ann.tasks().path(&row["id"]));
    keyed(&ann, "k", "PATCH", &complete, None).await.complains(&[("Idempotency-Key", reused)]);
    assert_eq!(ann.tasks().rows("").await, [row]);
    assert_eq!(ann.ideas().rows("").await, [Value::Null; 0]);
}

async fn a_malformed_key_is_refused(world: &World) {
    let ann = world.user("ann");
    for key in [String::new(), " ".to_owned(), "x".repeat(256), "a\tb".to_owned()] {
        post(&ann, &ann.tasks(), &key, json!({"title": "A"})).await.complains_about("Idempotency-Key");
    }
    let twice =
        Request::new("POST", ann.tasks().base).header("Idempotency-Key", "a").header("Idempotency-Key", "a");
    ann.send(twice.json(&json!({"title": "A"}))).await.complains_about("Idempotency-Key");
    post(&ann, &ann.tasks(), &"x".repeat(255), json!({"title": "A"})).await.is(201);
    // Where nothing could be repeated, the header says nothing.
    keyed(&ann, "", "GET", &ann.tasks().base, None).await.is(200);
}

async fn what_was_not_done_is_not_kept(world: &World) {
    let ann = world.user("ann");
    post(&ann, &ann.tasks(), "k", json!({"title": " "})).await.is(422);
    let nowhere = format!("{}/7/complete", ann.tasks().base);
    keyed(&ann, "k", "PATCH", &nowhere, None).await.is(404);
    assert_eq!(ann.get("/api/v1/users/me").await.is(200)["created_at"], Value::Null, "nothing was written");
    let row = post(&ann, &ann.tasks(), "k", json!({"title": "A"})).await.is(201);
    let complete = format!("{}/complete", ann.tasks().path(&row["id"]));
    let stale = Request::new("PATCH", &complete).header("Idempotency-Key", "c").header("If-Match", "\"x\"");
    ann.send(stale).await.is(412);
    assert_eq!(keyed(&ann, "c", "PATCH", &complete, None).await.is(200)["completed"], true);
}

async fn the_same_path_in_other_words(world: &World) {
    let ann = world.user("ann");
    let body = json!({"title": "A"});
    let first = post(&ann, &ann.tasks(), "k", body.clone()).await;
    let row = first.is(201);
    for path in ["/api/me/tasks", "/api/tasks", "/api/tasks/", "/api/ann/tasks/"] {
        assert_eq!(said(&keyed(&ann, "k", "POST", path, Some(&body)).await), said(&first), "{path}");
    }
    let id = row["id"].as_str().expect("an id");
    let done = keyed(&ann, "c", "PATCH", &format!("/api/ann/tasks/{id}/complete"), None).await;
    let again = keyed(&ann, "c", "PATCH", &format!("/api/tasks/{}/complete", id.to_uppercase()), None).await;
    assert_eq!((said(&again), again.header("idempotency-replayed")), (said(&done), Some("true")));
}

async fn a_deleted_row_leaves_only_its_id(world: &World) {
    let ann = world.user("ann");
    let behind = world.behind().await;
    for resource in ann.resources() {
        let key = resource.base.clone();
        let body = json!({"title": "Canary in the answer"});
        let row = post(&ann, &resource, &key, body.clone()).await.is(201);
        resource.delete(&row["id"]).await;
        let again = post(&ann, &resource, &key, body).await;
        assert_eq!(again.is(201), json!({"id": row["id"]}));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert!(again.header("location").is_some() && again.header("etag").is_some());
        assert_eq!(resource.rows("").await, [Value::Null; 0]);
        let canaries = "select count(*) from @idempotency_texts where body like '%Canary%'";
        assert_eq!(behind.number(canaries).await, 0);
        let canaries = "select count(*) from @idempotency_keys where answer like '%Canary%'";
        assert_eq!(behind.number(canaries).await, 0);
    }
}

async fn keys_are_outlived_after_a_day(world: &World) {
    let ann = world.user("ann");
    let behind = world.behind().await;
    let body = json!({"title": "A"});
    let first = post(&ann, &ann.tasks(), "k", body.clone()).await.is(201);
    for i in 0..30 {
        post(&ann, &ann.ideas(), &format!("old {i}"), body.clone()).await.is(201);
    }
    behind.age_keys(23).await;
    assert_eq!(post(&ann, &ann.tasks(), "k", body.clone()).await.is(201), first);
    behind.age_keys(25).await;
    let second = post(&ann, &ann.tasks(), "k", body.clone()).await.is(201);
    assert_ne!(first["id"], second["id"], "after a day the key is free again");
    // It has taken its own and some others of hers away; the next one takes the rest.
    assert!(behind.number("select count(*) from @idempotency_keys").await <= 12);
    post(&ann, &ann.tasks(), "l", body.clone()).await.is(201);
    assert_eq!(behind.number("select count(*) from @idempotency_keys").await, 2);
}

async fn erasing_oneself_erases_the_keys(world: &World) {
    let ann = world.user("ann");
    let body = json!({"title": "A"});
    let first = post(&ann, &ann.tasks(), "k", body.clone()).await.is(201);
    ann.delete("/api/v1/users/me").await.is(204);
    let behind = world.behind().await;
    assert_eq!(behind.number("select count(*) from @idempotency_keys").await, 0);
    assert_eq!(behind.number("select count(*) from @idempotency_texts").await, 0);
    assert_ne!(post(&ann, &ann.tasks(), "k", body).await.is(201)["id"], first["id"]);
}

async fn two_users_may_have_the_same_key(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let body = json!({"title": "A"});
    let anns = post(&ann, &ann.tasks(), "k", body.clone()).await.is(201);
    let bobs = post(&bob, &bob.tasks(), "k", body.clone()).await;
    assert_eq!(bobs.header("idempotency-replayed"), None);
    assert_ne!(bobs.is(201)["id"], anns["id"]);
}

async fn a_short_answer_is_repeated_short(world: &World) {
    let ann = world.user("ann");
    let request = || {
        let request = Request::new("POST", ann.tasks().base).header("Idempotency-Key", "k");
        ann.send(request.header("Prefer", "return=minimal").json(&json!({"title": "A"})))
    };
    let (first, again) = (request().await, request().await);
    first.is(201);
    assert_eq!(said(&again), said(&first));
    assert_eq!(again.body.len(), 0);
    assert_eq!(again.listed("preference-applied"), ["return=minimal"]);
}

async fn a_key_is_judged_after_the_body(world: &World) {
    let ann = world.user("ann");
    for key in ["", "good"] {
        let post = |content_type: &str, body: String| {
            let request = Request::new("POST", ann.tasks().base).header("Idempotency-Key", key);
            ann.send(request.header("Content-Type", content_type).body(body))
        };
        post("text/plain", "{}".to_owned()).await.is(415);
        post("text/plain", "x".repeat(2 << 20)).await.is(415);
        post("application/json", "x".repeat(2 << 20)).await.is(413);
        post("application/json", "{".to_owned()).await.is(400);
        post("application/json", "{}".to_owned()).await.is(422);
    }
    // What reads no body minds none.
    let id = ann.tasks().create(json!({"title": "A"})).await.is(201)["id"].clone();
    let complete = Request::new("POST", format!("{}/complete", ann.tasks().path(&id)));
    ann.send(complete.header("Idempotency-Key", "good").body("x".repeat(2 << 20))).await.is(200);
}

async fn outlived_keys_of_two_writes_are_in_nobodys_way(world: &World) {
    let ann = world.user("ann");
    for i in 0..50 {
        post(&ann, &ann.tasks(), &format!("old {i}"), json!({"title": "A"})).await.is(201);
    }
    world.behind().await.age_keys(25).await;
    let answers = join_all((0..10).map(|i| {
        let (ann, key) = (&ann, format!("new {i}"));
        async move { post(ann, &ann.ideas(), &key, json!({"title": "B"})).await }
    }))
    .await;
    for answer in answers {
        answer.is(201);
    }
    assert_eq!(world.behind().await.number("select count(*) from @idempotency_keys").await, 10);
}

async fn repeating_beside_an_erasure_is_a_write_or_a_replay(world: &World) {
    let ann = world.user("ann");
    for _ in 0..5 {
        let answers = join_all((0..24).map(|i| {
            let ann = &ann;
            async move {
                if i % 8 == 0 {
                    return ann.delete("/api/v1/users/me").await;
                }
                post(ann, &ann.tasks(), &format!("key {}", i % 3), json!({"title": "A"})).await
            }
        }))
        .await;
        for answer in answers {
            // Who meets one erasure after the other is told to come again.
            assert!(matches!(answer.status, 201 | 204 | 409), "{}: {}", answer.status, answer.text());
        }
    }
    let behind = world.behind().await;
    let (keys, tasks) = (
        behind.number("select count(*) from @idempotency_keys").await,
        behind.number("select count(*) from @tasks").await,
    );
    assert_eq!(keys, tasks, "each key that is kept has its row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_request_waits_two_seconds_for_the_first_postgres() {
    second_waits(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_request_waits_two_seconds_for_the_first_postgres_pooled() {
    second_waits(Engine::Pooled).await;
}

/// The first one, on another server say, has taken the key and not come to an end. SQLite has one writer at a time, so
/// nothing is ever seen half done there.
async fn second_waits(engine: Engine) {
    let world = World::open(engine, &[]).await;
    let ann = world.user("ann");
    ann.tasks().create(json!({"title": "There"})).await.is(201);
    let (first, body) = (world.behind().await, json!({"title": "Once"}));
    first.begin().await;
    first
        .run("insert into @idempotency_keys (user_id, key, fingerprint, created_at) values ('ann', 'k', 'x', now())")
        .await;
    let asked = Instant::now();
    let answer = post(&ann, &ann.tasks(), "k", body.clone()).await;
    let waited = asked.elapsed();
    answer.refuses(409, "A request with this Idempotency-Key is still running, please try again");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(waited >= Duration::from_millis(1_900) && waited < Duration::from_secs(4), "{waited:?}");
    // Other keys go on meanwhile, and this one as soon as the first has gone.
    post(&ann, &ann.tasks(), "l", body.clone()).await.is(201);
    let tasks = ann.tasks();
    let (answer, ()) = tokio::join!(post(&ann, &tasks, "k", body.clone()), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        first.run("rollback").await;
    });
    answer.is(201);
    assert_eq!(answer.header("idempotency-replayed"), None);
    // A row that somebody holds is waited for as without a key.
    let complete = format!("{}/complete", ann.tasks().path(&json!(1)));
    first.begin().await;
    first.run("select id from @tasks where user_id = 'ann' and number = 1 for update").await;
    let (answer, ()) = tokio::join!(keyed(&ann, "c", "PATCH", &complete, None), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        first.run("rollback").await;
    });
    assert_eq!(answer.is(200)["completed"], true);
}
