//! Words of other back ends that mean one of ours: done or not, a priority, a stage, and tags in three spellings.

use std::collections::HashMap;

use serde_json::Value;

use crate::field::choice::{Choice, Priority};
use crate::ideas::Stage;

use super::Kind;
use super::columns::Field;

/// What a task is called that is done, and one that is not.
const DONE: [&str; 11] =
    ["true", "t", "1", "yes", "y", "on", "completed", "complete", "done", "finished", "closed"];
const OPEN: [&str; 17] = [
    "false",
    "f",
    "0",
    "no",
    "n",
    "off",
    "pending",
    "todo",
    "open",
    "active",
    "incomplete",
    "new",
    "notstarted",
    "inprogress",
    "doing",
    "started",
    "notcompleted",
];

/// The words of `OPEN` that say more than ours.
const BEGUN: [&str; 3] = ["inprogress", "doing", "started"];

/// What is said in the report of every row of which it holds.
pub(super) const BEGUN_NOTE: &str = "a status that says begun (in_progress …) was taken as not completed";
/// As above.
pub(super) const NUMBERS_NOTE: &str =
    "priorities 1, 2, 3 were taken as high, medium, low (else say --value priority:1=low …)";

/// Pairs of `--value FIELD:OLD=NEW`: what a word of the source means here.
#[derive(Debug, Default)]
pub(super) struct Words(HashMap<(Field, String), String>);

impl Words {
    /// Reads the pairs.
    ///
    /// # Errors
    /// One line with the rule.
    pub(super) fn read(kind: Kind, told: &[(String, String)]) -> Result<Self, String> {
        let mut words = HashMap::new();
        for (old, new) in told {
            let (field, word) =
                old.split_once(':').ok_or("--value must read FIELD:OLD=NEW, such as priority:urgent=high")?;
            let field = Field::named(field, kind).map_err(|text| format!("--value {text}"))?;
            let known = match field {
                Field::Completed => done(new).is_some(),
                Field::Priority => Priority::from_text(new).is_some(),
                Field::Stage => Stage::from_text(new).is_some(),
                Field::Id | Field::User | Field::Title | Field::Text | Field::CompletedAt => false,
                Field::Tags | Field::DueDate | Field::CreatedAt | Field::UpdatedAt => false,
            };
            if !known {
                let name = field.name(kind);
                return Err(format!(
                    "--value {name}:{word}={new} means nothing here: completed takes true and false, priority and stage take the API's words"
                ));
            }
            words.insert((field, plain(word)), new.clone());
        }
        Ok(Self(words))
    }

    /// What the word means, where somebody said so.
    fn told(&self, field: Field, word: &str) -> Option<&str> {
        self.0.get(&(field, plain(word))).map(String::as_str)
    }

    /// Done or not, and what the report has to say of it.
    pub(super) fn completed(&self, word: &str) -> Result<(bool, Option<&'static str>), String> {
        if let Some(told) = self.told(Field::Completed, word).and_then(done) {
            return Ok((told, None));
        }
        let unknown = "Completed is neither true nor false nor a known status: say what it means with --value completed:WORD=true";
        let completed = done(word).ok_or(unknown)?;
        Ok((completed, BEGUN.contains(&plain(word).as_str()).then_some(BEGUN_NOTE)))
    }

    /// The priority, and what the report has to say of it.
    pub(super) fn priority(&self, word: &str) -> Result<(Priority, Option<&'static str>), String> {
        let named = |word: &str| Priority::from_text(&plain(word));
        if let Some(priority) = self.told(Field::Priority, word).and_then(named).or_else(|| named(word)) {
            return Ok((priority, None));
        }
        let counted = match word.trim() {
            "1" => Priority::High,
            "2" => Priority::Medium,
            "3" => Priority::Low,
            _ => {
                return Err(format!(
                    "{}; say what it means with --value priority:WORD=high",
                    Priority::complaint()
                ));
            }
        };
        Ok((counted, Some(NUMBERS_NOTE)))
    }

    /// The stage.
    pub(super) fn stage(&self, word: &str) -> Result<Stage, String> {
        let named = |word: &str| Stage::from_text(&plain(word));
        let stage = self.told(Field::Stage, word).and_then(named).or_else(|| named(word));
        stage
            .ok_or_else(|| format!("{}; say what it means with --value stage:WORD=draft", Stage::complaint()))
    }
}

