//! `Prefer: handling=strict`: who wants to hear of a slip of the pen is told, and nobody else.

use serde_json::{Value, json};

use crate::harness::{Answer, Request, Resource, User, World, document, on_both};

on_both!(
    unknown_members_are_told,
    with_all_else_that_is_wrong,
    what_the_server_sets_may_be_sent_back,
    unknown_parameters_are_told,
    every_documented_parameter_is_known,
    nobody_else_hears_of_it,
);

const TASK: &str =
    "Unknown member. Must be one of: title, description, completed, is_completed, priority, tags, due_date";
const PUT: &str =
    "Unknown member. Must be one of: title, completed, is_completed, description, priority, tags, due_date";
const IDEA: &str = "Unknown member. Must be one of: title, notes, stage, priority, tags, due_date";

async fn strictly(user: &User, method: &str, path: &str, body: Option<Value>) -> Answer {
    let request = Request::new(method, path).header("Prefer", "handling=strict");
    user.send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

fn says_so(answer: &Answer) {
    assert_eq!(answer.header("preference-applied"), Some("handling=strict"), "{}", answer.text());
}

async fn unknown_members_are_told(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let (known, put) = if resource.is_ideas() { (IDEA, IDEA) } else { (TASK, PUT) };
        let done = if resource.is_ideas() { ("stage", json!("draft")) } else { ("completed", json!(false)) };
        let slip = || Some(json!({"title": "A", done.0: done.1, "Priority": "high", "titel": "B"}));
        let refused = strictly(&ann, "POST", &resource.base, slip()).await;
        refused.complains(&[("Priority", known), ("titel", known)]);
        says_so(&refused);
        assert_eq!(resource.rows("").await.len(), 0, "nothing was made");

        let row = strictly(&ann, "POST", &resource.base, Some(json!({"title": "A"}))).await;
        says_so(&row);
        let row = row.is(201);
        let path = resource.path(&row["id"]);
        strictly(&ann, "PUT", &path, slip()).await.complains(&[("Priority", put), ("titel", put)]);
        strictly(&ann, "PATCH", &path, slip()).await.complains(&[("Priority", known), ("titel", known)]);
        assert_eq!(resource.read(&row["id"]).await.is(200), row, "nothing was changed");
        let patched = strictly(&ann, "PATCH", &path, Some(json!({"title": "B"}))).await;
        patched.is(200);
        says_so(&patched);
        if !resource.is_ideas() {
            completes_strictly(&ann, &path).await;
        }
        strictly(&ann, "DELETE", &path, None).await;
    }
}

async fn completes_strictly(ann: &User, path: &str) {
    let complete = format!("{path}/complete");
    let slip = strictly(ann, "PATCH", &complete, Some(json!({"complete": true}))).await;
    slip.complains(&[("complete", "Unknown member. Must be one of: completed, is_completed")]);
    for body in [None, Some(json!({})), Some(json!({"completed": true}))] {
        let done = strictly(ann, "PATCH", &complete, body).await;
        done.is(200);
        says_so(&done);
    }
}

async fn with_all_else_that_is_wrong(world: &World) {
    let ann = world.user("ann");
    let body = json!({"title": " ", "tags": [1], "note": "x"});
    strictly(&ann, "POST", "/api/v1/ideas", Some(body)).await.complains(&[
        ("title", "Title is required"),
        ("tags", "Each tag must be a string"),
        ("note", IDEA),
    ]);
    let answer = strictly(&ann, "PUT", "/api/tasks/1", Some(json!({"x": 1}))).await;
    for field in ["title", "completed", "body", "x"] {
        answer.complains_about(field);
    }
    // What is no object, or nothing, is told as ever.
    strictly(&ann, "POST", "/api/tasks", Some(json!([]))).await.complains_about("body");
    let broken = Request::new("POST", "/api/tasks").header("Prefer", "handling=strict").body("{\"x\": 01}");
    let broken = ann.send(broken).await;
    broken.is(400);
    assert_eq!(broken.header("preference-applied"), None);
}

