//! Shows what a removal answers (`DELETE_STATUS`).

use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, KnownFormat, OpenApi, RefOr};

use super::settings::number;
use crate::api::errors::Contract;
use crate::api::look::Look;
use crate::config::contract::DeleteStatus;

/// Changes the answers of every removal of a row, in both contracts.
pub(super) fn removals(document: &mut OpenApi, status: DeleteStatus, look: Look) {
    for (path, item) in &mut document.paths.paths {
        let Some(operation) = item.delete.as_mut().filter(|_| path.ends_with("/{id}")) else { continue };
        let numbered = look.number_ids && Contract::of(path) == Contract::Todo;
        let message = if path.contains("/ideas/") { "`Idea deleted`" } else { "`Task deleted`" };
        let responses = &mut operation.responses.responses;
        let usual = ["200", "204"].into_iter().find_map(|usual| responses.remove(usual));
        let Some(RefOr::T(mut response)) = usual else { continue };
        let status = match status {
            DeleteStatus::NoContent => {
                response.content.clear();
                "204"
            }
            DeleteStatus::Ok => {
                say(&mut response, &removed(message, numbered));
                "200"
            }
        };
        responses.insert(status.to_owned(), RefOr::T(response));
    }
}

fn say(response: &mut Response, body: &Object) {
    let content = ContentBuilder::new().schema(Some(body.clone())).build();
    response.content.clear();
    response.content.insert("application/json".to_owned(), RefOr::T(content));
}

/// The body of a removal's answer.
fn removed(message: &str, numbered: bool) -> Object {
    let says = "What was removed.";
    let id = if numbered {
        number(says)
    } else {
        let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
        text().format(Some(format)).description(Some(says)).build()
    };
    let always = ObjectBuilder::new().schema_type(SchemaType::new(Type::Boolean));
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Object))
        .property("success", always.description(Some("Always true.")))
        .property("message", text().description(Some(message)))
        .property("id", id)
        .required("success")
        .required("message")
        .required("id")
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}
