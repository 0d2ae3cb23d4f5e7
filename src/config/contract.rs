//! What front-ends written against other back ends expect of the contracts (`REQUIRE_IF_MATCH`, `DELETE_STATUS`,
//! `TODO_…`).

use super::Reader;

/// The variables that the contracts, and so the document, depend on.
pub const VARIABLES: [&str; 7] = [
    "REQUIRE_IF_MATCH",
    "DELETE_STATUS",
    "TODO_LIST",
    "TODO_IDS",
    "TODO_PUT",
    "TODO_COMPLETED_FIELD",
    "TODO_ERRORS",
];

/// The settings of the contracts; the default is the contracts as they are documented.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContractConfig {
    /// `REQUIRE_IF_MATCH`: a change or removal without `If-Match` is refused with 428. Both contracts.
    pub require_if_match: bool,
    /// `DELETE_STATUS`; unset: each contract's own. Both contracts.
    pub delete_status: Option<DeleteStatus>,
    /// What only the todo contract has settings for.
    pub todo: TodoConfig,
}

/// `DELETE_STATUS`: how a removal is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteStatus {
    /// 204, empty.
    NoContent,
    /// 200 with a JSON body, for clients that parse every answer.
    Ok,
}

/// The settings of the todo contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TodoConfig {
    /// `TODO_LIST`.
    pub list: TodoListShape,
    /// `TODO_IDS=number`: `id` is the task's number.
    pub number_ids: bool,
    /// `TODO_PUT=partial`: a PUT changes what it names and keeps the rest.
    pub partial_put: bool,
    /// `TODO_COMPLETED_FIELD=is_completed`: `completed` is called `is_completed`.
    pub is_completed: bool,
    /// `TODO_ERRORS=nested`: errors have v1's form.
    pub nested_errors: bool,
}

/// `TODO_LIST`: the shape of the todo list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TodoListShape {
    /// A bare array; an object only for a window.
    #[default]
    Array,
    /// `{"tasks": […], "total": n}`.
    TasksTotal,
    /// `{"tasks": […], "count": n}`.
    TasksCount,
    /// `{"data": […], "count": n}`.
    DataCount,
    /// `{"items": […], "total": n}`.
    ItemsTotal,
}

impl TodoListShape {
    /// The names of the rows and of their number in an object.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Array | Self::TasksTotal => ("tasks", "total"),
            Self::TasksCount => ("tasks", "count"),
            Self::DataCount => ("data", "count"),
            Self::ItemsTotal => ("items", "total"),
        }
    }
}

impl ContractConfig {
    /// Reads the settings; what is wrong with them is noted in `reader`.
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            require_if_match: reader.switch("REQUIRE_IF_MATCH", false),
            delete_status: reader.parse("DELETE_STATUS", None, |text| match text {
                "204" => Ok(Some(DeleteStatus::NoContent)),
                "200" => Ok(Some(DeleteStatus::Ok)),
                _ => Err("must be 204 or 200 (unset: each contract's own)".to_owned()),
            }),
            todo: TodoConfig {
                list: reader.parse("TODO_LIST", TodoListShape::Array, parse_list),
                number_ids: one_of_two(reader, "TODO_IDS", "uuid", "number"),
                partial_put: one_of_two(reader, "TODO_PUT", "replace", "partial"),
                is_completed: one_of_two(reader, "TODO_COMPLETED_FIELD", "completed", "is_completed"),
                nested_errors: one_of_two(reader, "TODO_ERRORS", "flat", "nested"),
            },
        }
    }
}

fn parse_list(text: &str) -> Result<TodoListShape, String> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["array"] => Ok(TodoListShape::Array),
        ["tasks", "total"] => Ok(TodoListShape::TasksTotal),
        ["tasks", "count"] => Ok(TodoListShape::TasksCount),
        ["data", "count"] => Ok(TodoListShape::DataCount),
        ["items", "total"] => Ok(TodoListShape::ItemsTotal),
        _ => Err("must be array, or one of tasks,total  tasks,count  data,count  items,total".to_owned()),
    }
}

/// Whether a variable says the second of two words; the first is its default.
fn one_of_two(reader: &mut Reader, name: &str, usual: &str, other: &str) -> bool {
    reader.parse(name, false, |text| match text.to_ascii_lowercase() {
        word if word == usual => Ok(false),
        word if word == other => Ok(true),
        _ => Err(format!("must be {usual} or {other}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (ContractConfig, Vec<String>) {
        let mut reader =
            Reader::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = ContractConfig::read(&mut reader);
        (config, reader.into_notes().0)
    }

    #[test]
    fn nothing_set_is_the_contract_as_documented() {
        assert_eq!(read(&[]), (ContractConfig::default(), vec![]));
        let usual = [
            ("TODO_LIST", "Array"),
            ("TODO_IDS", "uuid"),
            ("TODO_PUT", "replace"),
            ("TODO_COMPLETED_FIELD", "completed"),
            ("TODO_ERRORS", "flat"),
            ("REQUIRE_IF_MATCH", "off"),
        ];
        assert_eq!(read(&usual), (ContractConfig::default(), vec![]));
    }

    #[test]
    fn every_setting_is_read() {
        let (config, problems) = read(&[
            ("TODO_LIST", "data, count"),
            ("TODO_IDS", "number"),
            ("TODO_PUT", "Partial"),
            ("TODO_COMPLETED_FIELD", "is_completed"),
            ("TODO_ERRORS", "nested"),
            ("DELETE_STATUS", "200"),
            ("REQUIRE_IF_MATCH", "true"),
        ]);
        assert_eq!(problems, [""; 0]);
        assert!(config.require_if_match);
        assert_eq!(config.delete_status, Some(DeleteStatus::Ok));
        let todo = TodoConfig {
            list: TodoListShape::DataCount,
            number_ids: true,
            partial_put: true,
            is_completed: true,
            nested_errors: true,
        };
        assert_eq!(config.todo, todo);
        assert_eq!(read(&[("DELETE_STATUS", "204")]).0.delete_status, Some(DeleteStatus::NoContent));
    }

    #[test]
    fn anything_else_is_told_the_words() {
        let (_, problems) = read(&[
            ("TODO_LIST", "tasks"),
            ("TODO_IDS", "int"),
            ("TODO_PUT", "patch"),
            ("TODO_COMPLETED_FIELD", "done"),
            ("TODO_ERRORS", "v1"),
            ("DELETE_STATUS", "202"),
            ("REQUIRE_IF_MATCH", "maybe"),
        ]);
        assert_eq!(problems.len(), 7, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.contains(" must be ")), "{problems:?}");
    }
}