async fn what_the_server_sets_may_be_sent_back(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let row = resource.create(json!({"title": "A"})).await.is(201);
        let path = resource.path(&row["id"]);
        for method in ["PUT", "PATCH"] {
            let back = strictly(&ann, method, &path, Some(row.clone())).await;
            assert_eq!(back.is(200)["title"], "A");
            says_so(&back);
        }
        strictly(&ann, "POST", &resource.base, Some(row)).await.is(201);
    }
}

async fn unknown_parameters_are_told(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let slip =
            strictly(&ann, "GET", &format!("{}?pririty=high&limit=0&state=x", resource.base), None).await;
        for name in ["pririty", "limit", "state"] {
            slip.complains_about(name);
        }
        says_so(&slip);
        let other = if resource.is_ideas() { "status=done" } else { "stage=idea" };
        strictly(&ann, "GET", &format!("{}?{other}", resource.base), None)
            .await
            .complains_about(other.split('=').next().expect("a name"));
        let list = strictly(&ann, "GET", &format!("{}?limit=1&q=a", resource.base), None).await;
        list.is(200);
        says_so(&list);
    }
    for kind in ["tasks", "ideas"] {
        let stats = strictly(&ann, "GET", &format!("/api/v1/{kind}/stats?tz=UTC&zone=UTC"), None).await;
        stats.complains(&[("zone", "Unknown parameter. Must be one of: tz")]);
        let tags = strictly(&ann, "GET", &format!("/api/v1/{kind}/tags?tz=UTC"), None).await;
        tags.complains(&[("tz", "Unknown parameter. There are none here")]);
        says_so(&strictly(&ann, "GET", &format!("/api/v1/{kind}/tags"), None).await);
    }
}

async fn every_documented_parameter_is_known(world: &World) {
    let ann = world.user("ann");
    let mut asked = 0;
    for (path, item) in document()["paths"].as_object().expect("paths") {
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let description = parameter["description"].as_str().unwrap_or_default();
            let aliases = description.split("Alias `").skip(1).filter_map(|rest| rest.split('`').next());
            for name in parameter["name"].as_str().into_iter().chain(aliases) {
                let target = format!("{}?{name}=1", path.replace("{user_id}", "me"));
                let answer = strictly(&ann, "GET", &target, None).await;
                assert!(matches!(answer.status, 200 | 422), "{target}: {}", answer.text());
                assert!(!answer.text().contains("Unknown parameter"), "{target}: {}", answer.text());
                says_so(&answer);
                asked += 1;
            }
        }
    }
    assert!(asked > 60, "only {asked} names");
}

async fn slips(resource: &Resource) -> Vec<Answer> {
    let body = json!({"title": "A", "completed": false, "titel": "B"});
    let made = resource.create(body.clone()).await;
    let id = made.is(201)["id"].clone();
    vec![
        made,
        resource.patch(&id, body.clone()).await,
        resource.put(&id, body).await,
        resource.list("pririty=high").await,
    ]
}

async fn nobody_else_hears_of_it(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        for answer in slips(&resource).await {
            assert!(answer.status < 300, "{}", answer.text());
            assert_eq!(answer.header("preference-applied"), None);
        }
    }
    for prefer in ["handling=lenient", "handling=lenient, handling=strict", "strict", "return=representation"]
    {
        let request = Request::new("POST", "/api/v1/ideas").header("Prefer", prefer);
        let answer = ann.send(request.json(&json!({"title": "A", "titel": "B"}))).await;
        assert_eq!((answer.status, answer.header("preference-applied")), (201, None), "{prefer}");
    }
    // Where nothing is looked through, nothing is said.
    for path in ["/api/v1/users/me", "/health", "/api/v1/ideas/no-id"] {
        assert_eq!(strictly(&ann, "GET", path, None).await.header("preference-applied"), None, "{path}");
    }
    let flood: serde_json::Map<String, Value> = (0..50_000).map(|i| (format!("x{i}"), json!(1))).collect();
    let flooded = strictly(&ann, "POST", "/api/v1/tasks", Some(Value::Object(flood))).await;
    flooded.is(422);
    assert!(flooded.body.len() < 5_000, "{} bytes", flooded.body.len());
}
