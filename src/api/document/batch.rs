//! What the operations of a batch look like: one form for each thing that they do.

use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{OpenApi, Ref, RefOr, Schema};

use super::forms::UUID_OR_NUMBER;
use super::refer::refer_to;

/// A resource's batch: what its path ends in, the name of its form, what makes a row, what changes one, and whether its
/// rows have numbers.
const BATCHES: [(&str, &str, &str, &str, bool); 2] = [
    ("/tasks/batch", "TaskBatch", "TaskCreate", "TaskPatch", true),
    ("/ideas/batch", "IdeaBatch", "IdeaWrite", "IdeaPatch", false),
];

/// Gives the batches of each resource a form of their own.
pub(super) fn say(document: &mut OpenApi) {
    let Some(components) = &mut document.components else { return };
    let Some(RefOr::T(Schema::Object(general))) = components.schemas.remove("Batch") else { return };
    for (_, name, create, update, numbered) in BATCHES {
        let mut batch = general.clone();
        batch.description = None;
        if let Some(RefOr::T(Schema::Array(operations))) = batch.properties.get_mut("operations") {
            let one_of = OneOfBuilder::new()
                .item(operation("create", Some(create), None))
                .item(operation("update", Some(update), Some(numbered)))
                .item(operation("delete", None, Some(numbered)));
            let Some(most) = operations.max_items else { continue };
            let mut items = ArrayBuilder::new().items(RefOr::T(Schema::from(one_of.build()))).build();
            items.description = operations.description.take();
            items.max_items = Some(most);
            *operations = items;
        }
        components.schemas.insert(name.to_owned(), batch.into());
    }
    for name in ["BatchOperation", "RowName", "Verb"] {
        components.schemas.remove(name);
    }
    for (path, item) in &mut document.paths.paths {
        let of = BATCHES.iter().find(|(end, ..)| path.ends_with(end));
        if let (Some((_, form, ..)), Some(operation)) = (of, &mut item.post) {
            refer_to(operation, &|name| (name == "Batch").then(|| (*form).to_owned()));
        }
    }
}

/// An operation of this name, with this data, on a row that may be named by its number (none: on a new row).
fn operation(name: &str, data: Option<&str>, on: Option<bool>) -> Object {
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([name]));
    let mut operation = ObjectBuilder::new().schema_type(Type::Object).property("op", word).required("op");
    if let Some(numbered) = on {
        let condition = ObjectBuilder::new().schema_type(Type::String);
        let condition = condition.description(Some("The `ETag` that the row must have."));
        operation = operation.property("id", row(numbered)).required("id").property("if_match", condition);
    }
    if let Some(data) = data {
        operation = operation.property("data", Ref::from_schema_name(data)).required("data");
    }
    operation.build()
}

/// How an operation names its row.
fn row(numbered: bool) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    if !numbered {
        let format = utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid);
        return text.format(Some(format)).description(Some("The row's `id`.")).into();
    }
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    let number = number.minimum(Some(1)).maximum(Some(i64::MAX));
    let text = text.pattern(Some(UUID_OR_NUMBER));
    let both = OneOfBuilder::new().item(text).item(number);
    both.description(Some("The task's `id` or `number`.")).into()
}
