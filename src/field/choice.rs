//! Words out of a fixed list: a priority, a stage.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::form::Field;

/// A field that holds one word out of a fixed list.
pub trait Choice: Copy + PartialEq + Sized + 'static {
    /// What the field is called in a complaint: `stage`.
    const LABEL: &'static str;
    /// Every choice, in the order in which a complaint lists them.
    const ALL: &'static [Self];

    /// The word in JSON, in queries and in the database.
    fn as_str(self) -> &'static str;

    /// The choice that is written so; exactly, case included.
    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|choice| choice.as_str() == text)
    }

    /// What to say about any other word: `Invalid stage. Must be one of: idea, outline, draft, published`.
    fn complaint() -> String {
        let words: Vec<_> = Self::ALL.iter().map(|choice| choice.as_str()).collect();
        format!("Invalid {}. Must be one of: {}", Self::LABEL, words.join(", "))
    }
}

impl<C: Choice> Field for C {
    fn parse(_label: &str, value: &Value) -> Result<Self, String> {
        value.as_str().and_then(Self::from_text).ok_or_else(Self::complaint)
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before the rest.
    High,
    /// What is given when nothing is said.
    #[default]
    Medium,
    /// After the rest.
    Low,
}

impl Priority {
    /// Its place in the order low < medium < high: 1, 2, 3.
    pub const fn rank(self) -> i64 {
        match self {
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
        }
    }
}

impl Choice for Priority {
    const LABEL: &'static str = "priority";
    const ALL: &'static [Self] = &[Self::High, Self::Medium, Self::Low];

    fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_choice_reads_back_what_it_writes() {
        for &priority in Priority::ALL {
            assert_eq!(Priority::parse("Priority", &json!(priority)), Ok(priority));
            assert_eq!(json!(priority), json!(priority.as_str()));
        }
        assert_eq!(Priority::default(), Priority::Medium);
        assert!(Priority::Low.rank() < Priority::Medium.rank());
        assert!(Priority::Medium.rank() < Priority::High.rank());
    }

    #[test]
    fn anything_else_is_told_the_list() {
        let complaint = "Invalid priority. Must be one of: high, medium, low".to_owned();
        for other in [json!("High"), json!(" high"), json!(""), json!(1), json!(true), json!(["high"])] {
            assert_eq!(Priority::parse("Priority", &other), Err(complaint.clone()));
        }
    }
}
