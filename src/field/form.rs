//! The fields of a body, parsed one by one while every complaint is collected.

use serde_json::Value;

use super::Invalid;
use super::patch::{Patch, Sent};

/// A value that a field of a body can hold.
pub trait Field: Sized {
    /// Parses a value that is not null.
    ///
    /// # Errors
    /// The rule that the value breaks, as a sentence about `label`.
    fn parse(label: &str, value: &Value) -> Result<Self, String>;
}

impl Field for bool {
    fn parse(label: &str, value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| format!("{label} must be true or false"))
    }
}

/// Collects what is wrong with the fields of one body. Each reader gives what was parsed, or a stand-in together with a
/// complaint, so [`Form::finish`] must be asked before anything is used.
#[derive(Debug, Default)]
pub struct Form {
    invalid: Invalid,
}

impl Form {
    /// A form without complaints.
    pub fn new() -> Self {
        Self::default()
    }

    /// A field that must be there: absent or null is a complaint.
    pub fn required<T: Field>(&mut self, name: &str, sent: &Sent) -> Option<T> {
        match sent.value() {
            Some(value) => self.parsed(name, value),
            None => {
                self.complain(name, format!("{} is required", label(name)));
                None
            }
        }
    }

    /// A field with a default: absent gives it, null is a complaint.
    pub fn or_default<T: Field + Default>(&mut self, name: &str, sent: &Sent) -> T {
        self.kept(name, sent).unwrap_or_default()
    }

    /// A field that may be empty: absent or null is `None`.
    pub fn nullable<T: Field>(&mut self, name: &str, sent: &Sent) -> Option<T> {
        sent.value().and_then(|value| self.parsed(name, value))
    }

    /// A field of a PATCH that cannot be cleared: absent is `None`, null is a complaint.
    pub fn kept<T: Field>(&mut self, name: &str, sent: &Sent) -> Option<T> {
        if sent.is_null() {
            self.complain(name, format!("{} must not be null", label(name)));
        }
        self.nullable(name, sent)
    }

    /// A field of a PATCH that can be cleared.
    pub fn patch<T: Field>(&mut self, name: &str, sent: &Sent) -> Patch<T> {
        match sent {
            Sent::Absent => Patch::Keep,
            Sent::Value(Value::Null) => Patch::Clear,
            Sent::Value(value) => self.parsed(name, value).map_or(Patch::Keep, Patch::Set),
        }
    }

    /// Adds a complaint of another kind.
    pub fn complain(&mut self, name: &str, text: impl Into<String>) {
        self.invalid.add(name, text);
    }

    /// Every complaint.
    pub fn invalid(self) -> Invalid {
        self.invalid
    }

    /// Ok when nothing was wrong.
    ///
    /// # Errors
    /// Every complaint at once.
    pub fn finish(self) -> Result<(), Invalid> {
        self.invalid.into_result()
    }

    fn parsed<T: Field>(&mut self, name: &str, value: &Value) -> Option<T> {
        T::parse(&label(name), value).map_err(|text| self.complain(name, text)).ok()
    }
}

/// What a field is called in a sentence: `due_date` is `Due date`.
fn label(name: &str) -> String {
    let mut label = name.replace('_', " ");
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    label
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::choice::Priority;
    use super::super::due::DueDate;
    use super::super::tags::Tags;
    use super::super::text::{LongText, Title};
    use super::*;

    fn sent(value: Value) -> Sent {
        Sent::Value(value)
    }

    fn only_complaint(form: Form) -> String {
        let invalid = form.invalid();
        assert_eq!(invalid.fields().len(), 1);
        invalid.fields()[0].1.join("|")
    }

    #[test]
    fn every_complaint_is_collected_under_its_field() {
        let mut form = Form::new();
        form.required::<Title<5>>("title", &Sent::Absent);
        form.nullable::<LongText<2>>("notes", &sent(json!("abc")));
        form.or_default::<Priority>("priority", &sent(json!("urgent")));
        form.or_default::<Tags>("tags", &sent(json!([1])));
        form.nullable::<DueDate>("due_date", &sent(json!("soon")));
        form.kept::<bool>("completed", &sent(json!(1)));
        let texts: Vec<_> = form.invalid().fields().to_vec();
        let expected = [
            ("title", "Title is required"),
            ("notes", "Notes exceeds maximum length of 2 characters"),
            ("priority", "Invalid priority. Must be one of: high, medium, low"),
            ("tags", "Each tag must be a string"),
            ("due_date", "Due date must be an RFC 3339 date-time or a date (YYYY-MM-DD)"),
            ("completed", "Completed must be true or false"),
        ];
        let expected: Vec<_> = expected.map(|(name, text)| (name.to_owned(), vec![text.to_owned()])).into();
        assert_eq!(texts, expected);
    }

    #[test]
    fn what_is_right_is_given_without_a_complaint() {
        let mut form = Form::new();
        let title = form.required::<Title<5>>("title", &sent(json!(" a ")));
        assert_eq!(title.map(Title::into_string).as_deref(), Some("a"));
        assert_eq!(form.or_default::<Priority>("priority", &Sent::Absent), Priority::Medium);
        assert_eq!(form.or_default::<Priority>("priority", &sent(json!("low"))), Priority::Low);
        assert_eq!(form.nullable::<DueDate>("due_date", &sent(json!(null))), None);
        assert_eq!(form.kept::<bool>("completed", &Sent::Absent), None);
        assert_eq!(form.kept::<bool>("completed", &sent(json!(false))), Some(false));
        assert_eq!(form.patch::<DueDate>("due_date", &Sent::Absent), Patch::Keep);
        assert_eq!(form.patch::<DueDate>("due_date", &sent(json!(null))), Patch::Clear);
        assert!(matches!(form.patch::<LongText<5>>("notes", &sent(json!(""))), Patch::Set(_)));
        assert_eq!(form.finish(), Ok(()));
    }

    #[test]
    fn null_is_a_complaint_where_there_is_nothing_to_clear() {
        let mut form = Form::new();
        assert!(form.required::<bool>("completed", &sent(json!(null))).is_none());
        assert_eq!(only_complaint(form), "Completed is required");
        let mut form = Form::new();
        assert_eq!(form.or_default::<Tags>("tags", &sent(json!(null))), Tags::default());
        assert_eq!(only_complaint(form), "Tags must not be null");
        let mut form = Form::new();
        assert!(form.kept::<Title<5>>("title", &sent(json!(null))).is_none());
        assert_eq!(only_complaint(form), "Title must not be null");
    }

    #[test]
    fn booleans_are_taken_strictly() {
        for value in [json!(1), json!(0), json!("true"), json!(1.0), json!([true]), json!("")] {
            assert_eq!(bool::parse("Completed", &value), Err("Completed must be true or false".to_owned()));
        }
        assert_eq!(bool::parse("Completed", &json!(true)), Ok(true));
    }

    #[test]
    fn names_become_labels() {
        assert_eq!(label("due_date"), "Due date");
        assert_eq!(label("title"), "Title");
        assert_eq!(label(""), "");
        assert_eq!(label("é"), "é");
    }
}
