//! Holds a JSON value against a schema of the document: whatever a client made from the document would stumble over.

use serde_json::Value;

/// What is wrong with the value at this place, if anything is.
pub(super) fn complaint(document: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = document.pointer(reference.trim_start_matches('#'));
        let target = target.unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return complaint(document, target, value, place);
    }
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        let wrong: Vec<_> =
            choices.iter().filter_map(|choice| complaint(document, choice, value, place)).collect();
        let fits = choices.len() - wrong.len();
        return (fits != 1).then(|| format!("{place} fits {fits} of the forms: {}", wrong.join("; ")));
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        return Some(format!("{place} is {value}, none of {allowed:?}"));
    }
    if !has_type(schema, value) {
        return Some(format!("{place} is {value}, no {}", schema["type"]));
    }
    match value {
        Value::Object(_) => member_complaint(document, schema, value, place),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(i, item)| complaint(document, schema.get("items")?, item, &format!("{place}/{i}"))),
        Value::String(text) => format_complaint(schema, text, place),
        Value::Number(number) => {
            let least = schema.get("minimum").and_then(Value::as_i64)?;
            (number.as_i64()? < least).then(|| format!("{place} is {number}, under {least}"))
        }
        Value::Null | Value::Bool(_) => None,
    }
}

/// Members that are required, and members that nobody told of. An object without known members may hold any.
fn member_complaint(document: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let missing =
        required.iter().filter_map(Value::as_str).find(|name| value.get(name).is_none()).map(str::to_owned);
    if let Some(missing) = missing {
        return Some(format!("{place} has no {missing}"));
    }
    let known = schema.get("properties")?;
    value.as_object()?.iter().find_map(|(name, member)| match known.get(name) {
        None => Some(format!("{place} has {name}, which is not documented")),
        Some(schema) => complaint(document, schema, member, &format!("{place}/{name}")),
    })
}

fn format_complaint(schema: &Value, text: &str, place: &str) -> Option<String> {
    let fits = match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => text.len() == 36 && text.split('-').count() == 5,
        Some("date-time") => text.ends_with('Z') && text.contains('T'),
        Some(_) | None => true,
    };
    (!fits).then(|| format!("{place} is {text:?}, no {}", schema["format"]))
}

fn has_type(schema: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("the document has the type {other:?}"),
    };
    match schema.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(is),
        Some(name) => is(name),
    }
}
