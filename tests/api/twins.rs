//! Two users with the very same rows, ids and numbers included: every statement that forgot its owner would touch, show
//! or count the other's too.

use serde_json::{Value, json};

use crate::harness::{Answer, Request, Resource, User, World, on_both_and_pooled};

on_both_and_pooled!(the_same_ids_are_two_rows);

/// Gives Bob what Ann has, by the same ids; only the words are his own.
async fn twin(world: &World) {
    let behind = world.behind().await;
    behind.run("delete from @users where id = 'bob'").await;
    behind
        .run(
            "insert into @users (id, email, name, next_task, created_at, updated_at) \
             select 'bob', 'bob@example.com', 'Bob', next_task, created_at, updated_at from @users where id = 'ann'",
        )
        .await;
    for (table, text, more) in
        [("tasks", "description", "number, completed, completed_at"), ("ideas", "notes", "stage")]
    {
        let same = format!("{more}, priority, tags, due_date, created_at, updated_at, version");
        let one = table.trim_end_matches('s');
        behind
            .run(&format!(
                "insert into @{table} (user_id, id, title, title_fold, {text}, {text}_fold, {same}) \
                 select 'bob', id, 'T Bob''s', 't bob''s', 'N Bob''s', 'n bob''s', {same} from @{table} where user_id = 'ann'"
            ))
            .await;
        behind
            .run(&format!(
                "insert into @{one}_tags (user_id, tag, {one}_id) select 'bob', tag, {one}_id from @{one}_tags where user_id = 'ann'"
            ))
            .await;
    }
}

/// All that Bob can see of his.
async fn all_of(bob: &User) -> Value {
    let mut seen = Vec::new();
    for resource in bob.resources() {
        for query in ["", "tags=a", "tags=a,b&tag_mode=all", "tags=c", "search=t"] {
            seen.push(json!(resource.rows(query).await));
        }
        seen.push(resource.list("limit=1").await.is(200)["total"].clone());
        if resource.is_v1() {
            seen.push(bob.get(&format!("{}/stats", resource.base)).await.is(200));
            seen.push(bob.get(&format!("{}/tags", resource.base)).await.is(200));
        }
    }
    seen.push(bob.get("/api/v1/users/me").await.is(200));
    // When the token ends is the token's.
    if let Some(me) = seen.last_mut() {
        me["token_expires_at"] = Value::Null;
    }
    json!(seen)
}

async fn the_same_ids_are_two_rows(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let before = std::cell::RefCell::new(Value::Null);
    let between = async || {
        if !before.borrow().is_null() {
            assert_eq!(all_of(&bob).await, *before.borrow(), "Ann has changed what is Bob's");
        }
        twin(world).await;
        let seen = all_of(&bob).await;
        assert!(seen.to_string().contains("Bob's"), "{seen}");
        before.replace(seen);
    };
    let answers = everything_once(world, &between).await;
    for answer in answers {
        assert!(!answer.text().contains("Bob"), "Ann is told what is Bob's: {}", answer.text());
    }
    assert_eq!(all_of(&bob).await, *before.borrow(), "Ann has changed what is Bob's");
    // What is counted is hers.
    for resource in ann.resources() {
        let mut ids: Vec<_> =
            resource.rows("limit=100").await.iter().map(|row| row["id"].to_string()).collect();
        let total = resource.list("limit=1").await.is(200)["total"].clone();
        assert_eq!(total, json!(ids.len()), "{}", resource.base);
        ids.sort();
        ids.dedup();
        assert_eq!(total, json!(ids.len()), "{}: a row is there twice", resource.base);
        let stats = ann.get(&format!("/api/v1/{}/stats", resource.kind)).await.is(200);
        assert_eq!(stats["total"], total, "{}", resource.base);
    }
    ann.delete("/api/v1/users/me").await.is(204);
    assert_eq!(all_of(&bob).await, *before.borrow(), "Ann has erased what is Bob's");
    assert_eq!(ann.tasks().rows("").await, Vec::<Value>::new());
}

/// Everything that a front-end can ask for, in every way that makes another statement of it, but for erasing it all.
/// `between` comes after the rows are made and before they are used. Gives the answers.
pub(crate) async fn everything_once(world: &World, between: impl AsyncFn()) -> Vec<Answer> {
    let ann = world.user("ann");
    let mut answers = Vec::new();
    for resource in ann.resources() {
        let long = resource.long_text();
        let whole = json!({"title": "T", (long): "N", "tags": ["a", "b"], "due_date": "2030-01-01", "completed": true});
        let bare = resource.create(json!({"title": "Bare"})).await.is(201)["id"].clone();
        let id = resource.create(whole.clone()).await.is(201)["id"].clone();
        between().await;
        answers.extend(reads(&resource).await);
        answers.push(resource.read(&id).await);
        answers.extend(writes(&ann, &resource, &id, &whole).await);
        answers.extend(reads(&resource).await);
        answers.push(resource.delete(&id).await);
        resource.read(&id).await.is(404);
        answers.push(resource.read(&bare).await);
    }
    for kind in ["tasks", "ideas"] {
        for facts in ["stats", "stats?tz=Asia/Karachi", "tags"] {
            answers.push(ann.get(&format!("/api/v1/{kind}/{facts}")).await);
        }
    }
    answers.push(ann.get("/api/v1/users/me").await);
    for answer in &answers {
        assert!(answer.status < 300, "{}: {}", answer.status, answer.text());
    }
    answers
}

