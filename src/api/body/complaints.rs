//! What else is wrong with a body that has members nobody knows, so that all of it is told at once.

use super::{IdeaPatch, IdeaWrite, TaskCompletion, TaskCreate, TaskPatch, TaskReplace};
use crate::api::batch::{Batch, BatchOperation};
use crate::field::Invalid;
use crate::http::extract::FromBody;

impl FromBody for TaskCreate {
    fn complaints(self) -> Invalid {
        self.into_new().err().unwrap_or_default()
    }
}

impl FromBody for TaskReplace {
    fn complaints(self) -> Invalid {
        self.into_replacement().err().unwrap_or_default()
    }
}

impl FromBody for TaskPatch {
    fn complaints(self) -> Invalid {
        self.into_change().err().unwrap_or_default()
    }
}

impl FromBody for TaskCompletion {
    fn complaints(self) -> Invalid {
        self.into_completion().err().unwrap_or_default()
    }
}

impl FromBody for IdeaWrite {
    fn complaints(self) -> Invalid {
        self.into_new().err().unwrap_or_default()
    }
}

impl FromBody for IdeaPatch {
    fn complaints(self) -> Invalid {
        self.into_change().err().unwrap_or_default()
    }
}

impl FromBody for Batch {
    fn complaints(self) -> Invalid {
        self.structure().err().unwrap_or_default()
    }
}

impl FromBody for BatchOperation {
    fn complaints(self) -> Invalid {
        self.structure().err().unwrap_or_default()
    }
}
