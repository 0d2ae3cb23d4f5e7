//! The server's own OpenAPI document, asked about a request.

use std::sync::LazyLock;

use serde_json::Value;

/// The document that the server gives out.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> =
        LazyLock::new(|| serde_json::to_value(creatorvault::api::openapi()).expect("the document is JSON"));
    &DOCUMENT
}

/// The operation that documents a request: its path as the document writes it, and the operation itself.
fn operation(method: &str, target: &str) -> Option<(&'static str, &'static Value)> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let asked: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_ascii_lowercase() };
    let paths = document()["paths"].as_object()?;
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
    let (_, operation) = operation(method, target)?;
    let responses = operation["responses"].as_object()?;
    Some(responses.keys().filter_map(|status| status.parse().ok()).collect())
}
