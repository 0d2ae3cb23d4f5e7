//! Writes of front-ends that were written against other back ends, and what they are told when something is wrong.

use serde_json::{Value, json};

use crate::harness::{Answer, Front, Request, World, on_both};
use crate::settings::{EVERYTHING, PATH, path};

on_both!(
    a_front_end_that_says_is_completed,
    a_front_end_that_puts_what_it_changed,
    a_front_end_that_reads_json_from_every_answer,
    a_front_end_that_never_reads_a_body_it_did_not_ask_for,
    a_front_end_that_shows_nested_errors,
    a_repeated_request_keeps_the_look,
    a_tag_is_good_for_one_look_only,
);

async fn a_front_end_that_says_is_completed(world: &World) {
    let front = Front::open(world, &[("TODO_COMPLETED_FIELD", "is_completed")]).await;
    let task = front.post(PATH, json!({"title": "T", "is_completed": true})).await;
    assert_eq!((&task["is_completed"], task.get("completed")), (&json!(true), None));
    assert_ne!(task["completed_at"], Value::Null);
    let path = format!("{PATH}/{}", task["id"].as_str().expect("a UUID"));
    let complete = format!("{path}/complete");
    // Either name is taken wherever it can stand.
    for name in ["completed", "is_completed"] {
        assert_eq!(front.patch(&path, json!({name: false})).await["is_completed"], false, "{name}");
        assert_eq!(front.patch(&complete, json!({name: true})).await["is_completed"], true, "{name}");
        assert_eq!(
            front.put(&path, json!({"title": "T", name: false})).await["is_completed"],
            false,
            "{name}"
        );
        let toggle = format!("{path}/toggle");
        assert_eq!(front.patch(&toggle, json!({name: true})).await["is_completed"], true, "{name}");
        let other = front.post(PATH, json!({"title": "Other", name: false})).await;
        assert_eq!(other["is_completed"], false, "{name}");
        let done = front.get(&format!("{PATH}?{name}=true&sort=-{name},title")).await;
        assert_eq!(done[0]["id"], task["id"], "{name}");
        assert_eq!(done.as_array().map(Vec::len), Some(1), "{name}");
    }
    for (method, path) in [("POST", PATH), ("PUT", &path), ("PATCH", &path), ("PATCH", &complete)] {
        let both = json!({"title": "T", "completed": true, "is_completed": true});
        let error = front.json(method, path, Some(both), 400).await;
        assert_eq!(error["detail"], "Malformed JSON: the member completed is given twice", "{method} {path}");
        let wrong = json!({"title": "T", "is_completed": "yes"});
        let error = front.json(method, path, Some(wrong), 422).await;
        assert_eq!(error["detail"], "is_completed: Completed must be true or false", "{method} {path}");
    }
    let half = front.json("PUT", &path, Some(json!({"title": "T"})), 422).await;
    let detail = half["detail"].as_str().expect("a text");
    assert!(detail.contains("is_completed: Completed is required; body: "), "{detail}");
    assert!(
        detail.contains("send both title and is_completed, use PATCH, or set TODO_PUT=partial"),
        "{detail}"
    );
    let both = front.json("GET", &format!("{PATH}?completed=true&is_completed=true"), None, 422).await;
    assert!(both["detail"].as_str().is_some_and(|text| text.contains("mean the same")), "{both}");
    assert_eq!(front.get("/api/v1/ann/tasks").await["items"][0]["completed"], false);
}

