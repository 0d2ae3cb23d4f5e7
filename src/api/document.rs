//! Completes the document with what all operations share: the token, the refusals, the headers.

mod batch;
mod forms;
mod refer;
mod removal;
mod rows;
pub mod settings;

use std::borrow::Cow;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required};
use utoipa::{PartialSchema, ToSchema};

use super::errors::Contract;
use super::problem::{PROBLEM_JSON, Problem};
use super::todo::TodoError;
use super::v1::{V1Error, V1ErrorBody};
use rows::Does;

/// The name of the token's scheme.
const TOKEN: &str = "token";

/// The request header of preferences, and the name of its description.
const PREFER: &str = "Prefer";

/// The headers of every answer: name and what it says.
const EVERYWHERE: &[(&str, &str)] = &[
    ("X-Correlation-ID", "Finds the request in the log; taken from the request where it is well-formed"),
    ("X-Content-Type-Options", "`nosniff`"),
    ("X-Frame-Options", "`DENY`"),
    ("X-XSS-Protection", "`1; mode=block`"),
    ("Content-Security-Policy", "`default-src 'self'`"),
    ("Referrer-Policy", "`strict-origin-when-cross-origin`"),
    ("Permissions-Policy", "No geolocation, microphone or camera"),
];

/// The headers of every answer under `/api`.
const UNDER_API: &[(&str, &str)] = &[
    ("Cache-Control", "`private, no-cache`"),
    ("Vary", "`Authorization, Origin`; errors of v1 `Accept` too"),
];

/// The headers of every answer to a request whose token was looked at, unless `RATE_LIMIT=off`.
const COUNTED: &[(&str, &str)] = &[
    ("RateLimit", "`\"user\";r=599;t=1`: `r` more requests at once; all of them again after `t` seconds"),
    (
        "RateLimit-Policy",
        "`\"user\";q=600;w=60`: `q` requests in `w` seconds; `\"address\"` where no token was valid",
    ),
];

/// The headers that belong to a status: status, name and what it says.
const OF_STATUS: &[(&str, &str, &str)] = &[
    ("409", "Retry-After", "Seconds after which another try makes sense"),
    ("412", "ETag", "The entity tag of the row as it is now"),
    ("401", "WWW-Authenticate", "`Bearer`, with `error=\"invalid_token\"` when a token was sent"),
    ("422", "Preference-Applied", "`handling=strict` when it was asked for"),
    ("429", "Retry-After", "Seconds after which one more request is let through"),
    ("503", "Retry-After", "Seconds after which another try makes sense"),
];

/// The contracts, and what the names of their shared answers begin with.
const CONTRACTS: &[(Contract, &str)] = &[(Contract::Todo, "Todo"), (Contract::V1, "V1")];

/// The refusals: status and what it says.
const REFUSALS: &[(&str, &str)] = &[
    ("400", "The path, the query or the body is malformed"),
    ("401", "The token is missing, expired or refused"),
    ("403", "The path names another user than the token"),
    ("404", "It is not there, or belongs to someone else"),
    ("408", "The body did not arrive in time"),
    ("409", "The first request under this Idempotency-Key is still running"),
    ("412", "The row is not the version that `If-Match` names; it is in the answer as it is now"),
    ("413", "The body is over the limit"),
    ("415", "The body is neither JSON nor UTF-8"),
    ("421", "Dev mode answers only localhost, 127.0.0.1 and [::1]"),
    ("422", "Validation: every bad field is named"),
    ("428", "`If-Match` is required (`REQUIRE_IF_MATCH`)"),
    ("429", "The user, or the address that refused tokens come from, is past the rate limit (`RATE_LIMIT`)"),
    ("500", "A fault of the server; the cause is in its log"),
    ("503", "The database or the key set cannot be reached, the server is saturated, or the deadline passed"),
];

/// The path item of the same operations with the user taken from the token.
pub fn without_user(mut item: PathItem) -> PathItem {
    for (_, operation) in operations(&mut item) {
        if let Some(id) = &mut operation.operation_id {
            id.push_str("_mine");
        }
        if let Some(parameters) = &mut operation.parameters {
            parameters
                .retain(|parameter| !matches!(parameter, RefOr::T(parameter) if parameter.name == "user_id"));
        }
    }
    item
}

