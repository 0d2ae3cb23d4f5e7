//! The log of the real program at its most talkative: one JSON object a line, and nothing in it that is a user's or a
//! secret.

use serde_json::{Value, json};

use crate::everywhere::operations;
use crate::harness::{Engine, Program, Request, raw, test_server};

/// In every input and in every secret, followed by what tells them apart.
const CANARY: &str = "Kanarienvogel";

fn canary(place: &str) -> String {
    format!("{CANARY}-{place}")
}

/// Everything that may carry a user's text, good and bad.
async fn sing(program: &Program) {
    let email = format!("{CANARY}@example.com");
    let ann = program.claiming("ann", Some(&email), Some(&canary("name")));
    for resource in ann.resources() {
        let whole = json!({
            "title": canary("title"),
            (resource.long_text()): canary("notes"),
            "tags": [canary("tag")],
            "completed": true,
        });
        let id = resource.create(whole.clone()).await.is(201)["id"].clone();
        resource.patch(&id, json!({"title": canary("patched"), (resource.long_text()): null})).await.is(200);
        resource.put(&id, whole.clone()).await.is(200);
        for query in ["search", "q", "tags", "due_after", "sort", "stage", "limit", "unknown", "token"] {
            resource.list(&format!("{query}={}", canary(query))).await;
            resource.list(&format!("{}={query}", canary("parameter"))).await;
        }
        for bad in [
            json!({"title": canary("long").repeat(100)}),
            json!({"title": 1, "priority": canary("priority"), "stage": canary("stage")}),
            json!({"title": "T", "due_date": canary("date"), "tags": [[canary("nested")]]}),
            json!({(canary("member")): canary("value")}),
            json!([canary("array")]),
            json!(canary("string")),
        ] {
            let status = resource.create(bad).await.status;
            assert_eq!(status, 422);
        }
        let post = || Request::new("POST", resource.base.clone());
        ann.send(post().body(format!("{{\"title\": \"{}", canary("broken")))).await.is(400);
        ann.send(post().header("Content-Type", canary("type")).body("{}")).await.is(415);
        ann.send(post().header("Prefer", canary("prefer")).json(&json!({"title": canary("header")})))
            .await
            .is(201);
        ann.get(&format!("{}/{}", resource.base, canary("id"))).await.is(422);
        ann.get(&format!("{}?search=%00{}", resource.base, canary("null"))).await.is(422);
        resource.delete(&id).await;
    }
    for token in [canary("token"), format!("a.{}.c", canary("token")), format!("{}x", ann.token)] {
        Request::new("GET", "/api/tasks").bearer(&token).send(program.address).await.is(401);
    }
    for (name, value) in [
        ("Authorization", format!("Basic {}", canary("basic"))),
        ("Cookie", format!("session={}", canary("cookie"))),
        ("User-Agent", canary("agent")),
        ("Referer", format!("https://example.com/{}", canary("referer"))),
        ("Origin", format!("https://{}.example", canary("origin"))),
        ("X-Forwarded-For", canary("forwarded")),
        ("traceparent", canary("trace")),
        ("X-Correlation-ID", format!("{} with blanks", canary("correlation"))),
        ("X-Correlation-ID", canary("\u{1b}[31mred")),
        ("X-Correlation-ID", canary("\u{2028}line")),
        ("Host", canary("host")),
    ] {
        Request::new("GET", "/api/v1/ideas").header(name, value).send(program.address).await;
    }
    for path in ["/", "/api/", "/api/v1/", "/health/"] {
        Request::new("GET", format!("{path}{}?{}=1", canary("path"), canary("query")))
            .send(program.address)
            .await;
        Request::new("GET", format!("{path}%zz{}", canary("encoding"))).send(program.address).await;
    }
    let address = program.address;
    raw(
        address,
        format!("{} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", canary("METHOD")).as_bytes(),
    )
    .await;
    raw(address, format!("GET / HTTP/1.1\r\nHost: x\r\n{} : x\r\n\r\n", canary("field")).as_bytes()).await;
    raw(address, format!("{}\r\n\r\n", canary("garbage")).as_bytes()).await;
}

