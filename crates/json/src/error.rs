//! The one error type of this crate.

use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::lexer::SyntaxError;

/// A result whose error is an [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// JSON could not be read or written. Holds none of the text.
///
/// It is no larger than an address, because nearly every function passes errors on, and its constructors are never
/// inlined: both keep code small and errors out of the way of what succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Cause>);

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The text is no JSON, or not the JSON that was asked for: what is wrong with it.
    Invalid(String),
    /// Memory ran out.
    OutOfMemory,
}

impl Error {
    /// A text that is not what was asked for.
    #[cold]
    #[inline(never)]
    pub(crate) fn invalid(problem: impl Into<String>) -> Self {
        Self(Box::new(Cause::Invalid(problem.into())))
    }

    /// Why JSON could not be read or written.
    #[must_use]
    pub fn into_cause(self) -> Cause {
        *self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &*self.0 {
            Cause::Invalid(problem) => problem,
            Cause::OutOfMemory => "out of memory",
        })
    }
}

impl core::error::Error for Error {}

impl From<SyntaxError> for Error {
    #[cold]
    #[inline(never)]
    fn from(error: SyntaxError) -> Self {
        Self::invalid(format!("malformed JSON: {error}"))
    }
}

impl From<TryReserveError> for Error {
    #[cold]
    #[inline(never)]
    fn from(_: TryReserveError) -> Self {
        Self(Box::new(Cause::OutOfMemory))
    }
}
