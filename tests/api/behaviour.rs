//! What both contracts do around their resources: which paths and methods exist, which headers come back, what is public.

use serde_json::json;

use crate::harness::{Request, User, World, on_both};

on_both!(
    a_trailing_slash_is_the_same_resource,
    head_answers_as_get,
    unknown_methods_are_405,
    unknown_paths_are_404,
    a_correlation_id_is_kept_or_made,
    user_data_is_nobody_elses,
    health_is_public,
    pages_are_public,
);

async fn a_trailing_slash_is_the_same_resource(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let row = ann.post(&format!("{}/", resource.base), json!({"title": "T"})).await.is(201);
        assert_eq!(ann.get(&format!("{}/", resource.base)).await.is(200), resource.list("").await.is(200));
        assert_eq!(
            ann.get(&format!("{}/?limit=1", resource.base)).await.is(200),
            resource.list("limit=1").await.is(200)
        );
        assert_eq!(ann.get(&format!("{}/", resource.path(&row["id"]))).await.is(200), row);
        if !resource.is_ideas() {
            let path = format!("{}/complete/", resource.path(&row["id"]));
            ann.patch(&path, json!({"completed": true})).await.is(200);
        }
        ann.get(&format!("{}//", resource.base)).await.is(404);
    }
    ann.get("/api/v1/users/me/").await.is(200);
    world.get("/health/").await.is(200);
}

async fn head_answers_as_get(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let row = resource.create(json!({"title": "T"})).await.is(201);
        for path in [resource.base.clone(), resource.path(&row["id"])] {
            ann.send(Request::new("HEAD", path)).await.is(200);
        }
        ann.send(Request::new("HEAD", format!("{}/no-id", resource.base))).await.is(422);
        world.send(Request::new("HEAD", resource.base.clone())).await.is(401);
    }
    world.send(Request::new("HEAD", "/health")).await.is(200);
    world.send(Request::new("HEAD", "/nothing")).await.is(404);
}

async fn unknown_methods_are_405(world: &World) {
    let ann = world.user("ann");
    for (method, path, allowed) in [
        ("DELETE", "/api/ann/tasks", &["get", "post"][..]),
        ("BREW", "/api/ann/tasks", &["get", "post"]),
        ("PUT", "/api/tasks", &["get", "post"]),
        ("POST", "/api/ann/tasks/1", &["get", "put", "patch", "delete"]),
        ("DELETE", "/api/ann/tasks/1/complete", &["patch", "post"]),
        ("GET", "/api/ann/tasks/1/toggle", &["patch"]),
        ("PATCH", "/api/v1/ann/ideas", &["get", "post"]),
        ("POST", "/api/v1/ann/ideas/1", &["get", "put", "patch", "delete"]),
        ("PUT", "/api/v1/users/me", &["get", "delete"]),
        ("POST", "/health", &["get"]),
    ] {
        for answer in
            [world.send(Request::new(method, path)).await, ann.send(Request::new(method, path)).await]
        {
            answer.is(405);
            let told = answer.listed("allow");
            assert!(
                allowed.iter().all(|method| told.contains(&(*method).to_owned())),
                "{method} {path}: {told:?}"
            );
            assert!(!told.contains(&method.to_lowercase()), "{method} {path}: {told:?}");
        }
    }
}

async fn unknown_paths_are_404(world: &World) {
    let ann = world.user("ann");
    for path in [
        "/nothing",
        "/api/ann/notes",
        "/api/v1/ann/notes",
        "/api/v1/nothing/at/all",
        "/api/v1/ann/ideas/1/complete",
        "/api/ann/ideas",
        "/index.html",
        "/API/ann/tasks",
        "/api/ann/Tasks",
        "/health/other",
        "/api/v1",
    ] {
        for method in ["GET", "POST", "DELETE", "BREW"] {
            world.send(Request::new(method, path)).await.is(404);
            ann.send(Request::new(method, path)).await.is(404);
        }
    }
}

async fn a_correlation_id_is_kept_or_made(world: &World) {
    let ann = world.user("ann");
    let asked = async |user: Option<&User>, path: &str, id: &str| {
        let request = Request::new("GET", path).header("X-Correlation-ID", id);
        let answer = match user {
            Some(user) => user.send(request).await,
            None => world.send(request).await,
        };
        answer.is_well_formed();
        answer.header("x-correlation-id").expect("always there").to_owned()
    };
    let longest = "a".repeat(128);
    for good in ["1", "abc-DEF_1.2", longest.as_str()] {
        for path in ["/api/ann/tasks", "/api/v1/ann/ideas", "/nothing", "/health", "/api/ann/tasks/x"] {
            assert_eq!(asked(Some(&ann), path, good).await, good);
            assert_eq!(asked(None, path, good).await, good);
        }
    }
    let too_long = "a".repeat(129);
    let endless = "a".repeat(2_048);
    for bad in ["", "a b", "a,b", "a/b", "<script>", "é", "a\tb", too_long.as_str(), endless.as_str()] {
        let made = asked(None, "/api/ann/tasks", bad).await;
        assert!(made.parse::<uuid::Uuid>().is_ok(), "{bad:?}: {made}");
    }
    let (one, other) = (world.get("/health").await, world.get("/health").await);
    assert_ne!(one.header("x-correlation-id"), other.header("x-correlation-id"));
}

async fn user_data_is_nobody_elses(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let created = resource.create(json!({"title": "T"})).await;
        let row = created.is(201);
        for answer in [
            created,
            resource.list("").await,
            resource.read(&row["id"]).await,
            resource.patch(&row["id"], json!({})).await,
        ] {
            assert_eq!(answer.listed("cache-control"), ["private", "no-cache"]);
            let vary = answer.listed("vary");
            assert!(
                vary.contains(&"authorization".to_owned()) && vary.contains(&"origin".to_owned()),
                "{vary:?}"
            );
        }
    }
    let me = ann.get("/api/v1/users/me").await;
    assert_eq!(me.listed("cache-control"), ["private", "no-cache"]);
}

async fn health_is_public(world: &World) {
    let health = world.get("/health").await.is(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("creatorvault")));
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{health}");
    assert_eq!(world.get("/health/db").await.is(200), json!({"status": "healthy", "database": "connected"}));
    let ready = world.get("/health/ready").await.is(200);
    assert_eq!((&ready["status"], &ready["ready"]), (&json!("ready"), &json!(true)));
    assert!(ready["checks"].as_object().is_some_and(|checks| !checks.is_empty()), "{ready}");
}

async fn pages_are_public(world: &World) {
    for (path, content_type) in [
        ("/", "text/html"),
        ("/docs", "text/html"),
        ("/redoc", "text/html"),
        ("/openapi.json", "application/json"),
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").is_some_and(|value| value.starts_with(content_type)), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(
            answer.header("content-security-policy").is_some_and(|policy| !policy.contains("http")),
            "{path}"
        );
        // What a browser would fetch from elsewhere by itself, or lead to; `//host` is elsewhere too.
        let text = String::from_utf8_lossy(&answer.body).replace('\'', "\"");
        for foreign in
            ["src=\"http", "src=\"//", "href=\"http", "href=\"//", "url(http", "url(\"http", "@import"]
        {
            assert!(!text.contains(foreign), "{path}: {foreign}");
        }
    }
    let served = world.get("/openapi.json").await.value();
    assert_eq!(served["paths"], crate::harness::document()["paths"]);
    assert!(
        served["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
        "{}",
        served["openapi"]
    );
}