/// Every place of every documented operation that a client can write in: path, query, headers, body.
async fn sing_everywhere(program: &Program) {
    let ann = program.user("ann");
    for (path, method, operation) in operations() {
        let kind = if path.contains("ideas") { ann.ideas() } else { ann.tasks() };
        let id = kind.create(json!({"title": canary("row")})).await.is(201)["id"].clone();
        let own = path.replace("{user_id}", "me").replace("{id}", id.as_str().expect("an id"));
        let whole = json!({
            "title": canary("title"), "description": canary("text"), "notes": canary("text"), "completed": canary("done"),
            "tags": [canary("tag")], "due_date": canary("due"), (canary("member")): {(canary("deep")): canary("value")},
            "operations": [{"op": canary("op"), "id": canary("id"), "if_match": canary("match"), "data": {"title": canary("t")}}],
        });
        let request = |target: String| Request::new(&method, target);
        let mut tries = vec![
            request(path.replace("{user_id}", &canary("user")).replace("{id}", &canary("id"))).json(&whole),
            request(path.replace("{user_id}", "me").replace("{id}", &canary("id"))),
            request(format!("{own}/{}", canary("more"))),
            request(format!("{own}?{}={}", canary("name"), canary("value"))).json(&whole),
            request(own.clone()).body(format!("{{\"title\": \"{}", canary("broken"))),
            request(own.clone()).header("Prefer", "handling=strict").json(&whole),
            request(own.clone()).header("Content-Type", canary("type")).body(canary("body")),
        ];
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let Some(name) = parameter["name"].as_str() else { continue };
            tries.push(match parameter["in"].as_str() {
                Some("query") => request(format!("{own}?{name}={}", canary(name))),
                _ => request(own.clone()).header(name, format!("\"{}\"", canary(name))).json(&whole),
            });
        }
        for request in tries {
            assert!(ann.send(request.clone()).await.status < 500);
            let refused = request.bearer(&canary("token")).send(program.address).await.status;
            assert!(matches!(refused, 401 | 404 | 405), "{refused}");
        }
    }
}

/// What the log says of faults inside the database, whose own messages like to quote the row.
async fn sing_to_a_broken_database(program: &Program) {
    let ann = program.user("ann");
    let behind = program.behind().await;
    behind.run("alter table @tasks rename to gone").await;
    let whole = json!({"title": canary("fault"), "description": canary("fault"), "tags": [canary("fault")]});
    assert!(ann.tasks().create(whole).await.status >= 500);
    assert!(ann.tasks().list(&format!("search={}", canary("fault"))).await.status >= 500);
    if behind.engine() == Engine::Sqlite {
        behind.run("alter table gone rename to tasks").await;
        behind
            .run("create trigger no before insert on ideas begin select raise(abort, 'refused'); end")
            .await;
    } else {
        behind.run("alter table @gone rename to tasks").await;
        // Its message names the failing row whole.
        behind.run("alter table @ideas add constraint no check (char_length(title) > 100) not valid").await;
    }
    let whole = json!({"title": canary("row"), "notes": canary("row"), "tags": [canary("row")]});
    assert!(ann.ideas().create(whole).await.status >= 500);
}

async fn nothing_of_users_in_the_log(engine: Engine) {
    let secret = format!("{CANARY}-q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe");
    let mut vars =
        vec![("BETTER_AUTH_SECRET", secret.as_str()), ("LOG_LEVEL", "debug"), ("LOG_FORMAT", "json")];
    // The server asks for no password, so any will do.
    let url = (engine == Engine::Postgres)
        .then(|| test_server("TEST_POSTGRES_URL").replace('@', &format!(":{CANARY}@")));
    // A superuser's, which row level security does not bind.
    vars.extend(url.iter().flat_map(|url| [("DATABASE_URL", url.as_str()), ("DATABASE_RLS", "off")]));
    let mut program = Program::start(engine, &vars).await;
    let token = program.user("ann").token;
    sing(&program).await;
    sing_everywhere(&program).await;
    sing_to_a_broken_database(&program).await;
    program.ask_to_end();
    assert_eq!(program.ended().await.code(), Some(0));

    let log = program.log();
    let mut events = 0;
    for line in log.lines() {
        let whole: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(whole.is_object(), "{line}");
        // A header's value can be logged as bytes or in base64 as well; what counts is that it is not there to read.
        assert!(!line.to_lowercase().contains(&CANARY.to_lowercase()), "{line}");
        let parts: Vec<_> = token.split('.').collect();
        assert!(!parts[1..].iter().any(|part| line.contains(part)), "a token: {line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{line}");
        events += 1;
    }
    assert!(events > 100, "only {events} lines");
    assert!(log.contains("\"level\":\"debug\""), "no line at debug");
    for told in ["Task created", "Idea created", "Authentication failed", "database fault"] {
        assert!(log.contains(told), "no line says {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    nothing_of_users_in_the_log(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    nothing_of_users_in_the_log(Engine::Postgres).await;
}
