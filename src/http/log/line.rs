//! One event as one line: whatever a value holds, the line stays one JSON object (or one line for eyes).

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use crate::config::log::Format;
use crate::field::timestamp::Timestamp;

/// What a line knows of its request.
#[derive(Debug)]
pub(super) struct Trail {
    /// The request's correlation id.
    pub(super) correlation: Box<str>,
    /// The trace it belongs to.
    pub(super) trace: Option<Box<str>>,
}

/// Writes `event` as one line, the line feed included.
pub(super) fn write(
    out: &mut String,
    format: Format,
    at: Timestamp,
    event: &Event<'_>,
    trail: Option<&Trail>,
) {
    let metadata = event.metadata();
    let message = |out: &mut String| event.record(&mut Message { out, format });
    match format {
        Format::Json => write_json_head(out, at, metadata, message),
        Format::Pretty => write_pretty_head(out, at, metadata, message),
    }
    let mut fields = Fields { out, format };
    if let Some(trail) = trail {
        fields.text("correlation_id", &trail.correlation);
        if let Some(trace) = &trail.trace {
            fields.text("trace_id", trace);
        }
    }
    event.record(&mut fields);
    out.push_str(if format == Format::Json { "}\n" } else { "\n" });
}

fn write_json_head(out: &mut String, at: Timestamp, metadata: &Metadata<'_>, message: impl Fn(&mut String)) {
    out.push_str("{\"timestamp\":\"");
    write_time(out, at);
    out.push_str("\",\"level\":\"");
    out.push_str(level(*metadata.level()));
    out.push_str("\",\"logger\":\"");
    push_escaped(out, metadata.target());
    out.push_str("\",\"event\":\"");
    message(out);
    out.push('"');
}

fn write_pretty_head(
    out: &mut String,
    at: Timestamp,
    metadata: &Metadata<'_>,
    message: impl Fn(&mut String),
) {
    let colour = match *metadata.level() {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        Level::DEBUG | Level::TRACE => "2",
    };
    out.push_str("\x1b[2m");
    write_time(out, at);
    let _ = write!(out, "\x1b[0m \x1b[{colour}m{:<7}\x1b[0m ", level(*metadata.level()));
    message(out);
}

/// ISO 8601 in UTC with microseconds.
fn write_time(out: &mut String, at: Timestamp) {
    const PRINTER: jiff::fmt::temporal::DateTimePrinter =
        jiff::fmt::temporal::DateTimePrinter::new().precision(Some(6));
    if let Ok(time) = jiff::Timestamp::from_microsecond(at.micros()) {
        let _ = PRINTER.print_timestamp(&time, out);
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// Escapes for JSON, and beyond it everything that a terminal or a line-wise reader would act upon: control
/// characters (C0, DEL, C1), line and paragraph separators, marks that turn the direction of text.
fn push_escaped(out: &mut String, text: &str) {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
}

/// Escapes what a value's own `Debug` or `Display` writes.
struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

/// Takes the message out of an event.
struct Message<'a> {
    out: &'a mut String,
    format: Format,
}

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            if self.format == Format::Pretty {
                self.out.push_str("\x1b[1m");
            }
            let _ = write!(Escaping(self.out), "{value:?}");
            if self.format == Format::Pretty {
                self.out.push_str("\x1b[0m");
            }
        }
    }
}

/// Writes all fields but the message.
struct Fields<'a> {
    out: &'a mut String,
    format: Format,
}

impl Fields<'_> {
    fn name(&mut self, name: &str) {
        match self.format {
            Format::Json => {
                self.out.push_str(",\"");
                self.out.push_str(name);
                self.out.push_str("\":");
            }
            Format::Pretty => {
                self.out.push_str(" \x1b[2m");
                self.out.push_str(name);
                self.out.push_str("=\x1b[0m");
            }
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        let bare = self.format == Format::Pretty && !value.is_empty() && !value.contains(char::is_whitespace);
        let quote = if bare { "" } else { "\"" };
        self.out.push_str(quote);
        push_escaped(self.out, value);
        self.out.push_str(quote);
    }

    fn number(&mut self, field: &Field, value: impl fmt::Display) {
        self.name(field.name());
        let _ = write!(self.out, "{value}");
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" {
            self.text(field.name(), value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity
        if value.is_finite() { self.number(field, value) } else { self.record_str(field, "not a number") }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            self.name(field.name());
            self.out.push('"');
            let _ = write!(Escaping(self.out), "{value:?}");
            self.out.push('"');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        push_escaped(&mut out, text);
        out
    }

    #[test]
    fn what_a_reader_would_act_upon_is_escaped() {
        assert_eq!(escaped("plain é 日本"), "plain é 日本");
        assert_eq!(escaped("a\r\nb\t\"\\"), "a\\r\\nb\\t\\\"\\\\");
        assert_eq!(escaped("\x1b[31m\0\u{7f}\u{9b}"), "\\u001b[31m\\u0000\\u007f\\u009b");
        assert_eq!(escaped("\u{2028}\u{2029}\u{202e}"), "\\u2028\\u2029\\u202e");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_out_of_its_json(text in any::<String>()) {
            let json = format!("\"{}\"", escaped(&text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            let acted_upon = |c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c);
            let found = json.contains(acted_upon);
            prop_assert!(!found);
        }
    }

    #[test]
    fn time_always_has_microseconds() {
        let mut out = String::new();
        write_time(&mut out, Timestamp::from_micros(1_700_000_000_000_000));
        assert_eq!(out, "2023-11-14T22:13:20.000000Z");
    }
}