/// `IN_PROGRESS`, `In progress` and `TaskStatus.in_progress` (an enum's text in Python) are one word.
fn plain(word: &str) -> String {
    let word = word.trim();
    let word = match word.rsplit_once('.') {
        Some((name, member)) if !name.is_empty() && name.chars().all(char::is_alphabetic) => member,
        _ => word,
    };
    word.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

fn done(word: &str) -> Option<bool> {
    let word = plain(word);
    if DONE.contains(&word.as_str()) {
        return Some(true);
    }
    OPEN.contains(&word.as_str()).then_some(false)
}

/// Tags as the JSON array that the API takes: from one, or from words between commas.
pub(super) fn tags(text: &str) -> Value {
    let text = text.trim();
    // A JSON column of SQLAlchemy's holds the word where Python had None.
    if text.is_empty() || text == "null" {
        return Value::Array(Vec::new());
    }
    if text.starts_with(['[', '{', '"']) {
        return match serde_json::from_str(text) {
            Ok(Value::String(text)) => commas(&text),
            Ok(value) => value,
            // No array, and so refused.
            Err(_) => Value::Null,
        };
    }
    commas(text)
}

fn commas(text: &str) -> Value {
    text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(Value::from).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(kind: Kind, pairs: &[(&str, &str)]) -> Result<Words, String> {
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Words::read(kind, &pairs)
    }

    #[test]
    fn done_in_many_words() {
        let words = Words::default();
        for yes in ["true", "1", "t", "DONE", "Completed", "TaskStatus.COMPLETED", " yes "] {
            assert_eq!(words.completed(yes), Ok((true, None)), "{yes}");
        }
        for no in ["false", "0", "f", "PENDING", "todo", "To Do", "not_started", "Status.open"] {
            assert_eq!(words.completed(no), Ok((false, None)), "{no}");
        }
        assert_eq!(words.completed("IN_PROGRESS"), Ok((false, Some(BEGUN_NOTE))));
        for unknown in ["", "2", "archived", "cancelled", "null"] {
            assert!(words.completed(unknown).unwrap_err().contains("--value completed:"), "{unknown}");
        }
    }

    #[test]
    fn what_was_told_wins() {
        let pairs = [("completed:Archived", "true"), ("priority:urgent", "high"), ("priority:1", "low")];
        let words = told(Kind::Tasks, &pairs).unwrap();
        assert_eq!(words.completed("ARCHIVED"), Ok((true, None)));
        assert_eq!(words.priority("Urgent"), Ok((Priority::High, None)));
        assert_eq!(words.priority("1"), Ok((Priority::Low, None)));
        assert_eq!(words.priority("2"), Ok((Priority::Medium, Some(NUMBERS_NOTE))));
        assert_eq!(words.priority("HIGH"), Ok((Priority::High, None)));
        assert!(words.priority("4").unwrap_err().contains("--value priority:"));
        let words = told(Kind::Ideas, &[("stage:writing", "draft")]).unwrap();
        assert_eq!(words.stage("Writing"), Ok(Stage::Draft));
        assert_eq!(words.stage("PUBLISHED"), Ok(Stage::Published));
        assert!(words.stage("gone").is_err());
        for bad in
            [("urgent", "high"), ("priority:urgent", "highest"), ("title:a", "b"), ("stage:a", "draft")]
        {
            assert!(told(Kind::Tasks, &[bad]).unwrap_err().starts_with("--value "), "{bad:?}");
        }
    }

    #[test]
    fn tags_in_three_spellings() {
        for text in ["[\"a\", \"b\"]", "a, b", "a,b,", "\"a,b\"", " a ,, b "] {
            assert_eq!(tags(text), json!(["a", "b"]), "{text}");
        }
        for none in ["", " ", "null", "[]", ","] {
            assert_eq!(tags(none), json!([]), "{none}");
        }
        for odd in ["{\"a\": 1}", "[1", "{a,b}"] {
            assert!(!tags(odd).is_array(), "{odd}");
        }
    }
}
