//! What values look like, as far as a schema can say: words, patterns, dates. Parameters and the members of bodies have
//! one form each, found by their names.

use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, ArrayItems, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Content, KnownFormat, OpenApi, RefOr, Schema};

use super::operations;

/// The bodies that are read field by field.
const BODIES: [&str; 5] = ["TaskCreate", "TaskReplace", "TaskPatch", "IdeaWrite", "IdeaPatch"];

/// Any text without U+0000, which no database of ours holds.
const TEXT: &str = r"^[^\u0000]*$";
/// A text that trimming leaves something of.
const NOT_BLANK: &str = r"^[^\u0000]*[^\s\u0000\u0085][^\u0000]*$";
/// The same without a comma.
const TAG: &str = r"^[^\u0000,]*[^\s\u0000\u0085,][^\u0000,]*$";
/// A UUID in its canonical form, either case.
const UUID: &str = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$";
/// The same, or a task's number.
pub(super) const UUID_OR_NUMBER: &str =
    "^([0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[1-9][0-9]{0,17})$";
/// An `Idempotency-Key`.
pub(super) const REQUEST_KEY: &str = "^[!-~]([ -~]{0,253}[!-~])?$";

/// How a value is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// As one of these words.
    Words(&'static [&'static str]),
    /// As this pattern (ECMA-262) says.
    Pattern(&'static str),
    /// As a date, or as a date and a time.
    Date,
}

/// The form of a parameter, if it has one beyond its type.
fn of_parameter(path: &str, place: &ParameterIn, name: &str) -> Option<Form> {
    let ideas = path.contains("/ideas");
    match (place, name) {
        (ParameterIn::Path, "id") => Some(Form::Pattern(if ideas { UUID } else { UUID_OR_NUMBER })),
        (ParameterIn::Path, "user_id") => Some(Form::Pattern(TEXT)),
        (ParameterIn::Query, name) => of_query(ideas, name),
        (ParameterIn::Path | ParameterIn::QueryString | ParameterIn::Header | ParameterIn::Cookie, _) => None,
    }
}

fn of_query(ideas: bool, name: &str) -> Option<Form> {
    Some(match name {
        "status" => Form::Words(&["all", "pending", "completed", "active", "incomplete", "done"]),
        "tag_mode" => Form::Words(&["any", "all"]),
        "order" => Form::Words(&["asc", "desc"]),
        "priority" => Form::Pattern("^((high|medium|low)(,(high|medium|low))*)?$"),
        "stage" => Form::Pattern("^((idea|outline|draft|published)(,(idea|outline|draft|published))*)?$"),
        "sort" if ideas => Form::Pattern(
            "^[+-]?(created_at|updated_at|title|priority|stage|due_date)(,[+-]?(created_at|updated_at|title|priority|stage|due_date))*$",
        ),
        "sort" => Form::Pattern(
            "^[+-]?(created_at|updated_at|title|priority|completed|due_date)(,[+-]?(created_at|updated_at|title|priority|completed|due_date))*$",
        ),
        "search" | "tags" => Form::Pattern(TEXT),
        "cursor" => Form::Pattern("^[A-Za-z0-9_-]+$"),
        "tz" => Form::Pattern("^[A-Za-z0-9_+/-]+$"),
        "due_before" | "due_after" => Form::Date,
        _ => return None,
    })
}

/// Says the forms of all parameters and of the members of all bodies.
pub(super) fn say(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (_, operation) in operations(item) {
            of_operation(path, operation);
        }
    }
    let Some(components) = &mut document.components else { return };
    for name in BODIES {
        if let Some(RefOr::T(Schema::Object(body))) = components.schemas.get_mut(name) {
            of_body(body);
        }
    }
}

fn of_operation(path: &str, operation: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.content.values_mut().for_each(without_null);
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            let Parameter { name, parameter_in, schema, .. } = parameter;
            if let (Some(form), Some(schema)) = (of_parameter(path, parameter_in, name), schema) {
                write(schema, form, false);
            }
        }
    }
}

/// A body that may be left out is not one that may be null.
fn without_null(content: &mut RefOr<Content>) {
    let RefOr::T(Content { schema: Some(schema), .. }) = content else { return };
    let RefOr::T(Schema::OneOf(one_of)) = schema else { return };
    one_of.items.retain(|item| matches!(item, RefOr::Ref(_)));
    if let [only] = one_of.items.as_slice() {
        *schema = only.clone();
    }
}

fn of_body(body: &mut Object) {
    for (name, member) in &mut body.properties {
        match (name.as_str(), member) {
            ("title", member) => write(member, Form::Pattern(NOT_BLANK), false),
            ("description" | "notes", member) => write(member, Form::Pattern(TEXT), true),
            ("due_date", member) => write(member, Form::Date, true),
            ("tags", RefOr::T(Schema::Array(tags))) => {
                let tag = ObjectBuilder::new().schema_type(Type::String);
                let tag = tag.min_length(Some(1)).max_length(Some(50)).pattern(Some(TAG));
                tags.items = ArrayItems::RefOrSchema(Box::new(tag.into()));
            }
            _ => {}
        }
    }
}

/// Puts a form into a schema that is a text so far.
fn write(schema: &mut RefOr<Schema>, form: Form, nullable: bool) {
    let RefOr::T(Schema::Object(text)) = schema else { return };
    match form {
        Form::Words(words) => text.enum_values = Some(words.iter().copied().map(Into::into).collect()),
        Form::Pattern(pattern) => text.pattern = Some(pattern.to_owned()),
        Form::Date => {
            let mut any = AnyOfBuilder::new().description(text.description.take());
            for format in [KnownFormat::DateTime, KnownFormat::Date] {
                let format = Some(SchemaFormat::KnownFormat(format));
                any = any.item(ObjectBuilder::new().schema_type(Type::String).format(format));
            }
            if nullable {
                any = any.item(ObjectBuilder::new().schema_type(Type::Null));
            }
            let mut any = any.build();
            any.example = text.example.take();
            *schema = RefOr::T(any.into());
        }
    }
}
