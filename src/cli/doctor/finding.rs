//! What one look found.

use serde::Serialize;

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// Perhaps not as it was meant.
    Warning,
    /// Something will not work.
    Problem,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What one look found; everything in it is one line without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) status: Status,
    pub(super) detail: String,
    /// What to do; none where all is well.
    pub(super) cure: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, detail: one_line(detail.into()), cure: None }
    }

    pub(super) fn warning(check: &'static str, detail: impl Into<String>, cure: impl Into<String>) -> Self {
        let (detail, cure) = (one_line(detail.into()), Some(one_line(cure.into())));
        Self { check, status: Status::Warning, detail, cure }
    }

    pub(super) fn problem(check: &'static str, detail: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { status: Status::Problem, ..Self::warning(check, detail, cure) }
    }

    /// A line that says what is wrong and then, after a colon or a semicolon, what to do about it.
    pub(super) fn from_line(check: &'static str, status: Status, line: &str) -> Self {
        let (detail, cure) = take_apart(line);
        Self { status, ..Self::warning(check, detail, cure) }
    }
}

/// What is wrong, and the cure.
fn take_apart(line: &str) -> (String, String) {
    // `NAME must …` is the rule itself.
    if let Some((name, rule)) = line.split_once(" must ").filter(|(name, _)| !name.contains(' ')) {
        return (format!("{name} has a value that cannot be taken"), format!("{name} must {rule}"));
    }
    let from = if line.starts_with(".env line ") { line.find(": ").map_or(0, |at| at + 2) } else { 0 };
    let cut = |at: &str| line[from..].split_once(at).map(|(what, cure)| (from + what.len(), cure));
    // A place in `.env` is followed by a colon of its own, unless the whole line is what is wrong.
    let found = cut(": ")
        .or_else(|| cut("; "))
        .or_else(|| line.split_once(": ").map(|(what, cure)| (what.len(), cure)));
    match found {
        Some((end, cure)) => (line[..end].to_owned(), cure.to_owned()),
        None => (line.to_owned(), "take it out, or write it as .env.example shows".to_owned()),
    }
}

/// Other people's words (a server's message, a key's id) stay in their line and away from the terminal's controls.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_into_what_is_wrong_and_the_cure() {
        for (line, detail, cure) in [
            ("PORT must be a number", "PORT has a value that cannot be taken", "PORT must be a number"),
            ("HOST is open: set A; or B", "HOST is open", "set A; or B"),
            (
                ".env line 2 is not NAME=value: put it in quotes",
                ".env line 2 is not NAME=value",
                "put it in quotes",
            ),
            (
                ".env line 2: `$` in A refers; if not, quote it",
                ".env line 2: `$` in A refers",
                "if not, quote it",
            ),
            ("A stands twice; the later one counts", "A stands twice", "the later one counts"),
            ("A is odd", "A is odd", "take it out, or write it as .env.example shows"),
        ] {
            assert_eq!(take_apart(line), (detail.to_owned(), cure.to_owned()), "{line}");
        }
    }

    #[test]
    fn nothing_leaves_its_line() {
        let finding = Finding::problem("x", "a\nb\u{1b}[31m", "c\r\nd");
        assert_eq!((finding.detail.as_str(), finding.cure.as_deref()), ("a b [31m", Some("c  d")));
    }
}
