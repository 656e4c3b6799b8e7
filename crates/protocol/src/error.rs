//! The one error type of this crate.

use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::string::String;
use core::fmt;

/// A result whose error is a [`ProtocolError`].
pub type Result<T, E = ProtocolError> = core::result::Result<T, E>;

/// Whose fault it is that something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolErrorKind {
    /// The service sent a line that breaks the protocol.
    Line,
    /// The SDK gave an argument that is not what was asked for.
    Argument,
    /// Memory ran out.
    OutOfMemory,
    /// Something that must not happen.
    Internal,
}

/// A line or an argument could not be read: a message that says what is wrong, and where.
///
/// It is no larger than an address, for the reasons given at [`rowtide_json::Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    kind: ProtocolErrorKind,
    message: String,
}

impl ProtocolError {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(kind: ProtocolErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details { kind, message: message.into() }))
    }

    /// The kind of this error.
    pub fn kind(&self) -> ProtocolErrorKind {
        self.0.kind
    }

    /// What is wrong, and where.
    #[must_use]
    pub fn into_message(self) -> String {
        self.0.message
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl core::error::Error for ProtocolError {}

impl From<TryReserveError> for ProtocolError {
    #[cold]
    #[inline(never)]
    fn from(_: TryReserveError) -> Self {
        Self::new(ProtocolErrorKind::OutOfMemory, "out of memory")
    }
}
