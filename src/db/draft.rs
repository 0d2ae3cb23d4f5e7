//! A statement being written: text and parameters grow together, so no placeholder is counted by hand.

use std::fmt::Write;

use super::{Engine, Plan, Statement, Step, Value, When};

/// A statement being written. Placeholders start at `$2`: `$1` is the owner.
#[derive(Debug, Clone)]
pub struct Draft {
    sql: String,
    params: Vec<Value>,
}

impl Draft {
    /// Starts with this text.
    pub fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), params: Vec::new() }
    }

    /// Adds text.
    pub fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a parameter and its placeholder.
    pub fn bind(&mut self, value: Value) -> &mut Self {
        let placeholder = self.param(value);
        self.push(&placeholder)
    }

    /// Adds a parameter and returns its placeholder, for a text that names it more than once.
    pub fn param(&mut self, value: Value) -> String {
        self.params.push(value);
        format!("${}", self.params.len() + 1)
    }

    /// Adds `$a, $b, …`, one placeholder for each value.
    pub fn bind_all(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        let mut separator = "";
        for value in values {
            self.params.push(value);
            // Writing to a String cannot fail.
            let _ = write!(self.sql, "{separator}${}", self.params.len() + 1);
            separator = ", ";
        }
        self
    }

    /// The statement.
    pub fn finish(self, plan: Plan) -> Statement {
        Statement { sql: self.sql.into(), params: self.params, plan }
    }
}

impl Step {
    /// A step that runs in any case.
    pub fn always(statement: Statement) -> Self {
        Self { statement, when: When::Always }
    }
}

impl Engine {
    /// As [`Engine::for_update`], but passes over rows that another transaction holds.
    pub fn for_update_of_free(self) -> &'static str {
        match self {
            Self::Postgres => " for update skip locked",
            Self::Sqlite => "",
        }
    }

    /// What a `select` ends in that holds its rows until the transaction's end. SQLite has one writer at a time,
    /// so there is nothing to hold.
    pub fn for_update(self) -> &'static str {
        match self {
            Self::Postgres => " for update",
            Self::Sqlite => "",
        }
    }
}