async fn a_front_end_that_puts_what_it_changed(world: &World) {
    let front = Front::open(world, &[("TODO_PUT", "partial"), ("TODO_IDS", "number")]).await;
    let whole = json!({"title": "T", "description": "D", "completed": true, "priority": "high", "tags": ["a"], "due_date": "2030-01-02"});
    let mut task = front.post(PATH, whole).await;
    for (name, value) in [
        ("title", json!("New")),
        ("description", json!("")),
        ("description", Value::Null),
        ("completed", json!(false)),
        ("priority", json!("low")),
        ("tags", json!(["b", "c"])),
        ("due_date", json!("2031-01-02T00:00:00Z")),
        ("due_date", Value::Null),
    ] {
        let put = front.put(&path(1), json!({name: value})).await;
        task[name] = value;
        for changed in ["updated_at", "version", "completed_at"] {
            task[changed] = put[changed].clone();
        }
        assert_eq!(put, task, "{name}");
    }
    assert_eq!((&task["completed_at"], &task["version"]), (&Value::Null, &json!(9)));
    assert_eq!(front.get(&format!("{PATH}?tags=b")).await[0]["id"], 1, "the tags are found too");

    // It is still a PUT: a change whatever it holds, and it tells what it cleared.
    assert_eq!(front.put(&path(1), json!({"title": "New"})).await["version"], 10);
    assert_eq!(front.put(&path(1), json!({})).await["version"], 11);
    let cleared = Request::new("PUT", path(1)).json(&json!({"tags": [], "description": null}));
    assert_eq!(front.send(cleared, 200).await.header("cleared-fields"), Some("tags"));
    for (body, field) in [
        (json!({"title": null}), "title"),
        (json!({"completed": null}), "completed"),
        (json!({"tags": null}), "tags"),
        (json!({"title": ""}), "title"),
    ] {
        let error = front.json("PUT", &path(1), Some(body), 422).await;
        assert!(
            error["detail"].as_str().is_some_and(|text| text.starts_with(&format!("{field}: "))),
            "{error}"
        );
    }
    front.json("PUT", &path(2), Some(json!({"title": "New?"})), 404).await;
    front.json("PUT", "/api/v1/ann/tasks/1", Some(json!({"title": "Half"})), 422).await;
}

async fn a_front_end_that_reads_json_from_every_answer(world: &World) {
    let front = Front::open(world, &[("DELETE_STATUS", "200")]).await;
    for (base, title) in [(PATH, "Task"), ("/api/v1/ann/tasks", "Task"), ("/api/v1/ann/ideas", "Idea")] {
        let row = front.post(base, json!({"title": "Gone soon"})).await;
        let path = format!("{base}/{}", row["id"].as_str().expect("a UUID"));
        let gone = front.json("DELETE", &path, None, 200).await;
        assert_eq!(gone, json!({"success": true, "message": format!("{title} deleted"), "id": row["id"]}));
        front.json("DELETE", &path, None, 404).await;
    }
}

async fn a_front_end_that_never_reads_a_body_it_did_not_ask_for(world: &World) {
    let front = Front::open(world, &[("DELETE_STATUS", "204")]).await;
    for base in [PATH, "/api/v1/ann/tasks", "/api/v1/ann/ideas"] {
        let row = front.post(base, json!({"title": "Gone soon"})).await;
        let path = format!("{base}/{}", row["id"].as_str().expect("a UUID"));
        let gone = front.send(Request::new("DELETE", &path), 204).await;
        assert_eq!((gone.body.len(), gone.header("content-type")), (0, None));
        front.json("GET", &path, None, 404).await;
    }
}

