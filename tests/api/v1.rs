//! The v1 contract: pages, nested errors, the user herself.

use serde_json::{Value, json};

use crate::harness::{World, on_both};

on_both!(
    an_idea_from_first_to_last,
    an_idea_has_exactly_these_members,
    a_page_says_where_it_is,
    a_page_refuses_a_wrong_window,
    put_replaces_an_idea_whole,
    patch_changes_only_what_it_names,
    tasks_are_the_same_in_both_contracts,
    refusals_are_nested_and_complete,
    the_user_is_known_from_her_first_write,
    a_token_is_verified_alone,
    a_user_can_erase_herself,
    me_stands_for_the_user,
);

async fn an_idea_from_first_to_last(world: &World) {
    let ann = world.user("ann");
    let ideas = ann.ideas();
    let empty = json!({"items": [], "total": 0, "limit": 20, "offset": 0, "has_more": false});
    assert_eq!(ideas.list("").await.is(200), empty);

    let created =
        ideas.create(json!({"title": " A film ", "notes": "", "stage": "outline", "tags": ["video"]})).await;
    let idea = created.is(201);
    assert_eq!(idea["title"], "A film");
    assert_eq!(idea["notes"], "", "an empty note is kept");
    assert_eq!(idea["stage"], "outline");
    let location = created.header("location").expect("a Location").to_owned();
    assert_eq!(ann.get(&location).await.is(200), idea);
    assert_eq!(ideas.read(&idea["id"]).await.is(200), idea);
    let page = json!({"items": [idea], "total": 1, "limit": 20, "offset": 0, "has_more": false});
    assert_eq!(ideas.list("").await.is(200), page);

    for stage in ["published", "idea", "draft", "outline"] {
        let moved = ideas.patch(&idea["id"], json!({ "stage": stage })).await.is(200);
        assert_eq!(moved["stage"], stage, "any stage may follow any other");
    }
    assert_eq!(ideas.delete(&idea["id"]).await.is(204), Value::Null);
    let gone = format!("Idea {} not found", idea["id"].as_str().expect("an id"));
    ideas.read(&idea["id"]).await.refuses(404, &gone);
    ideas.delete(&idea["id"]).await.refuses(404, &gone);
    ideas.patch(&idea["id"], json!({"title": "x"})).await.refuses(404, &gone);
    ideas.put(&idea["id"], json!({"title": "x"})).await.refuses(404, &gone);
    assert_eq!(ideas.list("").await.is(200), empty);
}

async fn an_idea_has_exactly_these_members(world: &World) {
    let idea = world.user("ann").ideas().create(json!({"title": "A film"})).await.is(201);
    let mut members: Vec<_> = idea.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    let expected = [
        "created_at",
        "due_date",
        "id",
        "notes",
        "priority",
        "stage",
        "tags",
        "title",
        "updated_at",
        "user_id",
        "version",
    ];
    assert_eq!(members, expected);
    assert_eq!(idea["user_id"], "ann");
    assert_eq!(
        (&idea["stage"], &idea["priority"], &idea["tags"]),
        (&json!("idea"), &json!("medium"), &json!([]))
    );
    assert_eq!((&idea["notes"], &idea["due_date"]), (&Value::Null, &Value::Null));
    assert_eq!(idea["created_at"], idea["updated_at"]);
}

async fn a_page_says_where_it_is(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.ideas(), ann.v1_tasks()] {
        let mut newest_first = Vec::new();
        for i in 0..23 {
            newest_first.insert(0, resource.create(json!({"title": format!("Number {i}")})).await.is(201));
        }
        let page = async |query: &str| resource.list(query).await.is(200);
        let expected = |rows: std::ops::Range<usize>, limit: usize, offset: usize, more: bool| json!({"items": newest_first[rows], "total": 23, "limit": limit, "offset": offset, "has_more": more});
        assert_eq!(page("").await, expected(0..20, 20, 0, true));
        assert_eq!(page("offset=20").await, expected(20..23, 20, 20, false));
        assert_eq!(page("limit=23").await, expected(0..23, 23, 0, false), "full and yet the last");
        assert_eq!(page("limit=22").await, expected(0..22, 22, 0, true));
        assert_eq!(page("limit=1&offset=22").await, expected(22..23, 1, 22, false));
        assert_eq!(page("limit=100").await, expected(0..23, 100, 0, false));
        assert_eq!(page("offset=23").await, expected(0..0, 20, 23, false));
        assert_eq!(
            page("offset=9007199254740992").await["total"],
            23,
            "past the end the total is still right"
        );
        assert_eq!(page("search=Number%201&limit=2").await["total"], 12, "the total counts what was found");
    }
}

