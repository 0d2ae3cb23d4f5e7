//! One SQL text for both engines: `$n` and `@name` become what the engine understands.

use std::sync::Arc;

use super::Engine;
use super::bounded::Bounded;

/// Distinct texts kept in translation; there are some dozens, and combinations of filters.
const KEPT: usize = 512;

/// Translates texts and remembers the translations.
#[derive(Debug)]
pub(super) struct Texts {
    engine: Engine,
    schema: String,
    known: Bounded<Arc<str>>,
}

impl Texts {
    pub(super) fn new(engine: Engine, schema: &str) -> Self {
        Self { engine, schema: schema.to_owned(), known: Bounded::new(KEPT) }
    }

    /// The text as this engine understands it.
    pub(super) fn translate(&self, source: &str) -> Arc<str> {
        if let Some(known) = self.known.get(source) {
            return known;
        }
        let text: Arc<str> = translate(source, self.engine, &self.schema).into();
        self.known.insert(source.into(), text.clone());
        text
    }
}

/// Translates one text; what stands in quotes or comments stays as it is.
pub(super) fn translate(source: &str, engine: Engine, schema: &str) -> String {
    let mut out = String::with_capacity(source.len() + 64);
    let mut rest = source;
    let mut before = b' ';
    while let Some(at) = rest.find(['\'', '"', '-', '/', '$', '@']) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        before = plain.as_bytes().last().copied().unwrap_or(before);
        let taken = if let Some(length) = quoted(special) {
            out.push_str(&special[..length]);
            length
        } else if let Some(length) = marker(special, before, engine, schema, &mut out) {
            length
        } else {
            out.push_str(&special[..1]);
            1
        };
        before = special.as_bytes()[taken - 1];
        rest = &special[taken..];
    }
    out.push_str(rest);
    out
}

/// The length of the literal, quoted name or comment that the text starts with.
fn quoted(text: &str) -> Option<usize> {
    let (open, close) = match text.as_bytes() {
        [b'\'', ..] => (1, "'"),
        [b'"', ..] => (1, "\""),
        [b'-', b'-', ..] => (2, "\n"),
        [b'/', b'*', ..] => (2, "*/"),
        _ => return None,
    };
    // A doubled quote inside a literal reads as two literals side by side, which comes to the same.
    Some(text[open..].find(close).map_or(text.len(), |at| open + at + close.len()))
}

/// Writes `$n` or `@name` translated; the length of what it replaced.
fn marker(text: &str, before: u8, engine: Engine, schema: &str, out: &mut String) -> Option<usize> {
    let word = |allowed: fn(u8) -> bool| text[1..].bytes().take_while(|b| allowed(*b)).count();
    if text.starts_with('$') {
        let digits = word(|b| b.is_ascii_digit());
        (digits > 0).then_some(())?;
        out.push(if engine == Engine::Sqlite { '?' } else { '$' });
        out.push_str(&text[1..=digits]);
        return Some(digits + 1);
    }
    // `<@` and `@@` are operators, wherever a name may stand behind them.
    let name = word(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit());
    let starts = text[1..].starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    (text.starts_with('@') && starts && !matches!(before, b'<' | b'@')).then_some(())?;
    if engine == Engine::Postgres {
        out.push('"');
        out.push_str(schema);
        out.push_str("\".");
    }
    out.push_str(&text[1..=name]);
    Some(name + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sqlite(text: &str) -> String {
        translate(text, Engine::Sqlite, "own")
    }

    fn postgres(text: &str) -> String {
        translate(text, Engine::Postgres, "own")
    }

    #[test]
    fn ten_is_not_one() {
        assert_eq!(sqlite("select $1, $10, $1"), "select ?1, ?10, ?1");
        assert_eq!(postgres("select $1, $10, $1"), "select $1, $10, $1");
        assert_eq!(sqlite("a=$2and b>$3"), "a=?2and b>?3");
    }

    #[test]
    fn tables_get_their_schema() {
        assert_eq!(
            postgres("select t.id from @tasks t join @task_tags g on true"),
            "select t.id from \"own\".tasks t join \"own\".task_tags g on true"
        );
        assert_eq!(sqlite("delete from @tasks where user_id = $1"), "delete from tasks where user_id = ?1");
        assert_eq!(postgres("insert into @users(id)"), "insert into \"own\".users(id)");
    }

    #[test]
    fn literals_names_comments_and_operators_stay() {
        for text in [
            "select '@tasks $1', \"@x$2\"",
            "select 'it''s @tasks $1'",
            "-- @tasks $1\nselect 1",
            "/* @tasks $1 */ select 1 - 2 / 3",
            "select a <@b, c @> d, e @@f, $tag$",
            "select 'open @tasks",
        ] {
            assert_eq!(sqlite(text), text);
            assert_eq!(postgres(text), text);
        }
        assert_eq!(sqlite("-- it's\nselect $1"), "-- it's\nselect ?1");
        assert_eq!(sqlite("select '' || $1 || ''"), "select '' || ?1 || ''");
    }

    #[test]
    fn a_text_is_translated_once() {
        let texts = Texts::new(Engine::Sqlite, "public");
        let first = texts.translate("select $1");
        assert!(Arc::ptr_eq(&first, &texts.translate("select $1")));
    }

    proptest! {
        #[test]
        fn anything_translates(text in "[-a@$1'\"/* é<\n]{0,40}") {
            let _ = postgres(&text);
            prop_assert_eq!(sqlite(&sqlite(&text)), sqlite(&text));
        }
    }
}
