//! A body as one JSON object (RFC 8259), taken apart without trusting anything in it.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::known::Noting;
use crate::field::Invalid;
use crate::field::patch::AsSent;
use crate::field::unknown::Unknown;
use crate::http::error::ApiError;

/// Reads `T` out of a JSON object. The object's own level is read first, without recursion and whatever its depth, then
/// each member by itself: what `T` knows into `T`, the rest only to see that it is well-formed. If `strict`, the rest is
/// handed out as well.
///
/// # Errors
/// 400 for what is malformed, 422 for what is no object.
pub(super) fn object<T: DeserializeOwned>(body: &[u8], strict: bool) -> Result<(T, Unknown), ApiError> {
    let text = text(body)?;
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        return Err(match serde_json::from_str::<AsSent>(text) {
            Ok(_) => Invalid::one("body", "Request body must be a JSON object").into(),
            Err(error) => malformed(&reason(&error)),
        });
    }
    let Members(members) = serde_json::from_str(text).map_err(|error| malformed(&reason(&error)))?;
    let sent: Vec<String> = members.iter().filter(|_| strict).map(|(name, _)| name.clone()).collect();
    let members = members.into_iter().map(|(name, value)| (name, Member(value)));
    let mut fields: &[&str] = &[];
    let members = Noting { inner: MapDeserializer::new(members), fields: &mut fields };
    let read = T::deserialize(members).map_err(|fault| malformed(&fault.to_string()))?;
    let unknown = strict.then(|| Unknown::members(sent.iter().map(String::as_str), fields));
    Ok((read, unknown.unwrap_or_default()))
}

fn text(body: &[u8]) -> Result<&str, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("the body is not valid UTF-8"))?;
    // RFC 8259, section 8.1: no byte order mark. Without this it would be an "expected value" that nobody can see.
    if text.starts_with('\u{FEFF}') {
        return Err(malformed("the body begins with a byte order mark"));
    }
    Ok(text)
}

fn malformed(why: &str) -> ApiError {
    ApiError::BadRequest(format!("Malformed JSON: {why}"))
}

/// What is wrong and where, never what was sent.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match error.classify() {
        // These quote the value that they complain about.
        Category::Data => "a member has an unexpected type".to_owned(),
        Category::Io | Category::Syntax | Category::Eof if text.starts_with("recursion limit") => {
            "nested deeper than 128 levels".to_owned()
        }
        Category::Io | Category::Syntax | Category::Eof => text,
    }
}

/// The members of an object in order, their values still text: known to be JSON but for lone surrogates, numbers out of
/// range and depth.
struct Members<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// Why the members are not those of a `T`.
#[derive(Debug)]
enum Fault {
    Duplicate(&'static str),
    Value(serde_json::Error),
    Other,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(name) => write!(f, "the member {name} is given twice"),
            Self::Value(error) => {
                // The place would be counted from the value's beginning, not from the body's.
                let reason = reason(error);
                f.write_str(reason.split(" at line ").next().unwrap_or_default())
            }
            Self::Other => f.write_str("a member has an unexpected type"),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    /// The text may quote a value, so it is dropped.
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self::Other
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::Duplicate(name)
    }
}

/// One member's value, parsed when it is asked for. It begins a depth of its own: 127 levels below the object's one.
struct Member<'de>(&'de RawValue);