async fn a_page_refuses_a_wrong_window(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.ideas(), ann.v1_tasks()] {
        for limit in ["0", "-1", "101", "%2B5", "+5", "1e3", "9223372036854775808", "", "x", "1.0", "%D9%A1"]
        {
            resource.list(&format!("limit={limit}")).await.complains_about("limit");
        }
        for offset in ["-1", "9007199254740993", "9223372036854775808", "1e3", "x", "0.5"] {
            resource.list(&format!("offset={offset}")).await.complains_about("offset");
        }
        resource.list("limit=5&limit=5").await.complains_about("limit");
        resource.list("offset=0&offset=1").await.complains_about("offset");
    }
}

async fn put_replaces_an_idea_whole(world: &World) {
    let ideas = world.user("ann").ideas();
    let whole = json!({"title": "Whole", "notes": "all of it", "stage": "draft", "priority": "high", "tags": ["a"],
        "due_date": "2030-01-01"});
    let idea = ideas.create(whole).await.is(201);
    let answer = ideas.put(&idea["id"], json!({"title": "Bare", "tags": ["b"]})).await;
    let put = answer.is(200);
    let mut expected = idea.clone();
    for (field, value) in [
        ("title", json!("Bare")),
        ("notes", Value::Null),
        ("stage", json!("idea")),
        ("priority", json!("medium")),
        ("tags", json!(["b"])),
        ("due_date", Value::Null),
        ("updated_at", put["updated_at"].clone()),
        ("version", put["version"].clone()),
    ] {
        expected[field] = value;
    }
    assert_eq!(put, expected);
    assert!(put["version"].as_i64() > idea["version"].as_i64());
    let cleared = answer.listed("cleared-fields");
    assert!(cleared.contains(&"notes".to_owned()) && cleared.contains(&"due_date".to_owned()), "{cleared:?}");
    ideas.put(&idea["id"], json!({"notes": "no title"})).await.complains(&[("title", "Title is required")]);
    assert_eq!(ideas.read(&idea["id"]).await.is(200), put);
}

async fn patch_changes_only_what_it_names(world: &World) {
    let ideas = world.user("ann").ideas();
    let mut expected = ideas
        .create(
            json!({"title": "T", "notes": "N", "stage": "draft", "tags": ["x"], "due_date": "2030-05-06"}),
        )
        .await
        .is(201);
    let id = expected["id"].clone();
    for (field, value) in [
        ("title", json!("New")),
        ("notes", Value::Null),
        ("notes", json!("  kept as sent ")),
        ("stage", json!("published")),
        ("priority", json!("low")),
        ("tags", json!(["b", "a"])),
        ("due_date", Value::Null),
    ] {
        let changed = ideas.patch(&id, json!({ (field): value })).await.is(200);
        assert!(changed["version"].as_i64() > expected["version"].as_i64(), "{field}");
        expected[field] = value;
        expected["updated_at"] = changed["updated_at"].clone();
        expected["version"] = changed["version"].clone();
        assert_eq!(changed, expected, "{field}");
    }
    assert_eq!(ideas.read(&id).await.is(200), expected);
}

async fn tasks_are_the_same_in_both_contracts(world: &World) {
    let ann = world.user("ann");
    let (todo, v1) = (ann.tasks(), ann.v1_tasks());
    let task = v1.create(json!({"title": "Seen twice", "priority": "high"})).await.is(201);
    assert_eq!(todo.list("").await.is(200), json!([task]));
    assert_eq!(v1.list("").await.is(200)["items"], json!([task]));
    let done = v1.toggle(&task["id"]).await.is(200);
    assert_eq!(done["completed"], true);
    assert_eq!(todo.read(&json!(1)).await.is(200), done);
    let deleted = v1.delete(&task["id"]).await.is(200);
    assert_eq!(deleted, json!({"success": true, "message": "Task deleted"}));
    let gone = format!("Task {} not found", task["id"].as_str().expect("an id"));
    v1.delete(&task["id"]).await.refuses(404, &gone);
    todo.delete(&task["id"]).await.refuses(404, "Task not found");
}

