//! Leads references to other schemas.

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::{Content, Ref, RefOr, Schema};

/// The name of the schema that stands for a named one; none: it stays.
pub(super) type Instead<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Leads the references in an operation's body and answers.
pub(super) fn refer_to(operation: &mut Operation, instead: Instead<'_>) {
    if let Some(body) = &mut operation.request_body {
        let RefOr::T(body) = body else { return };
        content(body.content.values_mut(), instead);
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            content(response.content.values_mut(), instead);
        }
    }
}

/// Leads the references of contents.
pub(super) fn content<'a>(contents: impl Iterator<Item = &'a mut RefOr<Content>>, instead: Instead<'_>) {
    for content in contents {
        if let RefOr::T(content) = content
            && let Some(schema) = &mut content.schema
        {
            of_schema(schema, instead);
        }
    }
}

/// Leads the references in a schema.
pub(super) fn of_schema(schema: &mut RefOr<Schema>, instead: Instead<'_>) {
    match schema {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next().and_then(instead);
            if let Some(name) = name {
                reference.ref_location = Ref::from_schema_name(name).ref_location;
            }
        }
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                of_schema(items, instead);
            }
        }
        RefOr::T(Schema::Object(object)) => {
            object.properties.values_mut().for_each(|member| of_schema(member, instead));
        }
        RefOr::T(Schema::OneOf(of)) => of.items.iter_mut().for_each(|one| of_schema(one, instead)),
        RefOr::T(Schema::AllOf(of)) => of.items.iter_mut().for_each(|one| of_schema(one, instead)),
        RefOr::T(Schema::AnyOf(of)) => of.items.iter_mut().for_each(|one| of_schema(one, instead)),
        // The enum is open: a kind of schema that utoipa learns holds no reference of ours.
        RefOr::T(_) => {}
    }
}
