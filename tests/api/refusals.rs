//! Who is refused, in which order, and in which words.

use serde_json::json;

use crate::harness::{Request, World, on_both};

on_both!(
    a_token_is_wanted,
    another_users_path_is_forbidden,
    refusals_come_in_order,
    a_user_id_is_compared_exactly,
    some_ids_are_never_a_users,
    paths_that_cannot_be_read_are_400,
);

/// A path of each contract.
const BOTH: [&str; 2] = ["/api/ann/tasks", "/api/v1/ann/ideas"];

async fn a_token_is_wanted(world: &World) {
    let ann = world.user("ann");
    for path in BOTH.into_iter().chain(["/api/tasks", "/api/v1/users/me", "/api/v1/auth/verify"]) {
        let flat = !path.contains("v1");
        let missing = world.get(path).await;
        missing
            .refuses(401, if flat { "Missing authorization token" } else { "Missing authentication token" });
        assert_eq!(missing.header("www-authenticate"), Some("Bearer"));

        let expired = world.expired("ann").get(path).await;
        expired.refuses(401, if flat { "Token has expired" } else { "Token expired" });
        assert_eq!(expired.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));

        let mut parts: Vec<_> = ann.token.split('.').map(str::to_owned).collect();
        parts[2] = parts[2].chars().rev().collect();
        for garbage in
            ["x", "a.b.c", "undefined", &parts.join("."), &"x".repeat(32), &format!("{}.", ann.token)]
        {
            let refused = world.send(Request::new("GET", path).bearer(garbage)).await;
            refused.refuses(401, if flat { "Invalid or malformed token" } else { "Invalid token" });
            assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        }
        let twice = Request::new("GET", path).bearer(&ann.token).bearer(&ann.token);
        world.send(twice).await.is(401);
        let basic = Request::new("GET", path).header("Authorization", "Basic YW5uOmFubg==");
        world.send(basic).await.is(401);
        let small = Request::new("GET", path).header("Authorization", format!("bearer {}", ann.token));
        world.send(small).await.is(200);
    }
}

async fn another_users_path_is_forbidden(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    for resource in ann.resources() {
        let row = resource.create(json!({"title": "Ann's"})).await.is(201);
        let text = if resource.is_v1() {
            "Cannot access other users' resources"
        } else {
            "Access forbidden: user_id mismatch"
        };
        bob.get(&resource.base).await.refuses(403, text);
        bob.get(&resource.path(&row["id"])).await.refuses(403, text);
        bob.delete(&resource.path(&row["id"])).await.refuses(403, text);
        bob.post(&resource.base, json!({"title": "Bob was here"})).await.refuses(403, text);
        assert_eq!(resource.read(&row["id"]).await.is(200), row);
    }
}

async fn refusals_come_in_order(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let nowhere = "01890000-0000-7000-8000-000000000000";
    for base in BOTH {
        let bad = |path: &str| Request::new("PATCH", path).header("Content-Type", "text/plain").body("{");
        world.send(bad(&format!("{base}/%zz"))).await.is(400);
        world.send(bad(&format!("{base}/x/y/z"))).await.is(404);
        world.send(bad(base)).await.is(405);
        world.send(bad(&format!("{base}/no-id"))).await.is(401);
        bob.send(bad(&format!("{base}/no-id"))).await.is(403);
        ann.send(bad(&format!("{base}/no-id"))).await.is(415);
        let large = Request::new("PATCH", format!("{base}/no-id")).body("x".repeat((1 << 20) + 1));
        ann.send(large).await.is(413);
        ann.send(Request::new("PATCH", format!("{base}/{nowhere}")).body("{")).await.is(400);
        ann.patch(&format!("{base}/no-id"), json!({})).await.is(422);
        ann.patch(&format!("{base}/{nowhere}"), json!({"title": ""})).await.is(422);
        ann.patch(&format!("{base}/{nowhere}"), json!({"title": "Good"})).await.is(404);
    }
}