async fn refusals_are_nested_and_complete(world: &World) {
    let ideas = world.user("ann").ideas();
    ideas.create(json!({"stage": "film", "tags": ["ok", 7]})).await.complains(&[
        ("title", "Title is required"),
        ("stage", "Invalid stage. Must be one of: idea, outline, draft, published"),
        ("tags", "Each tag must be a string"),
    ]);
    ideas
        .create(json!({"title": "x".repeat(201)}))
        .await
        .complains(&[("title", "Title exceeds maximum length of 200 characters")]);
    ideas.list("stage=film").await.complains_about("stage");
    assert_eq!(ideas.list("").await.is(200)["total"], 0);
}

async fn the_user_is_known_from_her_first_write(world: &World) {
    let ann = world.user("ann");
    let before = ann.get("/api/v1/users/me").await.is(200);
    let mut members: Vec<_> = before.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        ["authenticated", "created_at", "email", "id", "name", "token_expires_at", "user_id"]
    );
    assert_eq!((&before["id"], &before["user_id"]), (&json!("ann"), &json!("ann")));
    assert_eq!((&before["email"], &before["name"]), (&json!("someone@example.com"), &json!("Someone")));
    assert_eq!(before["authenticated"], true);
    assert_eq!(before["created_at"], Value::Null);
    assert!(before["token_expires_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{before}");

    ann.ideas().create(json!({"title": "First"})).await.is(201);
    let after = ann.get("/api/v1/users/me").await.is(200);
    assert_ne!(after["created_at"], Value::Null);
    ann.tasks().create(json!({"title": "Second"})).await.is(201);
    assert_eq!(ann.get("/api/v1/users/me").await.is(200), after);
}

async fn a_token_is_verified_alone(world: &World) {
    let ann = world.user("ann");
    let verified = ann.get("/api/v1/auth/verify").await.is(200);
    assert_eq!((&verified["id"], &verified["user_id"]), (&json!("ann"), &json!("ann")));
    assert_eq!(verified["email"], "someone@example.com");
    assert_eq!(verified["authenticated"], true);
    assert_eq!(ann.get("/api/v1/users/me").await.is(200)["created_at"], Value::Null, "nothing was written");
}

async fn a_user_can_erase_herself(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    for user in [&ann, &bob] {
        for resource in user.resources() {
            resource.create(json!({"title": "Mine", "tags": ["a", "b"]})).await.is(201);
        }
    }
    let bobs = bob.tasks().list("").await.is(200);
    ann.delete("/api/v1/users/me").await.is(204);
    for resource in ann.resources() {
        assert_eq!(resource.rows("").await, Vec::<Value>::new());
        assert_eq!(resource.rows("tags=a").await, Vec::<Value>::new());
    }
    assert_eq!(ann.get("/api/v1/users/me").await.is(200)["created_at"], Value::Null);
    ann.delete("/api/v1/users/me").await.is(204);
    assert_eq!(bob.tasks().list("").await.is(200), bobs);
    ann.tasks().create(json!({"title": "Back again"})).await.is(201);
    assert_eq!(ann.tasks().titles("").await, ["Back again"]);
}

async fn me_stands_for_the_user(world: &World) {
    let ann = world.user("ann");
    let idea = ann.post("/api/v1/ideas", json!({"title": "Without a name"})).await.is(201);
    assert_eq!(idea["user_id"], "ann");
    let id = idea["id"].as_str().expect("an id");
    for base in ["/api/v1/ideas", "/api/v1/me/ideas", "/api/v1/ann/ideas"] {
        assert_eq!(ann.get(&format!("{base}/{id}")).await.is(200), idea, "{base}");
        assert_eq!(ann.get(base).await.is(200)["items"], json!([idea]), "{base}");
    }
    ann.delete(&format!("/api/v1/me/ideas/{id}")).await.is(204);
}
