//! Whose rows they are here: the file of `--user-map`, and what a user id may be.

use std::collections::HashMap;
use std::path::Path;

use uuid::Uuid;

use crate::auth::caller::is_reserved;
use crate::auth::claims::is_user_id;

/// Old user ids and the new ones, as the tokens carry them.
#[derive(Debug, Default)]
pub(super) struct UserMap(HashMap<String, String>);

impl UserMap {
    /// Reads a CSV file (RFC 4180) of two columns, `old,new`; a first line that says just that is its head.
    ///
    /// # Errors
    /// One line with the file, the line and the rule; never what the line says.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let file = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("--user-map {file}: {error}"))?;
        Self::parse(&text).map_err(|error| format!("--user-map {file}, {error}"))
    }

    /// A user id of the source, whatever its column is called: a UUID that is kept as 16 bytes reads as one.
    pub(super) fn old_id(text: String) -> String {
        uuid_of_bytes(&text).map_or(text, |id| id.to_string())
    }

    /// Who the user is here.
    pub(super) fn get(&self, old: &str) -> Option<&str> {
        self.0.get(old).map(String::as_str)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut map = HashMap::new();
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if line.trim().is_empty() || at == 0 && line.trim().eq_ignore_ascii_case("old,new") {
                continue;
            }
            let wrong = |rule: &str| format!("line {}: {rule}", at + 1);
            let [old, new] = &fields(line)[..] else {
                return Err(wrong("write the old id, a comma, and the new id"));
            };
            check_user(new).map_err(|rule| wrong(&rule))?;
            if map.insert(old.clone(), new.clone()).is_some() {
                return Err(wrong("the old id has a line already"));
            }
        }
        Ok(Self(map))
    }
}

/// The fields of a line; in quotes a comma is a comma, and two quotes are one.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut before) = (false, ',');
    for c in line.chars() {
        let last = fields.len() - 1;
        match c {
            '"' => {
                if !quoted && before == '"' {
                    fields[last].push('"');
                }
                quoted = !quoted;
            }
            ',' if !quoted => fields.push(String::new()),
            _ => fields[last].push(c),
        }
        before = c;
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

/// A UUID that is kept as 16 bytes.
pub(super) fn uuid_of_bytes(text: &str) -> Option<Uuid> {
    let digits = text.strip_prefix("\\x").filter(|digits| digits.len() == 32)?;
    Uuid::try_parse(digits).ok()
}

/// Refuses what no user of the API can be called.
///
/// # Errors
/// The rule.
pub(super) fn check_user(user: &str) -> Result<(), String> {
    if is_reserved(user) {
        return Err("User id must not be a word of the API's paths".to_owned());
    }
    if is_user_id(user) {
        return Ok(());
    }
    Err("User id must be 1 to 255 characters without control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_two_columns() {
        let map = UserMap::parse("\u{feff}old,new\n1, ann \r\n\n\"a,\"\"b\",\"x,y\"\n2,ann\n").unwrap();
        assert_eq!((map.get("1"), map.get("2"), map.get("a,\"b")), (Some("ann"), Some("ann"), Some("x,y")));
        assert_eq!(map.get("3"), None);
    }

    #[test]
    fn bytes_read_as_a_uuid() {
        let id = "0198c2a4-7d1f-7abc-8def-0123456789ab";
        assert_eq!(UserMap::old_id("\\x0198C2A47D1F7ABC8DEF0123456789AB".to_owned()), id);
        assert_eq!(uuid_of_bytes("\\x0198"), None);
        assert_eq!(UserMap::old_id("ann".to_owned()), "ann");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line() {
        for (text, said) in [
            ("1", "line 1: write"),
            ("1,ann,x", "line 1: write"),
            ("1,ann\n1,bob", "line 2: the old id has a line"),
            ("1,", "line 1: User id must be 1 to 255"),
            ("old,new\n1,tasks", "line 2: User id must not be a word"),
        ] {
            let error = UserMap::parse(text).unwrap_err();
            assert!(error.starts_with(said), "{text}: {error}");
        }
        assert!(UserMap::read(Path::new("/nowhere/users.csv")).unwrap_err().contains("/nowhere/users.csv"));
    }
}
