//! Entity tags: what is unchanged is not sent again, and nobody overwrites what they have not seen.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, Request, Resource, User, World, on_both, on_both_and_pooled};

on_both!(
    an_entity_tag_names_the_row_and_its_version,
    what_a_client_has_already_is_not_sent_again,
    a_change_of_another_version_is_refused_with_the_row,
    conditions_are_read_as_lists_and_stars,
    a_required_condition_is_asked_for,
    short_answers_for_who_prefers_them,
    a_patch_may_be_a_merge_patch,
);

on_both_and_pooled!(of_a_hundred_writers_one_wins, nothing_is_written_beside_a_refused_change);

fn tag(answer: &Answer) -> String {
    answer.header("etag").expect("an ETag").to_owned()
}

/// One request to a row, under a condition.
async fn under(
    user: &User,
    resource: &Resource,
    id: &Value,
    (method, suffix, body): (&str, &str, Option<Value>),
    condition: &str,
) -> Answer {
    let request =
        Request::new(method, format!("{}{suffix}", resource.path(id))).header("If-Match", condition);
    user.send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

/// Every way to change or remove a row.
fn changes(resource: &Resource) -> Vec<(&'static str, &'static str, Option<Value>)> {
    let whole = json!({"title": "Mine", "completed": false});
    let mut changes = vec![
        ("PUT", "", Some(whole)),
        ("PATCH", "", Some(json!({"title": "Mine"}))),
        ("PATCH", "", Some(json!({"tags": ["mine"]}))),
        ("PATCH", "", Some(json!({}))),
    ];
    if !resource.is_ideas() {
        changes.push(("PATCH", "/complete", None));
        changes.push(("PATCH", "/complete", Some(json!({"completed": true}))));
        if !resource.is_v1() {
            changes.extend([
                ("PATCH", "/toggle", None),
                ("POST", "/complete", None),
                ("POST", "/uncomplete", None),
            ]);
        }
    }
    changes.push(("DELETE", "", None));
    changes
}

async fn an_entity_tag_names_the_row_and_its_version(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    for resource in ann.resources() {
        let made = resource.create(json!({"title": "A"})).await;
        let first = tag(&made);
        let id = made.is(201)["id"].clone();
        assert!(
            first.starts_with('"') && first.ends_with('"') && first.contains(id.as_str().expect("an id")),
            "{first}"
        );
        assert_eq!(tag(&resource.read(&id).await), first, "the row read is the row written");
        assert_eq!(tag(&resource.patch(&id, json!({"title": "A"})).await), first, "nothing changed");
        let second = tag(&resource.patch(&id, json!({"title": "B"})).await);
        let third = tag(&resource.put(&id, json!({"title": "B", "completed": false})).await);
        assert!(first != second && second != third, "{first} {second} {third}");
        if !resource.is_ideas() {
            assert_ne!(tag(&resource.toggle(&id).await), third);
        }
    }
    // The same number, the same version, the same address: not the same tag.
    let (anns, bobs) =
        (tag(&ann.get("/api/tasks/1").await), tag(&bob.tasks().create(json!({"title": "B"})).await));
    assert_ne!(anns, bobs);
}

async fn what_a_client_has_already_is_not_sent_again(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let made = resource.create(json!({"title": "A"})).await;
        let (tag, id) = (tag(&made), made.is(201)["id"].clone());
        for method in ["GET", "HEAD"] {
            for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
                let request =
                    Request::new(method, resource.path(&id)).header("If-None-Match", known.as_str());
                let answer = ann.send(request).await;
                answer.is(304);
                assert_eq!(answer.header("etag"), Some(tag.as_str()), "{method} {known}");
                assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
                assert_eq!(answer.header("content-length"), None, "{method}: of what is not sent");
            }
            for other in ["\"x\"", &tag.replace("-1\"", "-2\""), "", "nonsense"] {
                let request = Request::new(method, resource.path(&id)).header("If-None-Match", other);
                assert_eq!(ann.send(request).await.status, 200, "{method} {other}");
            }
        }
        resource.patch(&id, json!({"title": "B"})).await.is(200);
        let request = Request::new("GET", resource.path(&id)).header("If-None-Match", tag);
        assert_eq!(ann.send(request).await.is(200)["title"], "B");
    }
}

async fn a_change_of_another_version_is_refused_with_the_row(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let made = resource.create(json!({"title": "First", "tags": ["kept"]})).await;
        let (old, id) = (tag(&made), made.is(201)["id"].clone());
        resource.patch(&id, json!({"title": "Second"})).await.is(200);
        let now = resource.read(&id).await;
        let (current, row) = (tag(&now), now.is(200));
        for change in changes(&resource) {
            let refused = under(&ann, &resource, &id, change.clone(), &old).await;
            let body = refused.is(412);
            let told = if resource.is_v1() { &body["error"]["details"]["current"] } else { &body["current"] };
            assert_eq!(*told, row, "{change:?}");
            assert_eq!(tag(&refused), current, "{change:?}");
            assert_eq!(resource.read(&id).await.is(200), row, "{change:?} was done all the same");
        }
        for change in changes(&resource) {
            // With what it is now, each of them works, the removal last.
            let current = tag(&resource.read(&id).await);
            let done = under(&ann, &resource, &id, change.clone(), &current).await;
            assert!(matches!(done.status, 200 | 204), "{change:?} {}", done.text());
        }
        for change in changes(&resource) {
            under(&ann, &resource, &id, change, &old).await.is(404);
        }
    }
}

