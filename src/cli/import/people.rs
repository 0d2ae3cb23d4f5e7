//! Email and name of the users, out of the source's table of them.

use std::collections::HashMap;

use super::columns::plain;
use super::table::{Missing, Table};
use super::users::UserMap;
use crate::db::bulk::Source;

/// Rows read at once.
const AT_ONCE: usize = 1_000;

/// The longest email or name that is taken.
const LONGEST: usize = 320;

/// What a user's row says beside the id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
}

/// Everybody in the table, by the id that the tokens carry.
#[derive(Debug, Default)]
pub(super) struct People(HashMap<String, Person>);

impl People {
    /// Reads the table. The ids in it may be the old ones or the new ones of the map.
    ///
    /// # Errors
    /// A table without a column for the ids; what the database says.
    pub(super) async fn read(source: &Source, table: &Table, map: Option<&UserMap>) -> Result<Self, Missing> {
        let there = table.columns();
        let find = |aliases: &[&str]| {
            aliases.iter().find_map(|alias| there.iter().find(|column| plain(column) == *alias))
        };
        let id = find(&["id", "uuid", "userid"]).ok_or_else(|| {
            let there = there.join(", ");
            Missing::Said(format!("--users-table {} has no column id (there are: {there})", table.name))
        })?;
        let (email, name) =
            (find(&["email", "emailaddress"]), find(&["name", "fullname", "displayname", "username"]));
        let names: Vec<&str> = [Some(id), email, name].into_iter().flatten().map(String::as_str).collect();
        let mut people = HashMap::new();
        let mut walk = source.walk(&table.all(&names), AT_ONCE).await?;
        loop {
            let rows = walk.next().await?;
            if rows.is_empty() {
                return Ok(Self(people));
            }
            for row in &rows {
                let Some(id) = row.opt_text(0)?.map(UserMap::old_id) else { continue };
                let text = |at: usize| row.opt_text(at).map(|text| text.filter(|text| is_fit(text)));
                let email_is = email.map_or(Ok(None), |_| text(1))?;
                let name_is = name.map_or(Ok(None), |_| text(1 + usize::from(email.is_some())))?;
                let person = Person { email: email_is, name: name_is };
                if let Some(new) = map.and_then(|map| map.get(&id)) {
                    people.entry(new.to_owned()).or_insert_with(|| person.clone());
                }
                people.insert(id, person);
            }
        }
    }

    /// What is known of a user.
    pub(super) fn get(&self, user: &str) -> Person {
        self.0.get(user).cloned().unwrap_or_default()
    }
}

/// Whether it is worth keeping; the next token of the user says it better anyway.
fn is_fit(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().nth(LONGEST).is_none() && !text.chars().any(char::is_control)
}