async fn a_front_end_that_shows_nested_errors(world: &World) {
    let front = Front::open(world, &[("TODO_ERRORS", "nested")]).await;
    let task = front.post(PATH, json!({"title": "T"})).await;
    let unknown = "01890000-0000-7000-8000-000000000000";
    let to = |segment: &str| format!("{PATH}/{segment}");
    for (method, path, body, status, code, message) in [
        ("GET", to(unknown), None, 404, "NOT_FOUND", format!("Task {unknown} not found")),
        ("GET", to("abc"), None, 422, "VALIDATION_ERROR", "Validation failed".into()),
        (
            "GET",
            "/api/ben/tasks".into(),
            None,
            403,
            "FORBIDDEN",
            "Cannot access other users' resources".into(),
        ),
        ("GET", "/api/nothing".into(), None, 404, "NOT_FOUND", "Not found".into()),
        ("GET", "/api".into(), None, 404, "NOT_FOUND", "Not found".into()),
        ("PUT", PATH.into(), None, 405, "METHOD_NOT_ALLOWED", "Method not allowed".into()),
        ("GET", "/api/ann%/tasks".into(), None, 400, "BAD_REQUEST", String::new()),
        ("POST", PATH.into(), Some(json!([])), 422, "VALIDATION_ERROR", "Validation failed".into()),
    ] {
        let error = front.json(method, &path, body, status).await;
        assert_eq!(
            (&error["success"], &error["error"]["code"]),
            (&json!(false), &json!(code)),
            "{method} {path}"
        );
        assert!(message.is_empty() || error["error"]["message"] == message, "{method} {path}: {error}");
        assert!(error.get("detail").is_none() && error["error"]["correlation_id"].is_string(), "{error}");
    }
    let text = Request::new("POST", PATH).header("Content-Type", "text/plain").body("x");
    assert_eq!(front.send(text, 415).await.value()["error"]["code"], "UNSUPPORTED_MEDIA_TYPE");
    let stranger = front.world.send(Request::new("GET", PATH)).await;
    assert_eq!(stranger.status, 401);
    assert_eq!(stranger.value()["error"]["message"], "Missing authentication token");
    assert!(stranger.header("www-authenticate").is_some());
    let half = front.json("PUT", &to("1"), Some(json!({"completed": true})), 422).await;
    let fields = &half["error"]["details"]["fields"];
    assert_eq!(fields["title"], json!(["Title is required"]));
    assert!(fields["body"][0].as_str().is_some_and(|text| text.contains("TODO_PUT=partial")), "{half}");
    let stale = Request::new("PATCH", to("1")).header("If-Match", "\"old\"").json(&json!({"title": "New"}));
    let stale = front.send(stale, 412).await.value();
    assert_eq!(
        (&stale["error"]["code"], &stale["error"]["details"]["current"]),
        (&json!("PRECONDITION_FAILED"), &task)
    );
}

async fn a_repeated_request_keeps_the_look(world: &World) {
    let front = Front::open(world, &EVERYTHING).await;
    let create = || {
        let request = Request::new("POST", PATH).header("Idempotency-Key", "once");
        request.json(&json!({"title": "Once", "is_completed": true}))
    };
    let first = front.send(create(), 201).await;
    assert_eq!(first.value()["id"], 1);
    let again = front.send(create(), 201).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((again.value(), again.header("location")), (first.value(), Some("/api/ann/tasks/1")));
    assert_eq!(again.header("etag"), first.header("etag"));
    let toggle = || Request::new("PATCH", format!("{}/complete", path(1))).header("Idempotency-Key", "twice");
    let (once, twice) = (front.send(toggle(), 200).await.value(), front.send(toggle(), 200).await.value());
    assert_eq!((&once["is_completed"], &once), (&json!(false), &twice));
    assert_eq!(front.get(PATH).await["total"], 1);
    front.send(Request::new("DELETE", path(1)), 200).await;
    // The row is gone, and so are its texts: what was promised is the id.
    let blank = front.ann.send(create()).await;
    assert_eq!((blank.status, blank.value()), (201, json!({"id": 1})));
}

async fn a_tag_is_good_for_one_look_only(world: &World) {
    for settings in [&[("TODO_IDS", "number")][..], &[("TODO_COMPLETED_FIELD", "is_completed")]] {
        let front = Front::open(world, settings).await;
        front.post(PATH, json!({"title": "T"})).await;
        let tag = |answer: &Answer| answer.header("etag").expect("an ETag").to_owned();
        let (todo, v1) = ("/api/ann/tasks/1", "/api/v1/ann/tasks/1");
        let looks = [tag(&front.ann.get(todo).await), tag(&front.ann.get(v1).await)];
        assert_ne!(looks[0], looks[1], "the same version in another JSON");
        let unless = |path: &str, tag: &str| Request::new("GET", path).header("If-None-Match", tag);
        for (path, own, other) in [(todo, 0, 1), (v1, 1, 0)] {
            assert_eq!(front.ann.send(unless(path, &looks[own])).await.status, 304, "{path}");
            assert_eq!(front.ann.send(unless(path, &looks[other])).await.status, 200, "{path}");
        }
        let change = Request::new("PATCH", todo).header("If-Match", &looks[0]).json(&json!({"title": "New"}));
        let changed = tag(&front.send(change.clone(), 200).await);
        let stale = front.send(change, 412).await;
        assert_eq!(tag(&stale), changed);
        assert_eq!(stale.value()["current"], front.get(todo).await);
    }
}
