//! The values of the command's options, as people write them.

use crate::config::database::DatabaseUrl;

use super::users;

/// The URL in an environment variable, or the path of a SQLite file.
pub(super) fn source_of_variable(name: &str) -> Result<DatabaseUrl, String> {
    let text = std::env::var(name).unwrap_or_default();
    if text.is_empty() {
        return Err(
            "the variable is not set: export it with the URL of the database that has the rows".to_owned()
        );
    }
    DatabaseUrl::parse_argument(&text)
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    two(text.split_once('='))
}

/// A word of the source may hold a `=`, one of ours does not.
pub(super) fn meaning(text: &str) -> Result<(String, String), String> {
    two(text.rsplit_once('='))
}

fn two(pair: Option<(&str, &str)>) -> Result<(String, String), String> {
    let pair = pair.filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "must read NAME=VALUE".to_owned())
}

pub(super) fn user(text: &str) -> Result<String, String> {
    users::check_user(text).map(|()| text.to_owned())
}