impl<'de> IntoDeserializer<'de, Fault> for Member<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Member<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        serde_json::Deserializer::from_str(self.0.get()).deserialize_any(visitor).map_err(Fault::Value)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        serde_json::Deserializer::from_str(self.0.get()).deserialize_option(visitor).map_err(Fault::Value)
    }

    /// Ignored, but read all the same: what is not JSON is not JSON wherever it stands.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        AsSent::deserialize(self)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::field::patch::Sent;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Task {
        title: Sent,
        tags: Sent,
        #[serde(alias = "is_completed")]
        completed: Sent,
    }

    fn read(body: impl AsRef<[u8]>) -> Result<Task, ApiError> {
        let (task, unknown) = object(body.as_ref(), false)?;
        assert!(unknown.is_empty(), "nobody has asked");
        Ok(task)
    }

    #[test]
    fn who_asks_is_told_what_is_unknown() {
        let unknown = |body: &str| object::<Task>(body.as_bytes(), true).unwrap().1;
        let known = &["title", "tags", "completed", "is_completed"];
        assert!(unknown(r#"{"title": 1, "tags": 1, "is_completed": 1, "id": 1}"#).is_empty());
        let body = r#"{"Title": 1, "x": {"y": 1}, "ti\u0074le": 1, "complete\u0064 ": 1}"#;
        assert_eq!(unknown(body), Unknown::members(["Title", "x", "completed "], known));
        assert!(object::<Task>(b"{\"x\": 01}", true).is_err(), "what is unknown must be JSON too");
    }

    /// The text of a 400.
    #[track_caller]
    fn malformed(body: impl AsRef<[u8]>) -> String {
        match read(body) {
            Err(ApiError::BadRequest(text)) => text,
            other => panic!("not a 400: {other:?}"),
        }
    }

    #[test]
    fn an_object_is_taken_apart() {
        let task =
            read(" {\"title\": \"a\", \"tags\": [\"x\"], \"unknown\": {\"a\": [1, 2.5e3]}}\r\n\t").unwrap();
        assert_eq!(task.title, json!("a").into());
        assert_eq!(task.tags, json!(["x"]).into());
        assert!(task.completed.is_absent());
        assert_eq!(read("{}").unwrap(), Task::default());
        assert_eq!(read(r#"{"title": null}"#).unwrap().title, json!(null).into());
        assert_eq!(read(r#"{"ti\u0074le": "\u0000"}"#).unwrap().title, json!("\0").into());
        assert_eq!(read(r#"{"title": "\ud83d\ude00"}"#).unwrap().title, json!("😀").into());
    }

    #[test]
    fn json_that_is_no_object_is_a_422() {
        for body in ["[]", "[{\"title\": \"a\"}]", "null", "true", "1", "1.5", "\"{}\"", " [1] "] {
            match read(body) {
                Err(ApiError::Validation(invalid)) => {
                    assert_eq!(invalid, Invalid::one("body", "Request body must be a JSON object"), "{body}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_json_is_a_400() {
        for body in [
            " ",
            "{",
            "}",
            "{]",
            "{\"title\"}",
            "{\"title\":}",
            "{\"title\":1,}",
            "{title:1}",
            "{'title':1}",
            "{} {}",
            "{}x",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":0x1}",
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "[1,]",
            "[1",
            "nul",
            "\"",
            "{\"a\":tru}",
            "{\"a\" 1}",
            "// x\n{}",
            "{\"title\":\"a\0\"}",
            "\0",
            "title=a",
        ] {
            assert!(malformed(body).starts_with("Malformed JSON: "), "{body}");
        }
    }

    #[test]
    fn only_utf_8_without_a_byte_order_mark() {
        assert!(malformed(b"{\"title\":\"\xff\"}").contains("UTF-8"));
        assert!(malformed(b"{\"x\":\"\xed\xa0\x80\"}").contains("UTF-8"));
        assert!(malformed("\u{FEFF}{}").contains("byte order mark"));
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let wide = |text: &str| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
            malformed(wide("{\"title\":\"a\"}"));
            malformed(wide("\u{FEFF}{\"title\":\"a\"}"));
        }
    }

    #[test]
    fn lone_surrogates_are_not_json_in_any_member() {
        for lone in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud800x", r"\udbff\u0041"] {
            for body in [
                format!(r#"{{"title": "{lone}"}}"#),
                format!(r#"{{"unknown": "{lone}"}}"#),
                format!(r#"{{"unknown": [{{"{lone}": 1}}]}}"#),
                format!(r#"{{"{lone}": 1}}"#),
                format!(r#"["{lone}"]"#),
            ] {
                malformed(&body);
            }
        }
    }

    #[test]
    fn known_members_once() {
        let text = "Malformed JSON: the member title is given twice";
        assert_eq!(malformed(r#"{"title": "a", "title": "a"}"#), text);
        assert_eq!(malformed(r#"{"title": null, "x": 1, "ti\u0074le": "b"}"#), text);
        assert_eq!(
            malformed(r#"{"completed": true, "is_completed": true}"#),
            "Malformed JSON: the member completed is given twice"
        );
        assert_eq!(read(r#"{"x": 1, "x": 2}"#).unwrap(), Task::default());
    }

    #[test]
    fn numbers_follow_the_table() {
        for number in ["1e400", "-1e400", "1e99999999999"] {
            for name in ["title", "unknown"] {
                assert_eq!(
                    malformed(format!("{{\"{name}\": {number}}}")),
                    "Malformed JSON: number out of range"
                );
            }
        }
        for number in ["0", "-0", "1.0", "1e300", "9223372036854775808", "18446744073709551616", "1e-400"] {
            let task = read(format!("{{\"title\": {number}, \"unknown\": {number}}}")).unwrap();
            assert!(task.title.value().is_some_and(serde_json::Value::is_number), "{number}");
        }
    }

    fn nested(levels: usize, name: &str) -> String {
        format!("{{\"{name}\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
    }

    #[test]
    fn nesting_to_128_levels() {
        for name in ["title", "unknown"] {
            assert!(read(nested(128, name)).is_ok());
            assert_eq!(malformed(nested(129, name)), "Malformed JSON: nested deeper than 128 levels");
        }
        let objects = format!("{}1{}", "{\"a\":".repeat(129), "}".repeat(129));
        malformed(objects);
    }

    #[test]
    fn a_hundred_thousand_levels_cost_next_to_nothing() {
        for body in [
            nested(100_000, "title"),
            nested(100_000, "unknown"),
            "[".repeat(100_000),
            "{\"a\":".repeat(100_000),
            format!("{{\"a\":{}", "[".repeat(100_000)),
        ] {
            // A parser that went down all levels would end the process here.
            malformed(&body);
        }
    }

    #[test]
    fn no_key_is_reserved() {
        let value = json!({"$serde_json::private::RawValue": "\"smuggled\""});
        let task = read(json!({ "title": value }).to_string()).unwrap();
        assert_eq!(task.title, value.into());
        let value = json!({"$serde_json::private::RawValue": "not json"});
        assert!(read(json!({ "unknown": value }).to_string()).is_ok());
        assert!(read(value.to_string()).is_ok());
    }

    #[test]
    fn complaints_never_quote_the_body() {
        #[derive(Debug, serde::Deserialize)]
        struct Typed {
            #[expect(dead_code, reason = "only its type matters")]
            title: Option<u8>,
        }
        assert!(object::<Typed>(b"{\"title\": null}", false).is_ok());
        for body in [
            r#"{"title": "canary"}"#,
            r#"{"title": {"canary": 1}}"#,
            r#"{"canary": canary}"#,
            r#"{"canary": "canary}"#,
            r#"{"canary": "\ud800 canary"}"#,
            r#"{"title": 1, "title": "canary"}"#,
            "canary",
        ] {
            match object::<Typed>(body.as_bytes(), false) {
                Err(ApiError::BadRequest(text)) => assert!(!text.contains("canary"), "{text}"),
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in any::<Vec<u8>>()) {
            let _ = read(body);
        }

        #[test]
        fn almost_json_is_judged_as_json_is(body in "[{}\\[\\]:,\"\\\\a-bu0-9eE.+\\- \\n]{0,30}") {
            if let Err(ApiError::BadRequest(_)) = read(&body) {
                let value = serde_json::from_str::<serde_json::Value>(&body);
                prop_assert!(value.is_err(), "{}", body);
            }
        }

        #[test]
        fn any_object_is_read_back(title in any::<String>(), name in "\\PC{0,9}", more in any::<i64>()) {
            prop_assume!(!["title", "tags", "completed", "is_completed"].contains(&name.as_str()));
            let task = read(json!({ "title": title, name: more }).to_string()).unwrap();
            prop_assert_eq!(task.title, json!(title).into());
        }
    }
}
