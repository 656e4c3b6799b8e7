//! Where and how a text is no JSON.

use alloc::format;
use core::fmt;

use crate::error::Error;

/// Text that is no JSON, or not the JSON that was asked for: what is wrong, and where. Never holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxError {
    /// The byte offset at which reading failed.
    pub position: usize,
    /// What was expected, or what is wrong.
    pub reason: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at byte {}", self.reason, self.position)
    }
}

impl core::error::Error for SyntaxError {}

/// JSON that reaches us as an argument; readers of other JSON name its origin instead.
impl From<SyntaxError> for Error {
    fn from(error: SyntaxError) -> Self {
        Self::argument(format!("malformed JSON: {error}"))
    }
}