async fn writes(ann: &User, resource: &Resource, id: &Value, whole: &Value) -> Vec<Answer> {
    let long = resource.long_text();
    let mut answers = Vec::new();
    // Under conditions and keys.
    let tag = resource.read(id).await.header("etag").expect("an ETag").to_owned();
    for (header, value) in [("If-Match", tag.as_str()), ("If-Match", "*")] {
        let change = json!({"title": "Expected", "tags": ["a", "d"]});
        let request = Request::new("PATCH", resource.path(id)).header(header, value).json(&change);
        answers.push(ann.send(request).await);
    }
    for _ in 0..2 {
        let request = Request::new("POST", &resource.base)
            .header("Idempotency-Key", format!("key of {}", resource.base));
        answers.push(ann.send(request.json(whole)).await);
    }
    if resource.is_v1() {
        for atomic in [true, false] {
            let operations = json!([
                {"op": "create", "data": whole},
                {"op": "update", "id": id, "data": {"title": "Batch", "tags": ["a", "b"]}},
                {"op": "update", "id": id, "data": {}},
            ]);
            let path = format!("{}/batch", resource.base);
            let body = json!({"atomic": atomic, "operations": operations});
            answers.push(ann.post(&path, body.clone()).await);
            answers.push(
                ann.send(
                    Request::new("POST", path)
                        .header("Idempotency-Key", format!("{}{atomic}", resource.base))
                        .json(&body),
                )
                .await,
            );
        }
    }
    for change in [
        json!({}),
        json!({"title": "U"}),
        json!({"tags": ["c"], "priority": "low"}),
        json!({(long): null, "due_date": null}),
    ] {
        answers.push(resource.patch(id, change).await);
    }
    answers.push(resource.put(id, whole.clone()).await);
    answers.push(resource.put(id, json!({"title": "V", "completed": false})).await);
    if !resource.is_ideas() {
        let number = answers[0].value()["number"].clone();
        answers.push(resource.patch(&number, json!({"title": "W", "tags": ["a", "d"]})).await);
        answers.push(resource.toggle(&number).await);
        answers.push(resource.complete(id, true).await);
        let toggle = format!("/api/tasks/{}/toggle", id.as_str().expect("an id"));
        answers.push(ann.send(Request::new("PATCH", toggle)).await);
    }
    answers
}

/// The page after the first, and the one before that again.
async fn around(resource: &Resource, query: &str) -> Vec<Answer> {
    let mut answers = vec![resource.list(&query.replace("&limit=1&limit=1", "&limit=1")).await];
    for name in ["next", "prev"] {
        let links = answers[answers.len() - 1].header("link").unwrap_or_default().to_owned();
        let end = format!(">; rel=\"{name}\"");
        let link = links.split(", ").find_map(|link| link.strip_prefix("<?")?.strip_suffix(end.as_str()));
        let link = link.unwrap_or_else(|| panic!("no {name} for {query}: {links}"));
        answers.push(resource.list(link).await);
    }
    answers
}

async fn reads(resource: &Resource) -> Vec<Answer> {
    let mut answers = Vec::new();
    for filter in [
        "",
        "limit=1",
        "limit=1&offset=1",
        "search=a%20b",
        "search=t",
        "priority=low",
        "priority=low,high",
        "tags=a",
        "tags=a,b&tag_mode=all",
        "due_before=2040-01-01",
        "due_after=2020-01-01",
        "overdue=true",
        "overdue=false",
        "has_due_date=true",
        "has_due_date=false",
        "completed=true",
        "stage=idea,draft",
        "search=t&tags=c&priority=low&has_due_date=true&limit=3",
    ] {
        answers.push(resource.list(filter).await);
    }
    let state = if resource.is_ideas() { "stage" } else { "completed" };
    for key in ["created_at", "updated_at", "title", "priority", "due_date", state] {
        for order in
            [format!("sort={key}"), format!("sort={key}&order=asc"), format!("sort={key},-title&limit=1")]
        {
            answers.push(resource.list(&order).await);
            answers.extend(around(resource, &format!("{order}&limit=1")).await);
        }
    }
    answers
}
