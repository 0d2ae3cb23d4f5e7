//! What a database can answer instead of rows.

/// What a database can answer instead of rows.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// Unreachable, saturated, full, or out of time: nothing was changed, try again later. The text is for the log.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The link broke while a commit was under way.
    #[error("outcome of a commit unknown: {0}")]
    OutcomeUnknown(String),
    /// Another transaction holds what this one waited for, for as long as it had said: nothing was changed.
    #[error("lock not available: {0}")]
    Locked(String),
    /// A fault of ours (a statement that the database refused, a row that does not read). The text is for the log.
    #[error("database fault: {0}")]
    Fault(String),
}

impl DbError {
    /// The text alone, without what kind of error it is.
    pub fn text(&self) -> &str {
        let (Self::Unavailable(text) | Self::OutcomeUnknown(text) | Self::Locked(text) | Self::Fault(text)) =
            self;
        text
    }

    /// As [`DbError::text`], for who has no further use for the error.
    pub fn into_text(self) -> String {
        let (Self::Unavailable(text) | Self::OutcomeUnknown(text) | Self::Locked(text) | Self::Fault(text)) =
            self;
        text
    }

    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self::Unavailable(text.into())
    }

    /// A table or a column is not there. The server listens before its tables are made, so that is no fault.
    pub(super) fn pending(text: &str) -> Self {
        Self::Unavailable(format!("{text}; migrations are pending"))
    }

    pub(super) fn out_of_time() -> Self {
        Self::Unavailable("the deadline has passed".to_owned())
    }

    pub(super) fn closed() -> Self {
        Self::Unavailable("the database is closed".to_owned())
    }
}
