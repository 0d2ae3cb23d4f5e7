//! A user id that a verified token carries. Only the verifier can make one, so a function that takes one cannot be
//! reached without a token.

use std::fmt;
use std::sync::Arc;

/// The token's user id: an opaque string of 1–255 characters without control characters, never parsed. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Only for the verifier, which has checked the text.
    pub(in crate::auth) fn verified(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// For unit tests of what is reached with a user only.
    #[cfg(test)]
    pub(crate) fn for_tests(text: &str) -> Self {
        Self::verified(text)
    }

    /// The id as the token has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
