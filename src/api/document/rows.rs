//! What the operations on rows share: conditions, entity tags, keys to repeat under, preferences.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, ResponseBuilder};

use super::forms::REQUEST_KEY;
use super::text;

/// What an operation does to one row, or to several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Reads one row.
    Reads,
    /// Makes one.
    Creates,
    /// Completes or reopens one, which may be repeated under a key.
    Completes,
    /// Changes one.
    Changes,
    /// Removes one.
    Removes,
    /// Several of these.
    Batch,
}

impl Does {
    /// What an operation does; none for lists and for what is about no row.
    pub(super) fn of(path: &str, method: &str) -> Option<Self> {
        let last = path.rsplit('/').next().unwrap_or_default();
        match (method, last) {
            ("get", "{id}") => Some(Self::Reads),
            ("put" | "patch", "{id}") => Some(Self::Changes),
            ("delete", "{id}") => Some(Self::Removes),
            ("post" | "patch", "complete" | "uncomplete" | "toggle") => Some(Self::Completes),
            ("post", "tasks" | "ideas") => Some(Self::Creates),
            ("post", "batch") => Some(Self::Batch),
            _ => None,
        }
    }

    /// Whether it may be repeated under a key.
    pub(super) fn is_keyed(self) -> bool {
        matches!(self, Self::Creates | Self::Completes | Self::Batch)
    }

    /// Whether it may be made to depend on the row's version.
    pub(super) fn is_conditional(self) -> bool {
        matches!(self, Self::Completes | Self::Changes | Self::Removes)
    }

    /// Whether its answer can do without the row.
    pub(super) fn answers_short(self) -> bool {
        !matches!(self, Self::Reads | Self::Removes)
    }

    /// Whether it answers with one row.
    fn answers_row(self) -> bool {
        !matches!(self, Self::Removes | Self::Batch)
    }
}

/// Adds to an operation what its kind of operation has.
pub(super) fn share(does: Does, operation: &mut Operation) {
    if does == Does::Reads {
        parameter(
            operation,
            "If-None-Match",
            "Entity tags that the client has already: 304 where one is the row's",
            None,
        );
        let response = ResponseBuilder::new().description("The client has this version already").build();
        operation.responses.responses.entry("304".to_owned()).or_insert(RefOr::T(response));
    }
    if does.is_conditional() {
        let says = "Entity tags of which one must be the row's (or `*`), else 412; with `REQUIRE_IF_MATCH=true` \
                    it must be sent, else 428";
        parameter(operation, "If-Match", says, None);
    }
    if does.is_keyed() {
        let says = "1–255 printable characters. The same request under the same key is done once within 24 hours, and \
                    answered again";
        parameter(operation, "Idempotency-Key", says, Some(REQUEST_KEY));
    }
    if matches!(does, Does::Completes | Does::Changes) {
        let response =
            ResponseBuilder::new().description("It is done; `return=minimal` was preferred").build();
        operation.responses.responses.entry("204".to_owned()).or_insert(RefOr::T(response));
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut header = |name: &str, says: &str| {
            let header = HeaderBuilder::new().schema(Some(text())).description(Some(says)).build();
            response.headers.entry(name.to_owned()).or_insert(RefOr::T(header));
        };
        if does.answers_row() && matches!(status.as_str(), "200" | "201" | "204" | "304") {
            header("ETag", "The entity tag of the row's version");
        }
        if does.is_keyed() && matches!(status.as_str(), "200" | "201" | "204") {
            header("Idempotency-Replayed", "`true` where the request was answered before");
        }
    }
}

fn parameter(operation: &mut Operation, name: &str, says: &str, pattern: Option<&str>) {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(says))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).pattern(pattern)))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}
