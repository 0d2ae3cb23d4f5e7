//! Bodies that are no JSON, too large, of another type, or hold what nobody can store.

use serde_json::json;

use crate::harness::{Answer, Request, User, World, on_both};

on_both!(
    json_types_are_taken_strictly,
    a_nul_is_never_stored,
    malformed_bodies_are_refused,
    the_media_type_matters,
    a_body_has_a_limit,
);

async fn json_types_are_taken_strictly(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let row = resource.create(json!({"title": "T"})).await.is(201);
        for title in ["5", "true", "[]", "{}", "1e400", "9223372036854775808"] {
            let answer =
                send(&ann, "PATCH", &resource.path(&row["id"]), &format!("{{\"title\": {title}}}")).await;
            assert!(matches!(answer.status, 400 | 422), "{title}: {}", answer.status);
            answer.is_well_formed();
        }
        for value in [json!("urgent"), json!("High"), json!(1), json!("")] {
            resource.patch(&row["id"], json!({ "priority": value })).await.complains_about("priority");
        }
        if resource.is_ideas() {
            for value in [json!("film"), json!("Draft"), json!(1), json!(true)] {
                resource.patch(&row["id"], json!({ "stage": value })).await.complains_about("stage");
            }
        } else {
            for value in ["1", "0", "1.0", "\"true\"", "\"\"", "[]"] {
                let body = format!("{{\"title\": \"T\", \"completed\": {value}}}");
                send(&ann, "PATCH", &resource.path(&row["id"]), &body).await.complains_about("completed");
                send(&ann, "POST", &resource.base, &body).await.complains_about("completed");
            }
        }
        assert_eq!(resource.read(&row["id"]).await.is(200), row);
    }
}

async fn a_nul_is_never_stored(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let row = resource.create(json!({"title": "T"})).await.is(201);
        for field in ["title", resource.long_text()] {
            resource.create(json!({"title": "T", (field): "a\0b"})).await.complains_about(field);
            resource.patch(&row["id"], json!({ (field): "\0" })).await.complains_about(field);
        }
        resource.create(json!({"title": "T", "tags": ["a\0"]})).await.complains_about("tags");
        for query in
            ["search=a%00b", "q=%00", "tags=%00", "priority=%00", "sort=%00", "limit=%00", "due_before=%00"]
        {
            resource.list(query).await.is(422);
        }
        ann.get(&format!("{}/%00", resource.base)).await.is(400);
        assert_eq!(resource.rows("").await, std::slice::from_ref(&row));
        resource.delete(&row["id"]).await;
    }
}

async fn malformed_bodies_are_refused(world: &World) {
    let ann = world.user("ann");
    let deep = |depth: usize| [r#"{"title":"T","x":"#, &"[".repeat(depth), &"]".repeat(depth), "}"].concat();
    let utf16: Vec<u8> = r#"{"title":"T"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let malformed: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"{\"title\":\"T\"".to_vec(),
        b"{\"title\":\"T\"} x".to_vec(),
        b"{\"title\":'T'}".to_vec(),
        b"{title:\"T\"}".to_vec(),
        b"{\"title\":\"T\",}".to_vec(),
        b"{\"title\":\"a\tb\"}".to_vec(),
        b"{\"title\":\"\xff\"}".to_vec(),
        b"\xef\xbb\xbf{\"title\":\"T\"}".to_vec(),
        utf16,
        br#"{"title":"\ud800"}"#.to_vec(),
        br#"{"title":"\udc00\ud800"}"#.to_vec(),
        br#"{"title":"a","title":"b"}"#.to_vec(),
        br#"{"title":"T","tags":[],"tags":[]}"#.to_vec(),
        b"NaN".to_vec(),
        deep(200).into_bytes(),
        deep(100_000).into_bytes(),
        "[".repeat(100_000).into_bytes(),
    ];
    for resource in ann.resources() {
        let row = resource.create(json!({"title": "T"})).await.is(201);
        for body in &malformed {
            for (method, path) in [("POST", resource.base.clone()), ("PATCH", resource.path(&row["id"]))] {
                let request = Request::new(method, path).header("Content-Type", "application/json");
                let answer = ann.send(request.body(body.clone())).await;
                assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(&body[..body.len().min(60)]));
                answer.is(400);
            }
        }
        for array in ["[]", r#"[{"title":"T"}]"#, r#"["title"]"#] {
            send(&ann, "POST", &resource.base, array).await.is(422);
            send(&ann, "PATCH", &resource.path(&row["id"]), array).await.is(422);
        }
        let fits = send(&ann, "PATCH", &resource.path(&row["id"]), &deep(100)).await.is(200);
        assert_eq!(fits, row, "nesting below the limit is only an unknown member");
        assert_eq!(resource.rows("").await, std::slice::from_ref(&row));
        resource.delete(&row["id"]).await;
    }
}

async fn the_media_type_matters(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let post = |media_type: &str| {
            Request::new("POST", resource.base.clone())
                .header("Content-Type", media_type)
                .body(r#"{"title":"é"}"#)
        };
        let before = resource.rows("").await.len();
        let bare = Request::new("POST", resource.base.clone()).body(r#"{"title":"é"}"#);
        ann.send(bare).await.is(201);
        for good in [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert_eq!(ann.send(post(good)).await.is(201)["title"], "é");
        }
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "application/jsonp",
            "x",
        ] {
            ann.send(post(bad)).await.is(415);
        }
        assert_eq!(resource.rows("").await.len(), before + 5);
    }
}

async fn a_body_has_a_limit(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let body = |size: usize| {
            let frame = r#"{"title":"T","x":""}"#;
            frame.replace(r#""x":"""#, &format!("\"x\":\"{}\"", "a".repeat(size - frame.len())))
        };
        let limit = 1 << 20;
        send(&ann, "POST", &resource.base, &body(limit)).await.is(201);
        send(&ann, "POST", &resource.base, &body(limit + 1)).await.is(413);
        send(&ann, "POST", &resource.base, &body(8 * limit)).await.is(413);
        let chunks: String = body(limit + 1).as_bytes().chunks(65_536).map(chunk).collect();
        let chunked = Request::new("POST", resource.base.clone()).header("Transfer-Encoding", "chunked");
        ann.send(chunked.body(chunks + "0\r\n\r\n")).await.is(413);
        let small = Request::new("POST", resource.base.clone()).header("Transfer-Encoding", "chunked");
        ann.send(small.body(chunk(br#"{"title":"#) + &chunk(br#""In parts"}"#) + "0\r\n\r\n")).await.is(201);
    }
}

fn chunk(bytes: &[u8]) -> String {
    format!("{:x}\r\n{}\r\n", bytes.len(), String::from_utf8_lossy(bytes))
}

async fn send(user: &User, method: &str, path: &str, body: &str) -> Answer {
    user.send(Request::new(method, path).header("Content-Type", "application/json").body(body)).await
}
