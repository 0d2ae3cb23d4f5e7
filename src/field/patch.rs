//! Absent, null and value are three things.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON member as it was sent: not at all, or with a value (null is a value).
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Sent {
    /// The member is not in the body.
    #[default]
    Absent,
    /// The member's value, null included.
    Value(Value),
}

impl Sent {
    /// Whether the member is not in the body.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the member is there and null.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Value(Value::Null))
    }

    /// The member's value, unless it is absent or null.
    pub const fn value(&self) -> Option<&Value> {
        match self {
            Self::Absent | Self::Value(Value::Null) => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl From<Value> for Sent {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AsSent::deserialize(deserializer).map(|sent| Self::Value(sent.0))
    }
}

/// A JSON value exactly as it was sent. `Value`'s own reading is not used: an object with a certain reserved key, which
/// anyone may send, is taken there for JSON inside a string and is read as if it had been sent itself, beyond the limit
/// of nesting.
pub(crate) struct AsSent(pub(crate) Value);

impl<'de> Deserialize<'de> for AsSent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(AsSent(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, AsSent(value))) = members.next_entry::<String, AsSent>()? {
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

/// What a PATCH does to a field that may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch<T> {
    /// Absent: unchanged.
    Keep,
    /// Null: cleared.
    Clear,
    /// A value.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether nothing changes.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The same with another type of value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(change(value)),
        }
    }

    /// The same, looking at the value.
    pub const fn as_ref(&self) -> Patch<&T> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Note {
        notes: Sent,
    }

    fn notes(body: &str) -> Sent {
        serde_json::from_str::<Note>(body).unwrap().notes
    }

    #[test]
    fn absent_null_and_value_are_three_things() {
        assert!(notes("{}").is_absent());
        assert!(notes(r#"{"notes": null}"#).is_null());
        assert!(!notes(r#"{"notes": null}"#).is_absent());
        assert_eq!(notes(r#"{"notes": ""}"#), Sent::from(json!("")));
    }

    #[test]
    fn every_kind_of_value_is_kept_as_sent() {
        for value in [
            json!(true),
            json!(0),
            json!(-1),
            json!(u64::MAX),
            json!(1.5),
            json!("é"),
            json!([1, [null, {}]]),
            json!({"a": {"b": [1]}}),
        ] {
            assert_eq!(notes(&json!({ "notes": value }).to_string()), Sent::Value(value));
        }
    }

    #[test]
    fn no_key_is_reserved() {
        let value = json!({"$serde_json::private::RawValue": "\"smuggled\""});
        assert_eq!(notes(&json!({ "notes": value }).to_string()), Sent::Value(value));
        let value = json!({"$serde_json::private::Number": "1"});
        assert_eq!(notes(&json!({ "notes": value }).to_string()), Sent::Value(value));
    }

    #[test]
    fn a_patch_maps_its_value_only() {
        assert_eq!(Patch::Set(1).map(|n| n + 1), Patch::Set(2));
        assert_eq!(Patch::<i32>::Clear.map(|n| n + 1), Patch::Clear);
        assert!(Patch::<i32>::Keep.as_ref().is_keep());
    }
}