async fn a_user_id_is_compared_exactly(world: &World) {
    for (id, own, others) in [
        (
            "Ann",
            &["Ann", "%41nn"][..],
            &["ann", "ANN", "Ann.", "Ann%20", "%20Ann", "Ann%2E", "Ann%09", "%2541nn", "Ann%2F", "An"][..],
        ),
        ("1", &["1", "%31"], &["01", "1.0", "%D9%A1", "+1", "2"]),
        ("a/b", &["a%2Fb", "a%2fb"], &["a%252Fb", "ab", "a%5Cb"]),
        ("a+b", &["a+b", "a%2Bb"], &["a%20b", "a%252Bb"]),
        ("a b", &["a%20b"], &["a+b", "a%2520b", "a%C2%A0b"]),
        ("a%20b", &["a%2520b"], &["a%20b"]),
        ("Zo\u{eb}", &["Zo%C3%AB"], &["Zoe%CC%88", "zo%C3%AB", "Zo%C3%8B", "Zo%EF%BC%85"]),
        (
            "4f9a1b2c-0000-4000-8000-00000000000A",
            &["4f9a1b2c-0000-4000-8000-00000000000A"],
            &["4f9a1b2c-0000-4000-8000-00000000000a"],
        ),
        ("..", &["%2E%2E"], &["%2E", "..."]),
        ("%", &["%25"], &["%2525"]),
        ("👩\u{200d}🚀", &["%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80"], &["%F0%9F%91%A9%F0%9F%9A%80"]),
    ] {
        let user = world.user(id);
        for base in ["/api/{}/tasks", "/api/v1/{}/tasks", "/api/v1/{}/ideas"] {
            for segment in own {
                let path = base.replace("{}", segment);
                let made = user.post(&path, json!({"title": "Mine"})).await.is(201);
                assert_eq!(made["user_id"], id, "{path}");
                user.get(&path).await.is(200);
            }
            for segment in others {
                user.get(&base.replace("{}", segment)).await.is(403);
            }
        }
    }
}

async fn some_ids_are_never_a_users(world: &World) {
    for id in ["v1", "tasks", "ideas", "users", "me"] {
        let user = world.user(id);
        // Where her id is no part of the path, too: she could make rows there that she then could not reach.
        for path in ["/api/tasks", "/api/me/tasks"] {
            user.get(path).await.refuses(403, "Access forbidden: user_id mismatch");
            user.post(path, json!({"title": "T"})).await.refuses(403, "Access forbidden: user_id mismatch");
        }
        for path in ["/api/v1/ideas", "/api/v1/me/tasks", "/api/v1/users/me", "/api/v1/auth/verify"] {
            user.get(path).await.refuses(403, "Cannot access other users' resources");
        }
        user.delete("/api/v1/users/me").await.refuses(403, "Cannot access other users' resources");
        user.get(&format!("/api/v1/{id}/ideas")).await.refuses(403, "Cannot access other users' resources");
    }
    for id in ["users", "ideas", "me"] {
        let path = format!("/api/{id}/tasks");
        world.user(id).get(&path).await.refuses(403, "Access forbidden: user_id mismatch");
    }
}

async fn paths_that_cannot_be_read_are_400(world: &World) {
    let ann = world.user("ann");
    for segment in ["%", "%zz", "%4", "%ff", "%C3", "%C3%28", "%ED%A0%80", "%00", "a%00b", "%E2%82"] {
        for path in ["/api/{}/tasks", "/api/v1/{}/ideas", "/api/ann/tasks/{}", "/api/v1/ann/ideas/{}"] {
            ann.get(&path.replace("{}", segment)).await.is(400);
        }
        world.get(&format!("/api/{segment}/tasks")).await.is(400);
    }
    for path in ["/api//tasks", "/api/v1//ideas", "/api/v1//tasks", "//api/ann/tasks"] {
        ann.get(path).await.is(404);
    }
}