async fn conditions_are_read_as_lists_and_stars(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let other = tag(&resource.create(json!({"title": "Other"})).await);
        let made = resource.create(json!({"title": "A"})).await;
        let (tag, id) = (tag(&made), made.is(201)["id"].clone());
        let same = ("PATCH", "", Some(json!({"title": "A"})));
        for good in [format!("{other}, W/{tag}"), "*".to_owned(), format!("\"x\",{tag},\"y\"")] {
            under(&ann, &resource, &id, same.clone(), &good).await.is(200);
        }
        for bad in [other.as_str(), "\"1\"", "", "nonsense", tag.trim_matches('"'), "\"*\""] {
            under(&ann, &resource, &id, same.clone(), bad).await.is(412);
        }
        let twice =
            Request::new("PATCH", resource.path(&id)).header("If-Match", other).header("If-Match", tag);
        ann.send(twice.json(&json!({"title": "A"}))).await.is(200);
        under(&ann, &resource, &json!("0198c2a4-7d1f-7abc-8def-0123456789ab"), same, "*").await.is(404);
    }
}

async fn a_required_condition_is_asked_for(world: &World) {
    let careful = world.another(&[("REQUIRE_IF_MATCH", "true")]).await;
    let ann = careful.user("ann");
    for resource in ann.resources() {
        let made = resource.create(json!({"title": "A"})).await;
        let (tag, id) = (tag(&made), made.is(201)["id"].clone());
        for (method, suffix, body) in changes(&resource) {
            let request = Request::new(method, format!("{}{suffix}", resource.path(&id)));
            let request = body.iter().fold(request, Request::json);
            ann.send(request).await.is(428);
        }
        // What is malformed is said first.
        resource.patch(&id, json!({"title": " "})).await.is(422);
        resource.patch(&json!("nonsense"), json!({"title": "B"})).await.is(422);
        assert_eq!(resource.read(&id).await.is(200)["version"], 1);
        under(&ann, &resource, &id, ("PATCH", "", Some(json!({"title": "B"}))), &tag).await.is(200);
        under(&ann, &resource, &id, ("DELETE", "", None), "*").await;
        resource.read(&id).await.is(404);
    }
}

async fn of_a_hundred_writers_one_wins(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.tasks(), ann.ideas()] {
        let made = resource.create(json!({"title": "0", "tags": ["0"]})).await;
        let (seen, id) = (tag(&made), made.is(201)["id"].clone());
        let (ann, resource, seen, id) = (&ann, &resource, &seen, &id);
        let answers = join_all((1..=100).map(|i| async move {
            let body = json!({"title": i.to_string(), "tags": [i.to_string()]});
            under(ann, resource, id, ("PATCH", "", Some(body)), seen).await
        }))
        .await;
        let won: Vec<Value> =
            answers.iter().filter(|answer| answer.status == 200).map(Answer::value).collect();
        assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        assert_eq!(answers.iter().filter(|answer| answer.status == 412).count(), 99);
        let row = resource.read(id).await.is(200);
        assert_eq!(row, won[0]);
        assert_eq!(row["version"], 2);
        assert_eq!(resource.rows(&format!("tags={}", row["title"].as_str().expect("a title"))).await, [row]);
    }
}

async fn nothing_is_written_beside_a_refused_change(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let made = resource.create(json!({"title": "A", "tags": ["old"]})).await;
        let id = made.is(201)["id"].clone();
        let change = json!({"title": "B", "tags": ["new"], "completed": false});
        for method in ["PATCH", "PUT"] {
            under(&ann, &resource, &id, (method, "", Some(change.clone())), "\"x\"").await.is(412);
        }
        assert_eq!(resource.titles("tags=old").await, ["A"]);
        assert_eq!(resource.rows("tags=new").await, [Value::Null; 0]);
        resource.delete(&id).await;
    }
}

async fn short_answers_for_who_prefers_them(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let short = |method: &str, path: &str, body: &Value| {
            let request = Request::new(method, path).header("Prefer", "return=minimal").json(body);
            ann.send(request)
        };
        let made = short("POST", &resource.base, &json!({"title": "A"})).await;
        assert_eq!((made.is(201), made.body.len()), (Value::Null, 0));
        assert_eq!(made.listed("preference-applied"), ["return=minimal"]);
        let path = made.header("location").expect("a Location").to_owned();
        let seen = ann.get(&path).await;
        assert_eq!(tag(&made), tag(&seen));
        let id = seen.is(200)["id"].clone();
        let mut requests = vec![("PATCH", path.clone(), json!({"title": "B"}))];
        requests.push(("PUT", path.clone(), json!({"title": "C", "completed": true})));
        if !resource.is_ideas() {
            requests.push(("PATCH", format!("{path}/complete"), json!({})));
        }
        for (method, path, body) in requests {
            let answer = short(method, &path, &body).await;
            answer.is(204);
            assert_eq!(answer.listed("preference-applied"), ["return=minimal"]);
            assert_eq!(tag(&answer), tag(&resource.read(&id).await), "{method} {path}");
        }
        // An error is told in full all the same.
        short("PATCH", &path, &json!({"title": " "})).await.complains_about("title");
    }
}

async fn a_patch_may_be_a_merge_patch(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let long = resource.long_text();
        let id = resource.create(json!({"title": "A", (long): "x"})).await.is(201)["id"].clone();
        let request =
            Request::new("PATCH", resource.path(&id)).header("Content-Type", "application/merge-patch+json");
        let row = ann.send(request.body(json!({ (long): null }).to_string())).await.is(200);
        assert_eq!((&row["title"], &row[long]), (&json!("A"), &Value::Null));
    }
}
