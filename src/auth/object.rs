//! JSON objects that name no member twice, at any depth: of two `sub` members nobody could say which was meant.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a JSON object (RFC 8259) in which no object has a member twice.
///
/// # Errors
/// What is wrong and where, without any of its content.
pub(super) fn parse(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(bytes) {
        Ok(Unique(Value::Object(object))) => Ok(object),
        Ok(Unique(_)) => Err("not a JSON object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A JSON value without duplicate members.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Unique)
    }
}

/// Takes every kind of JSON value.
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
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("a member is there twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_its_members() {
        let object = parse(br#" {"a":1,"b":[true,null,-2,1.5,"x"],"c":{"d":{}}} "#).unwrap();
        assert_eq!(
            Value::Object(object),
            serde_json::json!({"a": 1, "b": [true, null, -2, 1.5, "x"], "c": {"d": {}}})
        );
    }

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"b":2,"a":null}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.starts_with("a member is there twice"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_without_showing_it() {
        for text in
            ["[]", "\"secret\"", "1", "null", "true", "", "{", "{} {}", "{\"a\":1e400}", "{\"a\":NaN}"]
        {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(parse(b"\xef\xbb\xbf{}").is_err(), "a byte order mark");
        assert!(parse(b"{\"a\":\"\xff\"}").is_err(), "invalid UTF-8");
        assert!(parse(br#"{"a":"\ud800"}"#).is_err(), "a lone surrogate");
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(6_000), "]".repeat(6_000));
        assert!(parse(deep.as_bytes()).is_err());
    }
}
