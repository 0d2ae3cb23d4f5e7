//! Complaints about a task in the words of the settings.

use crate::api::body::WANTS_BOTH;
use crate::config::contract::TodoConfig;
use crate::field::Invalid;

/// The complaints as a front-end of these settings knows its fields; where a PUT wants more than was sent, with the
/// setting that asks for less.
pub(super) fn told(settings: &TodoConfig, invalid: &Invalid) -> Invalid {
    let completed = if settings.is_completed { "is_completed" } else { "completed" };
    let mut told = Invalid::default();
    for (field, texts) in invalid.fields() {
        let field = if field == "completed" { completed } else { field };
        for text in texts {
            if text == WANTS_BOTH {
                told.add(field, wants_both(completed));
            } else {
                told.add(field, text);
            }
        }
    }
    told
}

fn wants_both(completed: &str) -> String {
    format!(
        "PUT replaces the task: send both title and {completed}, use PATCH, or set TODO_PUT=partial on the server"
    )
}
