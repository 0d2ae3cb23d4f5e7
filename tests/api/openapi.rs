//! The OpenAPI document: equal to its snapshot, whole in itself, and true.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Request, World, document, on_both};

on_both!(every_documented_operation_is_there);

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Path, method and content of each operation.
fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = document()["paths"].as_object().expect("the document has paths");
    paths.iter().flat_map(|(path, item)| {
        METHODS
            .into_iter()
            .filter_map(move |method| item.get(method).map(|operation| (path.as_str(), method, operation)))
    })
}

/// Every value of the document that has this member.
fn members(of: &'static Value, name: &str, found: &mut Vec<&'static Value>) {
    match of {
        Value::Object(object) => {
            found.extend(object.get(name));
            object.values().for_each(|value| members(value, name, found));
        }
        Value::Array(array) => array.iter().for_each(|value| members(value, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_is_its_snapshot() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/openapi.json");
    let now = serde_json::to_string_pretty(document()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        std::fs::write(&file, &now).expect("the snapshot is written");
    }
    let snapshot = std::fs::read_to_string(&file).unwrap_or_default();
    let first = snapshot.lines().zip(now.lines()).position(|(old, new)| old != new);
    assert!(
        snapshot == now,
        "the document differs from tests/api/openapi.json, first in line {}: when that is meant, run \
         UPDATE_SNAPSHOTS=1 cargo test --test api the_document_is_its_snapshot and look at the difference",
        first.map_or_else(|| snapshot.lines().count().min(now.lines().count()) + 1, |line| line + 1),
    );
}

#[test]
fn it_is_openapi_3_1_and_names_its_security() {
    assert!(
        document()["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")),
        "{}",
        document()["openapi"]
    );
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
    let schemes =
        document()["components"]["securitySchemes"].as_object().expect("there are security schemes");
    assert!(
        schemes.values().any(|scheme| scheme["type"] == "http" && scheme["scheme"] == "bearer"),
        "{schemes:?}"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let mut references = Vec::new();
    members(document(), "$ref", &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let place = reference.as_str().and_then(|text| text.strip_prefix('#'));
        let place = place.unwrap_or_else(|| panic!("{reference} leads out of the document"));
        assert!(document().pointer(place).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn operation_ids_are_unique() {
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations() {
        let id =
            operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
        assert!(ids.insert(id), "{method} {path}: {id} is there twice");
    }
}

#[test]
fn every_parameter_of_a_path_is_documented() {
    for (path, method, operation) in operations() {
        let named: BTreeSet<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let documented: BTreeSet<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        assert_eq!(documented, named, "{method} {path}");
    }
}

#[test]
fn every_status_has_its_headers_and_errors_their_form() {
    for (path, method, operation) in operations() {
        let responses = operation["responses"].as_object().expect("an operation has responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}: no success");
        for (status, response) in responses {
            let response = resolve(response);
            assert!(
                response["headers"].get("X-Correlation-ID").is_some(),
                "{method} {path} {status}: {response}"
            );
            let code: u16 =
                status.parse().unwrap_or_else(|_| panic!("{method} {path}: {status} is no status"));
            if code >= 400 {
                assert!(
                    response["content"]["application/json"]["schema"].is_object(),
                    "{method} {path} {status}"
                );
                let problem = &response["content"]["application/problem+json"]["schema"];
                assert_eq!(problem.is_object(), path.starts_with("/api/v1/"), "{method} {path} {status}");
            }
            for (wanted, header) in [("401", "WWW-Authenticate"), ("503", "Retry-After")] {
                assert!(
                    status != wanted
                        || !path.starts_with("/api/")
                        || response["headers"].get(header).is_some(),
                    "{method} {path} {status}: {header}"
                );
            }
        }
        let created = responses.get("201").map(resolve);
        assert!(
            created.is_none_or(|response| response["headers"].get("Location").is_some()),
            "{method} {path}: Location"
        );
        if path.contains("{user_id}") {
            for status in ["401", "403", "503"] {
                assert!(responses.contains_key(status), "{method} {path}: no {status}");
            }
        }
        if path.contains("{id}") {
            assert!(responses.contains_key("404") && responses.contains_key("422"), "{method} {path}");
        }
    }
}

fn resolve(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#')) {
        Some(place) => document().pointer(place).unwrap_or_else(|| panic!("{place} leads nowhere")),
        None => value,
    }
}

async fn every_documented_operation_is_there(world: &World) {
    let ann = world.user("ann");
    for (path, method, operation) in operations() {
        let kind = if path.contains("ideas") { ann.ideas() } else { ann.tasks() };
        let row = kind.create(json!({"title": "There"})).await.is(201);
        let id = row["id"].as_str().expect("an id");
        let target = path.replace("{user_id}", "ann").replace("{id}", id);
        assert!(!target.contains('{'), "{path} has a parameter that this test does not know");
        let request = Request::new(&method.to_uppercase(), target.clone());
        let mut whole = json!({"title": "Still there", "completed": true, "stage": "draft"});
        if path.ends_with("/batch") {
            whole = json!({"operations": [{"op": "create", "data": whole}]});
        }
        let request = if operation.get("requestBody").is_some() { request.json(&whole) } else { request };
        let answer = ann.send(request).await;
        assert!((200..300).contains(&answer.status), "{method} {target}: {}", answer.status);
        let documented = operation["responses"].as_object().expect("an operation has responses");
        assert!(documented.contains_key(&answer.status.to_string()), "{method} {target}: {}", answer.status);
    }
}
