//! Numbers about all of a user's ideas.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Ideas, TABLE, TAGS};
use crate::db::DbError;
use crate::ideas::Stage;
use crate::list::facts::{self, ByPriority, Group, Now, TagCount};
use crate::list::read_choice;

/// Numbers about all ideas of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct IdeaStats {
    /// How many there are.
    #[schema(minimum = 0)]
    pub total: u64,
    /// How many have come how far.
    pub by_stage: ByStage,
    /// How many have which priority.
    pub by_priority: ByPriority,
    /// How many are due in the past and not published.
    #[schema(minimum = 0)]
    pub overdue: u64,
    /// How many are due today, earlier or later than now, and not published.
    #[schema(minimum = 0)]
    pub due_today: u64,
}

/// How many ideas have come how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ByStage {
    /// Just ideas.
    #[schema(minimum = 0)]
    pub idea: u64,
    /// With a shape.
    #[schema(minimum = 0)]
    pub outline: u64,
    /// Being written.
    #[schema(minimum = 0)]
    pub draft: u64,
    /// Out.
    #[schema(minimum = 0)]
    pub published: u64,
}

impl ByStage {
    fn of(&mut self, stage: Stage) -> &mut u64 {
        match stage {
            Stage::Idea => &mut self.idea,
            Stage::Outline => &mut self.outline,
            Stage::Draft => &mut self.draft,
            Stage::Published => &mut self.published,
        }
    }
}

impl IdeaStats {
    fn add(&mut self, group: &Group<Stage>) {
        let Group { state: stage, priority: _, rows, past, today } = *group;
        self.total += rows;
        self.by_priority.add(group);
        *self.by_stage.of(stage) += rows;
        if stage != Stage::Published {
            self.overdue += past;
            self.due_today += today;
        }
    }
}

impl Ideas<'_> {
    /// Numbers about all ideas, in one pass.
    ///
    /// # Errors
    /// What the database says, here and below.
    pub async fn stats(&self, now: Now) -> Result<IdeaStats, DbError> {
        let read = |row: &_| read_choice::<Stage>(row, 0);
        let mut stats = IdeaStats::default();
        for group in facts::groups(self.owner.scope, TABLE.name, "stage", now, read).await? {
            stats.add(&group);
        }
        Ok(stats)
    }

    /// Every tag of the ideas, the most frequent first.
    pub async fn tags(&self) -> Result<Vec<TagCount>, DbError> {
        facts::tags(self.owner.scope, &TAGS).await
    }
}