/// Adds the token's scheme, the shared refusals and headers, and the version.
pub fn complete(document: &mut OpenApi) {
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    forms::say(document);
    batch::say(document);
    let components = document.components.get_or_insert_default();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.security_schemes.insert(TOKEN.to_owned(), RefOr::T(SecurityScheme::Http(scheme)));
    components.schemas.insert(TodoError::name().into_owned(), TodoError::schema());
    components.schemas.insert(V1Error::name().into_owned(), V1Error::schema());
    components.schemas.insert(V1ErrorBody::name().into_owned(), V1ErrorBody::schema());
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    for (name, description) in EVERYWHERE.iter().chain(UNDER_API).chain(COUNTED) {
        let header = HeaderBuilder::new().schema(Some(text())).description(Some(*description)).build();
        components.headers.insert((*name).to_owned(), RefOr::T(header));
    }
    components.parameters.insert(PREFER.to_owned(), RefOr::T(prefer()));
    for (contract, name) in CONTRACTS {
        for (status, says) in REFUSALS {
            let mut response = refusal(contract, says);
            add_headers(status, true, &mut response);
            components.responses.insert(format!("{name}{status}"), RefOr::T(response));
        }
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            share(path, method, operation);
        }
    }
}

/// The operations of a path with their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("get", item.get.as_mut()),
        ("post", item.post.as_mut()),
        ("put", item.put.as_mut()),
        ("patch", item.patch.as_mut()),
        ("delete", item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}

fn text() -> RefOr<utoipa::openapi::Schema> {
    ObjectBuilder::new().schema_type(Type::String).build().into()
}

/// Adds to one operation what it shares with the others.
fn share(path: &str, method: &str, operation: &mut Operation) {
    let under_api = path.starts_with("/api/");
    let does = Does::of(path, method).filter(|_| under_api);
    if let Some(does) = does {
        rows::share(does, operation);
    }
    let strict = looks_through(path, method, operation);
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            if status.starts_with('2') && strict {
                add_header("Preference-Applied", "Which of the preferences were kept", response);
            }
            add_headers(status, under_api, response);
        }
    }
    if strict || does.is_some_and(Does::answers_short) {
        let parameter = RefOr::Ref(Ref::new(format!("#/components/parameters/{PREFER}")));
        operation.parameters.get_or_insert_default().push(parameter);
    }
    if under_api {
        operation.security = Some(vec![SecurityRequirement::new(TOKEN, Vec::<String>::new())]);
        refuse(path, method, does, operation);
    }
}

/// Whether the operation looks through a body or a query.
fn looks_through(path: &str, method: &str, operation: &Operation) -> bool {
    let takes_query = method == "get" && !path.contains("{id}") && operation.parameters.is_some();
    operation.request_body.is_some() || takes_query
}

/// The header that asks for strict handling.
fn prefer() -> Parameter {
    ParameterBuilder::new()
        .name(PREFER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "RFC 7240. `handling=strict`: unknown members of the body and unknown parameters of the query are refused with \
             422. `return=minimal`: no row in the answer to a write",
        ))
        .schema(Some(text()))
        .build()
}

/// Adds the headers of every answer, and those that belong to its status.
fn add_headers(status: &str, under_api: bool, response: &mut Response) {
    for (_, name, says) in OF_STATUS.iter().filter(|(of, ..)| *of == status) {
        add_header(name, says, response);
    }
    let more: [&[_]; 2] = if under_api { [UNDER_API, COUNTED] } else { [&[], &[]] };
    for (name, _) in EVERYWHERE.iter().chain(more.concat().iter()) {
        let header = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
        response.headers.entry((*name).to_owned()).or_insert(header);
    }
}

fn add_header(name: &str, says: &str, response: &mut Response) {
    let header = HeaderBuilder::new().schema(Some(text())).description(Some(says)).build();
    response.headers.entry(name.to_owned()).or_insert(RefOr::T(header));
}

/// Refers to the refusals that the operation's path, query and body can meet.
fn refuse(path: &str, method: &str, does: Option<Does>, operation: &mut Operation) {
    let takes_body = operation.request_body.is_some();
    let looks_through = looks_through(path, method, operation);
    let names_row = path.contains("{id}");
    let contract = Contract::of(path);
    let name = CONTRACTS.iter().find(|(known, _)| *known == contract).map_or("", |(_, name)| name);
    for (status, _) in REFUSALS {
        let met = match *status {
            "404" => names_row || does == Some(Does::Batch),
            "409" => does.is_some_and(Does::is_keyed),
            "412" | "428" => does.is_some_and(|does| does.is_conditional() || does == Does::Batch),
            "408" | "413" | "415" => takes_body,
            "422" => looks_through || names_row || does.is_some_and(Does::is_keyed),
            _ => true,
        };
        if met {
            let shared = RefOr::Ref(Ref::from_response_name(format!("{name}{status}")));
            operation.responses.responses.entry((*status).to_owned()).or_insert(shared);
        }
    }
}

fn refusal(contract: &Contract, says: &str) -> Response {
    let content =
        |schema: Cow<'static, str>| ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let response = ResponseBuilder::new().description(says);
    match contract {
        Contract::Todo => response.content("application/json", content(TodoError::name())),
        Contract::V1 => response
            .content("application/json", content(V1Error::name()))
            .content(PROBLEM_JSON, content(Problem::name())),
    }
    .build()
}
