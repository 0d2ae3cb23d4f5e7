//! The `.env` file of the working directory: read, never put into the process's environment.

use std::collections::BTreeMap;
use std::io::{Cursor, ErrorKind};
use std::path::Path;

/// What a `.env` file says, and what is wrong with it.
#[derive(Default)]
pub(super) struct File {
    /// Its variables; of two with one name the later counts.
    pub(super) vars: BTreeMap<String, String>,
    /// What cannot be read, by line.
    pub(super) problems: Vec<String>,
    /// What can be read, but perhaps not as it was meant.
    pub(super) warnings: Vec<String>,
}

impl File {
    /// Reads the file; one that is not there says nothing.
    pub(super) fn read(path: &Path) -> Self {
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(&bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::default(),
            Err(error) => {
                Self::broken(format!(".env cannot be read ({error}): make it readable or remove it"))
            }
        }
    }

    /// Takes the text apart. Values may stand in quotes and then span lines.
    fn parse(bytes: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Self::broken(".env is not UTF-8: save it as plain UTF-8 text".to_owned());
        };
        // Windows editors put a byte order mark in front; the parser wants a last line that ends.
        let text = format!("{}\n", text.trim_start_matches('\u{feff}'));
        let mut file = Self::default();
        let mut after = 0;
        for item in dotenvy::from_read_iter(Cursor::new(text.as_bytes())) {
            match item {
                Ok((name, value)) => {
                    if file.vars.insert(name.clone(), value).is_some() {
                        file.warnings.push(format!("{name} stands twice in .env; the later one counts"));
                    }
                }
                Err(dotenvy::Error::LineParse(bad, _)) => {
                    let (line, end) = place(&text, &bad, after);
                    after = end;
                    // The text itself stays unsaid: it may hold a secret.
                    file.problems.push(format!(
                        ".env line {line} is not of the form NAME=value: put a value with spaces or several lines in \
                         quotes, close every quote, start comments with #"
                    ));
                }
                Err(error) => file.problems.push(format!(".env cannot be read: {error}")),
            }
        }
        file.warnings.extend(references(&text));
        file
    }

    fn broken(problem: String) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }
}

/// On which line (from 1) the bad text begins, looked for from byte `after` on, and where it ends.
fn place(text: &str, bad: &str, after: usize) -> (usize, usize) {
    let start = text[after..].find(bad).map_or(after, |found| after + found);
    (text[..start].matches('\n').count() + 1, start + bad.len())
}

/// Warns of `$` outside single quotes, which stands for another variable: a pasted secret would change silently.
fn references(text: &str) -> impl Iterator<Item = String> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let (name, value) = line.trim_start().trim_start_matches("export ").split_once('=')?;
        let value = value.trim_start();
        let refers = !name.starts_with('#') && !value.starts_with('\'') && value.replace("\\$", "").contains('$');
        refers.then(|| {
            let name = name.trim();
            format!(".env line {}: `$` in {name} stands for another variable; if it is part of the value, put the value in single quotes", index + 1)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get<'a>(file: &'a File, name: &str) -> Option<&'a str> {
        file.vars.get(name).map(String::as_str)
    }

    #[test]
    fn takes_quotes_comments_and_several_lines() {
        let file = File::parse(
            b"\xef\xbb\xbf# first\nA=1\nexport B='two words' # end\n\nKEY=\"-----BEGIN\nabc\n-----END\"\r\nLAST=x  ",
        );
        assert!(file.problems.is_empty(), "{:?}", file.problems);
        assert_eq!(get(&file, "A"), Some("1"));
        assert_eq!(get(&file, "B"), Some("two words"));
        assert_eq!(get(&file, "KEY"), Some("-----BEGIN\nabc\n-----END"));
        assert_eq!(get(&file, "LAST"), Some("x"));
    }

    #[test]
    fn names_every_bad_line_and_not_its_text() {
        let file = File::parse(b"A=1\nKEY\nKEY=2\nwords canary here\nKEY\nB=\"never closed canary\nC=3\n");
        let lines: Vec<_> = file.problems.iter().map(|text| text.split(" is ").next().unwrap()).collect();
        assert_eq!(lines, [".env line 2", ".env line 4", ".env line 5", ".env line 6"]);
        assert!(!file.problems.concat().contains("canary"));
    }

    #[test]
    fn later_lines_win_with_a_warning() {
        let file = File::parse(b"A=1\nA=2\n");
        assert_eq!(get(&file, "A"), Some("2"));
        assert_eq!(file.warnings, ["A stands twice in .env; the later one counts"]);
    }

    #[test]
    fn warns_of_a_dollar_that_would_vanish() {
        let file = File::parse(b"A=ab$cd\nB='ab$cd'\nC=ab\\$cd\n# D=$x\n");
        assert_eq!(file.warnings.len(), 1, "{:?}", file.warnings);
        assert!(file.warnings[0].starts_with(".env line 1: `$` in A "));
        assert_eq!(get(&file, "B"), Some("ab$cd"));
        assert_eq!(get(&file, "C"), Some("ab$cd"));
    }

    #[test]
    fn refuses_other_encodings_and_lets_a_missing_file_be() {
        assert_eq!(File::parse(b"A=\xff").problems, [".env is not UTF-8: save it as plain UTF-8 text"]);
        let none = File::read(Path::new("/nonexistent/.env"));
        assert!(none.vars.is_empty() && none.problems.is_empty());
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics_and_is_never_repeated(
            text in "([A-C]{1,2}=?| |'|\"|\\\\|#|\\$|\\{|\\}|\r?\n|é|export |Zq9Xw7){0,30}|\\PC{0,40}",
        ) {
            let file = File::parse(text.as_bytes());
            prop_assert!(!file.problems.concat().contains("Zq9Xw7"), "{:?}", file.problems);
        }

        #[test]
        fn a_value_in_single_quotes_is_kept_as_it_is(
            // The parser takes a backslash at the end for one that escapes the quote.
            values in prop::collection::vec("[^'\u{feff}\r]{0,40}[^'\u{feff}\r\\\\]", 1..5),
        ) {
            let text: String = values.iter().enumerate().map(|(n, value)| format!("V{n}='{value}'\n")).collect();
            let file = File::parse(text.as_bytes());
            prop_assert!(file.problems.is_empty(), "{:?}", file.problems);
            for (n, value) in values.iter().enumerate() {
                prop_assert_eq!(get(&file, &format!("V{n}")), Some(value.as_str()));
            }
        }
    }
}
