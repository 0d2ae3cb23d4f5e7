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
    use proptest::prelude::*;

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

    /// Any JSON value, a few levels deep.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::btree_map("[a-d\"é]{0,2}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any_json()) {
            let object = serde_json::json!({ "a": value });
            prop_assert_eq!(parse(object.to_string().as_bytes()).map(Value::Object), Ok(object));
        }

        #[test]
        fn a_member_twice_is_refused_at_any_depth(value in any_json(), name in "[a-c]", nested in 0_usize..5, escaped: bool) {
            let again = if escaped { format!("\\u{:04x}", u32::from(name.chars().next().unwrap())) } else { name.clone() };
            let inner = format!("{{\"{name}\":{value},\"x\":0,\"{again}\":1}}");
            let text = format!("{{\"n\":{}{inner}{}}}", "[".repeat(nested), "]".repeat(nested));
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
            prop_assert!(parse(text.as_bytes()).is_err(), "{}", text);
        }

        #[test]
        fn no_bytes_panic_and_none_are_repeated(text in "[{}\\[\\]\",:a0-9.eE+-]{0,40}|Zq9Xw7\\PC{0,20}", tail: Vec<u8>) {
            let bytes = [text.as_bytes(), &tail].concat();
            match parse(&bytes) {
                Ok(object) => prop_assert_eq!(Ok(object), serde_json::from_slice(&bytes).map_err(|_| ())),
                Err(told) => prop_assert!(told.len() < 200 && !told.contains("Zq9Xw7"), "{}", told),
            }
        }
    }
}
