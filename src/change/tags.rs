//! The side table that finds rows by tag, written with its row.

use super::At;
use crate::db::draft::Draft;
use crate::db::{Plan, Statement, Value};

/// The side table that finds rows by tag; the row's own `tags` column keeps their order.
#[derive(Debug)]
pub struct TagTable {
    /// The table of the rows.
    pub rows: &'static str,
    /// The side table.
    pub tags: &'static str,
    /// Its column that names the row.
    pub owner: &'static str,
}

impl TagTable {
    /// The statement that puts `tags` beside a row that was just made; none without tags.
    pub fn tag(&self, at: &At, tags: &[String]) -> Option<Statement> {
        if tags.is_empty() {
            return None;
        }
        let Self { rows, tags: table, owner } = self;
        let mut draft =
            Draft::new(&format!("insert into {table} (user_id, {owner}, tag) with given (tag) as (values "));
        for (i, tag) in tags.iter().enumerate() {
            draft.push(if i == 0 { "(" } else { ", (" }).bind(Value::Text(Some(tag.clone()))).push(")");
        }
        // Through the row itself: where it is not there, nothing is put beside it.
        draft.push(&format!(
            ") select r.user_id, r.id, given.tag from {rows} as r, given where r.user_id = $1 and r."
        ));
        draft.push(at.column).push(" = ").bind(at.value.clone()).push(" on conflict do nothing");
        Some(draft.finish(Plan::Steady))
    }

    /// The statements that put `tags` in the place of those that a row had; tags that stay are not written.
    pub fn retag(&self, at: &At, tags: &[String]) -> Vec<Statement> {
        let Self { rows, tags: table, owner } = self;
        let mut draft = Draft::new(&format!(
            "delete from {table} where user_id = $1 and {owner} in (select id from {rows}"
        ));
        at.condition(&mut draft);
        draft.push(")");
        if !tags.is_empty() {
            draft.push(" and tag not in (");
            draft.bind_all(tags.iter().map(|tag| Value::Text(Some(tag.clone())))).push(")");
        }
        let mut statements = vec![draft.finish(Plan::Steady)];
        statements.extend(self.tag(at, tags));
        statements
    }
}
