//! Shows the document as the settings of the contracts make it. With none of them set nothing is touched.

use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, OpenApi, Ref, RefOr, Schema};

use super::operations;
use super::refer::{content, of_schema, refer_to};
use super::removal::removals;
use crate::api::errors::Contract;
use crate::api::look::{Look, Style};
use crate::config::contract::{ContractConfig, TodoConfig, TodoListShape};

/// What the forms of the todo contract's own begin with.
const OWN: &str = "Todo";

/// The bodies that name `completed`.
const BODIES: [&str; 4] = ["TaskCreate", "TaskReplace", "TaskPatch", "TaskCompletion"];

/// The todo contract's own schemas that speak of tasks.
const ABOUT_TASKS: [&str; 3] = ["TodoList", "TodoWindow", "TodoError"];

/// Changes what the settings change.
pub fn show(document: &mut OpenApi, settings: &ContractConfig) {
    let ContractConfig { require_if_match: _, delete_status, todo } = settings;
    let TodoConfig { list, number_ids: _, partial_put, is_completed: _, nested_errors } = todo;
    let look = Style::todo(settings).look;
    if *list != TodoListShape::Array {
        show_list(document, *list);
    }
    if *partial_put {
        show_partial_put(document);
    }
    if look != Look::default() {
        show_look(document, look);
    }
    if let Some(status) = delete_status {
        removals(document, *status, look);
    }
    if *nested_errors {
        show_nested_errors(document);
    }
    describe(document, todo);
}

/// The operations of the todo contract, with their paths and methods.
fn todo_operations(document: &mut OpenApi) -> impl Iterator<Item = (&str, &'static str, &mut Operation)> {
    let paths = document.paths.paths.iter_mut();
    paths.filter(|(path, _)| Contract::of(path) == Contract::Todo).flat_map(|(path, item)| {
        operations(item).map(|(method, operation)| (path.as_str(), method, operation))
    })
}

/// A schema of the document, when it is an object.
fn object<'a>(document: &'a mut OpenApi, name: &str) -> Option<&'a mut Object> {
    match document.components.as_mut()?.schemas.get_mut(name)? {
        RefOr::T(Schema::Object(object)) => Some(object),
        RefOr::T(_) | RefOr::Ref(_) => None,
    }
}

/// Gives a member another name; whether it is required stays.
fn rename(object: &mut Object, from: &str, to: &str) {
    if let Some(member) = object.properties.remove(from) {
        object.properties.insert(to.to_owned(), member);
    }
    for name in object.required.iter_mut().filter(|name| *name == from) {
        to.clone_into(name);
    }
}

/// `TODO_LIST`: always an object, whose window members are there for a window only.
fn show_list(document: &mut OpenApi, shape: TodoListShape) {
    let (rows, number) = shape.names();
    if let Some(window) = object(document, "TodoWindow") {
        window.required.retain(|name| name == "tasks" || name == "total");
        rename(window, "tasks", rows);
        rename(window, "total", number);
        let tasks = ArrayBuilder::new().items(Ref::from_schema_name("Task"));
        let tasks =
            tasks.description(Some("Every task that the filters let through, or those of the window."));
        window.properties.insert(rows.to_owned(), tasks.build().into());
        window.description = Some(
            "The tasks and their number; `limit`, `offset` and `has_more` only where the query asks for a window."
                .to_owned(),
        );
    }
    if let Some(components) = &mut document.components
        && let Some(window) = components.schemas.remove("TodoWindow")
    {
        components.schemas.insert("TodoList".to_owned(), window);
    }
    for (path, method, operation) in todo_operations(document) {
        if method == "get" && !path.contains("{id}") {
            operation.description = Some(format!(
                "Without a window the answer has every task that the filters let through in `{rows}`, streamed, and \
                 their number in `{number}`; with one it has the tasks of the window, and their number in all."
            ));
        }
    }
}

/// `TODO_PUT=partial`: the body of a PATCH.
fn show_partial_put(document: &mut OpenApi) {
    for (_, _, operation) in todo_operations(document).filter(|(_, method, _)| *method == "put") {
        operation.summary = Some("Change some fields of a task".to_owned());
        operation.description = Some(
            "Nothing is required: what is left out stays as it is. What the change cleared is named in \
             `Cleared-Fields`."
                .to_owned(),
        );
        refer_to(operation, &|name| (name == "TaskReplace").then(|| "TaskPatch".to_owned()));
    }
}

/// `TODO_IDS` and `TODO_COMPLETED_FIELD`: the todo contract has forms of its own, since v1 keeps its.
fn show_look(document: &mut OpenApi, look: Look) {
    let bodies = if look.is_completed { &BODIES[..] } else { &[] };
    let Some(components) = &mut document.components else { return };
    for name in bodies.iter().chain(&["Task"]) {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get(*name) {
            let mut own = object.clone();
            if look.number_ids && *name == "Task" {
                own.properties.insert("id".to_owned(), number("The same as `number`.").into());
            }
            if look.is_completed {
                rename(&mut own, "completed", "is_completed");
                call_is_completed(&mut own.description);
            }
            components.schemas.insert(format!("{OWN}{name}"), own.into());
        }
    }
    let own = |name: &str| (name == "Task" || bodies.contains(&name)).then(|| format!("{OWN}{name}"));
    for name in ABOUT_TASKS {
        if let Some(schema) = components.schemas.get_mut(name) {
            of_schema(schema, &own);
        }
    }
    for (_, _, operation) in todo_operations(document) {
        refer_to(operation, &own);
        if look.is_completed {
            call_is_completed(&mut operation.description);
            let parameters = operation.parameters.iter_mut().flatten();
            for parameter in parameters {
                if let RefOr::T(parameter) = parameter
                    && (&parameter.parameter_in, parameter.name.as_str())
                        == (&ParameterIn::Query, "completed")
                {
                    "is_completed".clone_into(&mut parameter.name);
                }
            }
        }
    }
}

/// A row's number.
pub(super) fn number(says: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .minimum(Some(1))
        .description(Some(says))
        .build()
}

/// Calls `completed` by its other name in a text.
fn call_is_completed(text: &mut Option<String>) {
    if let Some(text) = text {
        *text = text.replace("`completed`", "`is_completed`").replace("\"completed\"", "\"is_completed\"");
    }
}

/// `TODO_ERRORS=nested`: v1's refusals.
fn show_nested_errors(document: &mut OpenApi) {
    let shared = format!("#/components/responses/{OWN}");
    for (_, _, operation) in todo_operations(document) {
        for response in operation.responses.responses.values_mut() {
            match response {
                RefOr::Ref(reference) => {
                    if let Some(status) = reference.ref_location.strip_prefix(&shared) {
                        *reference = Ref::from_response_name(format!("V1{status}"));
                    }
                }
                RefOr::T(response) => content(response.content.values_mut(), &|name| {
                    (name == "TodoError").then(|| "V1Error".to_owned())
                }),
            }
        }
    }
    if let Some(components) = &mut document.components {
        components.responses.retain(|name, _| !name.starts_with(OWN));
        components.schemas.remove("TodoError");
    }
}

/// What the contract's tag says of its lists and errors.
fn describe(document: &mut OpenApi, todo: &TodoConfig) {
    let mut tags = document.tags.iter_mut().flatten();
    if let Some(text) = tags.find(|tag| tag.name == "todo").and_then(|tag| tag.description.as_mut()) {
        if todo.list != TodoListShape::Array {
            *text = text.replace("bare lists", "lists in an object");
        }
        if todo.nested_errors {
            *text = text.replace("flat errors", "nested errors");
        }
    }
}
