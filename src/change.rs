//! What the writes of tasks and ideas share: the row they mean, the columns they set, the tags beside it.

mod assignments;
mod tags;

use crate::db::Value;
use crate::db::draft::Draft;

pub use assignments::{Assignments, NewRow};
pub use tags::TagTable;

/// Which row of the owner's: by one of the columns that are unique for a user.
#[derive(Debug, Clone)]
pub struct At {
    /// `id` or `number`.
    pub column: &'static str,
    /// Its value.
    pub value: Value,
}

impl At {
    /// Adds ` where user_id = $1 and <column> = $n`.
    pub fn condition(&self, draft: &mut Draft) {
        draft.push(" where user_id = $1 and ").push(self.column).push(" = ").bind(self.value.clone());
    }
}
