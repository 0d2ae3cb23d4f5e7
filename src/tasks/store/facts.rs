//! Numbers about all of a user's tasks.

use serde::Serialize;
use utoipa::ToSchema;

use super::{TABLE, TAGS, Tasks};
use crate::db::DbError;
use crate::list::facts::{self, ByPriority, Group, Now, TagCount};

/// Numbers about all tasks of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TaskStats {
    /// How many there are.
    #[schema(minimum = 0)]
    pub total: u64,
    /// How many are done, how many not.
    pub by_status: ByStatus,
    /// How many have which priority.
    pub by_priority: ByPriority,
    /// How many are due in the past and not completed.
    #[schema(minimum = 0)]
    pub overdue: u64,
    /// How many are due today, earlier or later than now, and not completed.
    #[schema(minimum = 0)]
    pub due_today: u64,
}

/// How many tasks are done, how many not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ByStatus {
    /// Not done.
    #[schema(minimum = 0)]
    pub pending: u64,
    /// Done.
    #[schema(minimum = 0)]
    pub completed: u64,
}

impl TaskStats {
    fn add(&mut self, group: &Group<bool>) {
        let Group { state: completed, priority: _, rows, past, today } = *group;
        self.total += rows;
        self.by_priority.add(group);
        if completed {
            self.by_status.completed += rows;
        } else {
            self.by_status.pending += rows;
            self.overdue += past;
            self.due_today += today;
        }
    }
}

impl Tasks<'_> {
    /// Numbers about all tasks, in one pass.
    pub async fn stats(&self, now: Now) -> Result<TaskStats, DbError> {
        let mut stats = TaskStats::default();
        for group in facts::groups(self.owner.scope, TABLE.name, "completed", now, |row| row.bool(0)).await? {
            stats.add(&group);
        }
        Ok(stats)
    }

    /// Every tag of the tasks, the most frequent first.
    pub async fn tags(&self) -> Result<Vec<TagCount>, DbError> {
        facts::tags(self.owner.scope, &TAGS).await
    }
}
