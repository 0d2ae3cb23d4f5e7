//! The v1 contract's errors as problem details (RFC 9457), for those who ask for them.

use serde_json::json;

use crate::harness::{Engine, Request, World, on_both};

on_both!(who_asks_gets_problems, nobody_else_does, the_todo_contract_has_its_own_form);

const PROBLEM: &str = "application/problem+json";

fn asking(method: &str, path: &str) -> Request {
    Request::new(method, path).header("Accept", PROBLEM)
}

async fn who_asks_gets_problems(world: &World) {
    let ann = world.user("ann");
    let nobodys = "01890000-0000-7000-8000-000000000000";
    let cases = [
        (
            asking("GET", "/api/v1/bob/ideas"),
            403,
            "Forbidden",
            "FORBIDDEN",
            "Cannot access other users' resources",
        ),
        (asking("GET", "/api/v1/nowhere/at/all"), 404, "Not Found", "NOT_FOUND", "Not found"),
        (asking("GET", "/nowhere"), 404, "Not Found", "NOT_FOUND", "Not found"),
        (
            asking("GET", "/api/v1/%zz"),
            400,
            "Bad Request",
            "BAD_REQUEST",
            "The path has a % that is not followed by two hexadecimal digits",
        ),
        (
            asking("DELETE", "/api/v1/ideas"),
            405,
            "Method Not Allowed",
            "METHOD_NOT_ALLOWED",
            "Method not allowed",
        ),
        (
            asking("POST", "/api/v1/ideas").header("Content-Type", "text/plain").body("x"),
            415,
            "Unsupported Media Type",
            "UNSUPPORTED_MEDIA_TYPE",
            "Content-Type must be application/json",
        ),
    ];
    for (request, status, title, code, detail) in cases {
        let answer = ann.send(request).await;
        let problem = answer.is_a_problem(status);
        assert_eq!((&problem["title"], &problem["code"]), (&json!(title), &json!(code)), "{status}");
        assert_eq!((&problem["detail"], &problem["details"]), (&json!(detail), &json!({})), "{status}");
        assert_eq!(answer.header("allow").is_some(), status == 405);
    }
    let unsigned = world.send(asking("GET", "/api/v1/ideas")).await;
    assert_eq!(unsigned.is_a_problem(401)["detail"], "Missing authentication token");
    assert_eq!(unsigned.header("www-authenticate"), Some("Bearer"));
    let missing = ann.send(asking("GET", &format!("/api/v1/ideas/{nobodys}"))).await.is_a_problem(404);
    assert_eq!(missing["detail"], format!("Idea {nobodys} not found"));
    let invalid = ann.send(asking("POST", "/api/v1/tasks").json(&json!({"title": " ", "tags": [1]}))).await;
    let fields = json!({"fields": {"title": ["Title is required"], "tags": ["Each tag must be a string"]}});
    let invalid = invalid.is_a_problem(422);
    assert_eq!((&invalid["title"], &invalid["details"]), (&json!("Unprocessable Entity"), &fields));
    let head = ann.send(asking("HEAD", "/api/v1/nowhere")).await;
    assert_eq!((head.status, head.header("content-type")), (404, Some(PROBLEM)));
    // What is no error is no problem.
    ann.send(asking("GET", "/api/v1/ideas")).await.is(200);
}

async fn nobody_else_does(world: &World) {
    let ann = world.user("ann");
    for accept in
        ["*/*", "application/json", "application/*", "application/problem+json;q=0.5, application/json"]
    {
        let request = Request::new("GET", "/api/v1/ideas/no-id").header("Accept", accept);
        ann.send(request).await.complains(&[("id", "Invalid idea id. Must be a UUID")]);
    }
    for accept in ["application/json, application/problem+json", "application/problem+json;q=0.1, */*;q=0.1"]
    {
        let request = Request::new("GET", "/api/v1/ideas/no-id").header("Accept", accept);
        ann.send(request).await.is_a_problem(422);
    }
}

async fn the_todo_contract_has_its_own_form(world: &World) {
    let ann = world.user("ann");
    ann.send(asking("GET", "/api/tasks/no-id")).await.is(422);
    ann.send(asking("GET", "/api/ann/nowhere")).await.is(404);
    world.send(asking("GET", "/api/tasks")).await.refuses(401, "Missing authorization token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_a_problem() {
    let world =
        World::open(Engine::Postgres, &[("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")]).await;
    let answer = world.user("ann").send(asking("GET", "/api/v1/ideas")).await;
    assert_eq!(answer.is_a_problem(503)["code"], "SERVICE_UNAVAILABLE");
    assert!(answer.header("retry-after").is_some());
}
