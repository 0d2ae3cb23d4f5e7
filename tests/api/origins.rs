//! Pages of which origins may read the answers.

use crate::harness::{Request, World, on_both};

on_both!(allowed_origins_may_read, other_origins_may_not, a_preflight_needs_no_token,);

async fn allowed_origins_may_read(world: &World) {
    let ann = world.user("ann");
    let local = (3000..=3003)
        .chain([8000])
        .flat_map(|port| [format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}")]);
    let named = ["https://front.example", "https://app-x.vercel.app", "https://app-branch-7.vercel.app"];
    for origin in local.chain(named.map(str::to_owned)) {
        for (path, status) in [
            ("/api/ann/tasks", 200),
            ("/api/v1/ann/ideas", 200),
            ("/api/bob/tasks", 403),
            ("/nothing", 404),
            ("/health", 200),
        ] {
            let answer = ann.send(Request::new("GET", path).header("Origin", origin.clone())).await;
            answer.is(status);
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin.as_str()), "{path}");
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{path}");
            assert!(answer.listed("vary").contains(&"origin".to_owned()), "{path}");
            let exposed = answer.listed("access-control-expose-headers");
            for name in [
                "etag",
                "link",
                "location",
                "retry-after",
                "x-correlation-id",
                "x-total-count",
                "ratelimit",
                "ratelimit-policy",
                "cleared-fields",
                "idempotency-replayed",
                "preference-applied",
                "www-authenticate",
                "allow",
            ] {
                assert!(exposed.contains(&name.to_owned()), "{name} in {exposed:?}");
            }
        }
        let refused = world.send(Request::new("GET", "/api/tasks").header("Origin", origin.clone())).await;
        refused.is(401);
        assert_eq!(refused.header("access-control-allow-origin"), Some(origin.as_str()));
    }
}

async fn other_origins_may_not(world: &World) {
    let ann = world.user("ann");
    for origin in [
        "null",
        "*",
        "https://front.example.evil.example",
        "https://front.example:444",
        "http://front.example",
        "https://Front.example.",
        "https://front.exampl",
        "https://app-x.vercel.app.evil.example",
        "https://app-a.b.vercel.app",
        "https://xapp-a.vercel.app",
        "https://app-a.vercel.apps",
        "https://app-a/.vercel.app",
        "http://localhost:3004",
        "http://localhost",
        "https://localhost:3000",
        "http://localhost:3000.evil.example",
        "http://127.0.0.1:30000",
        "http://[::1]:3000",
    ] {
        for path in ["/api/ann/tasks", "/api/bob/tasks", "/health"] {
            let answer = ann.send(Request::new("GET", path).header("Origin", origin)).await;
            answer.is_well_formed();
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            assert!(answer.listed("vary").contains(&"origin".to_owned()), "{path}");
        }
    }
}

async fn a_preflight_needs_no_token(world: &World) {
    for path in ["/api/ann/tasks", "/api/ann/tasks/1/complete", "/api/v1/ann/ideas/1", "/api/v1/users/me"] {
        let preflight = Request::new("OPTIONS", path)
            .header("Origin", "http://localhost:3000")
            .header("Access-Control-Request-Method", "PATCH")
            .header("Access-Control-Request-Headers", "authorization,content-type,x-anything");
        let answer = world.send(preflight).await;
        assert!(matches!(answer.status, 200 | 204), "{}", answer.status);
        answer.is_well_formed();
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert_eq!(
            answer.listed("access-control-allow-headers"),
            ["authorization", "content-type", "x-anything"]
        );
        let mut methods = answer.listed("access-control-allow-methods");
        methods.sort_unstable();
        assert_eq!(methods, ["delete", "get", "options", "patch", "post", "put"]);
        let foreign = Request::new("OPTIONS", path)
            .header("Origin", "https://evil.example")
            .header("Access-Control-Request-Method", "PATCH");
        assert_eq!(world.send(foreign).await.header("access-control-allow-origin"), None);
    }
}
