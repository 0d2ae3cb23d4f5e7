//! What holds of every operation in the document that takes a body, a path or a query, whichever it is.

use serde_json::{Value, json};

use crate::harness::{Request, User, World, document, encode, on_both};

on_both!(
    every_body_is_read_with_the_same_care,
    every_path_and_query_is_read_with_the_same_care,
    every_word_in_the_document_is_taken,
);

/// Path, method and content of each operation on a user's rows.
pub(crate) fn operations() -> impl Iterator<Item = (&'static str, String, &'static Value)> {
    let paths = document()["paths"].as_object().expect("the document has paths");
    paths.iter().filter(|(path, _)| path.starts_with("/api/")).flat_map(|(path, item)| {
        ["get", "put", "post", "delete", "patch"].into_iter().filter_map(move |method| {
            item.get(method).map(|operation| (path.as_str(), method.to_uppercase(), operation))
        })
    })
}

/// Everything that the user has.
async fn rows(ann: &User) -> [Vec<Value>; 2] {
    [ann.v1_tasks().rows("").await, ann.ideas().rows("").await]
}

/// The path of an operation on a row of the user's.
async fn target(ann: &User, path: &str) -> String {
    let kind = if path.contains("ideas") { ann.ideas() } else { ann.tasks() };
    let row = kind.create(json!({"title": "Kept"})).await.is(201);
    path.replace("{user_id}", "ann").replace("{id}", row["id"].as_str().expect("an id"))
}

async fn every_body_is_read_with_the_same_care(world: &World) {
    let ann = world.user("ann");
    let utf16: Vec<u8> = r#"{"title":"T"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let malformed: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"{} {}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"x\":\"\xff\"}".to_vec(),
        br#"{"x":"\ud800"}"#.to_vec(),
        utf16,
        "[".repeat(100_000).into_bytes(),
        format!("{{\"x\":{}", "{\"x\":".repeat(100_000)).into_bytes(),
        br#"{"title":"a","title":"b","completed":true,"completed":true,"operations":[],"operations":[]}"#
            .to_vec(),
    ];
    let mut read = 0;
    for (path, method, operation) in operations() {
        if operation.get("requestBody").is_none() {
            continue;
        }
        let target = target(&ann, path).await;
        let before = rows(&ann).await;
        let send = |body: Vec<u8>| ann.send(Request::new(&method, target.clone()).body(body));
        for body in &malformed {
            let answer = send(body.clone()).await;
            assert_eq!(answer.status, 400, "{method} {target}: {}", answer.text());
            answer.is_well_formed();
        }
        for array in ["[]", "[{\"title\":\"T\"}]", "\"title\"", "7", "true", "null"] {
            let answer = send(array.into()).await;
            assert_eq!(answer.status, 422, "{method} {target} {array}: {}", answer.text());
            answer.is_well_formed();
        }
        for nul in [
            r#"{"title":"a\u0000b","completed":"\u0000","operations":"\u0000"}"#,
            r#"{"operations":[{"op":"create","data":{"title":"\u0000"}}],"title":"\u0000","completed":0}"#,
        ] {
            let answer = send(nul.into()).await;
            assert_eq!(answer.status, 422, "{method} {target} {nul}: {}", answer.text());
            answer.is_well_formed();
        }
        assert_eq!(rows(&ann).await, before, "{method} {target} has changed something");
        read += 1;
    }
    assert!(read > 25, "only {read} operations take a body");
}

async fn every_path_and_query_is_read_with_the_same_care(world: &World) {
    let ann = world.user("ann");
    for (path, method, operation) in operations() {
        if method == "DELETE" && path.ends_with("/me") {
            continue;
        }
        let whole = json!({"title": "T", "completed": true, "operations": []});
        let send = |target: String| {
            let request = Request::new(&method, target);
            let takes = operation.get("requestBody").is_some();
            ann.send(if takes { request.json(&whole) } else { request })
        };
        for (id, status) in [("%00", 400), ("%ff", 400), ("%zz", 400), ("%", 400), ("%ed%a0%80", 400)] {
            for place in ["{user_id}", "{id}"].into_iter().filter(|place| path.contains(place)) {
                let target = path.replace(place, id).replace("{user_id}", "ann").replace("{id}", "1");
                let answer = send(target.clone()).await;
                assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
                answer.is_well_formed();
            }
        }
        for id in [
            "%7B01890000-0000-7000-8000-000000000000%7D",
            "01890000000070008000000000000000",
            "0",
            "-1",
            "1e3",
            "%2B1",
            "01",
            "urn:uuid:01890000-0000-7000-8000-000000000000",
            "9223372036854775808",
            "%D9%A1",
            "..%2F1",
        ] {
            if path.contains("{id}") {
                let target = path.replace("{user_id}", "ann").replace("{id}", id);
                let answer = send(target.clone()).await;
                assert_eq!(answer.status, 422, "{method} {target}: {}", answer.text());
                answer.is_well_formed();
            }
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let queries = parameters.iter().filter(|parameter| parameter["in"] == "query");
        for name in queries.filter_map(|parameter| parameter["name"].as_str()) {
            let path = path.replace("{user_id}", "ann");
            for (value, statuses) in [
                ("%00", [422, 422]),
                ("%ff", [400, 400]),
                ("%zz", [400, 400]),
                ("%ed%a0%80", [400, 400]),
                ("x&", [200, 422]),
            ] {
                let target = format!("{path}?{name}={value}&{name}={value}");
                let answer = send(target.clone()).await;
                assert!(statuses.contains(&answer.status), "{target}: {}", answer.text());
                answer.is_well_formed();
            }
        }
    }
}

async fn every_word_in_the_document_is_taken(world: &World) {
    let ann = world.user("ann");
    let mut taken = 0;
    for (path, _, operation) in operations().filter(|(_, method, _)| method == "GET") {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().expect("a name");
            for word in parameter["schema"]["enum"].as_array().cloned().unwrap_or_default() {
                let target = format!(
                    "{}?{name}={}",
                    path.replace("{user_id}", "ann"),
                    encode(word.as_str().expect("a word"))
                );
                ann.get(&target).await.is(200);
                taken += 1;
            }
            // The patterns of lists of words have every word in them.
            let pattern = parameter["schema"]["pattern"].as_str();
            if let Some(pattern) = pattern.filter(|pattern| pattern.contains('|')) {
                let words = pattern
                    .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                    .filter(|word| !word.is_empty());
                let words: Vec<_> = words.collect();
                let target = format!("{}?{name}={}", path.replace("{user_id}", "ann"), words.join(","));
                ann.get(&target).await.is(200);
                taken += words.len();
            }
        }
    }
    assert!(taken > 100, "only {taken} words");
}
