//! The server's own OpenAPI document, asked about a request.

use std::sync::LazyLock;

use creatorvault::config::contract::ContractConfig;
use serde_json::Value;

use super::Answer;
use super::schema::complaint;

/// The document that the server gives out.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        serde_json::to_value(creatorvault::api::openapi(&ContractConfig::default()))
            .expect("the document is JSON")
    });
    &DOCUMENT
}

/// The operation that documents a request: its path as the document writes it, and the operation itself.
fn operation<'d>(document: &'d Value, method: &str, target: &str) -> Option<(&'d str, &'d Value)> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let asked: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_ascii_lowercase() };
    let paths = document["paths"].as_object()?;
    let fits = |template: &str| {
        let parts: Vec<_> = template.split('/').collect();
        parts.len() == asked.len()
            && parts
                .iter()
                .zip(&asked)
                .all(|(part, sent)| if part.starts_with('{') { !sent.is_empty() } else { part == sent })
    };
    let literal = |template: &str| template.split('/').filter(|part| !part.starts_with('{')).count();
    let (template, item) =
        paths.iter().filter(|(template, _)| fits(template)).max_by_key(|(template, _)| literal(template))?;
    item.get(&method).map(|operation| (template.as_str(), operation))
}

/// The status codes that the document gives for a request, when it knows the operation.
pub(super) fn statuses(method: &str, target: &str) -> Option<Vec<u16>> {
    let (_, operation) = operation(document(), method, target)?;
    let responses = operation["responses"].as_object()?;
    Some(responses.keys().filter_map(|status| status.parse().ok()).collect())
}

/// What this document does not say of an answer, or says otherwise. It says nothing of paths and methods that are not
/// there.
pub(super) fn undocumented(document: &Value, answer: &Answer) -> Option<String> {
    let (path, operation) = operation(document, &answer.method, &answer.target)?;
    let place = format!("{} {path} {}", answer.method, answer.status);
    let Some(mut response) = operation["responses"].get(answer.status.to_string()) else {
        return Some(format!("{place}: the status is not documented"));
    };
    if let Some(reference) = response.get("$ref").and_then(Value::as_str) {
        response = document.pointer(reference.trim_start_matches('#')).expect("it leads somewhere");
    }
    match (response.pointer("/content/application~1json/schema"), answer.body.is_empty()) {
        (None, true) => None,
        (None, false) => Some(format!("{place}: no body is documented")),
        (Some(_), true) => Some(format!("{place}: the body is missing")),
        (Some(schema), false) => complaint(document, schema, &answer.value(), &place),
    }
}
