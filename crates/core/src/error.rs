//! The error type of the core, and how each kind reaches SQLite (docs/reference/errors.md#codes).

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use rowtide_json::{Cause, SyntaxError};
use rowtide_protocol::{ProtocolError, ProtocolErrorKind};
use sqlite_nostd::{FunctionError, ResultCode, SqliteError};

/// A result whose error is an [`Error`].
pub(crate) type Result<T, E = Error> = core::result::Result<T, E>;

/// What went wrong, in terms of who has to act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// The SDK or application gave a wrong argument or malformed JSON: SQLITE_CONSTRAINT_DATATYPE.
    Argument,
    /// A function was called in the wrong state: SQLITE_MISUSE.
    State,
    /// The service sent a line that breaks the protocol: SQLITE_ABORT.
    Protocol,
    /// The operation cannot be done, whatever the caller changes (missing client id, failed down-migration): SQLITE_ABORT.
    Abort,
    /// Our own tables hold something that we never write: SQLITE_CORRUPT.
    LocalData,
    /// An SQLite call of ours failed, with its extended result code.
    Sqlite(ResultCode),
    /// Memory ran out: SQLITE_NOMEM.
    OutOfMemory,
    /// Something that must not happen: SQLITE_INTERNAL.
    Internal,
}

/// An error: its kind and a message that says what was being done, on what, and where.
///
/// It is no larger than an address, because nearly every function passes errors on, and its constructors are never
/// inlined: both keep code small and errors out of the way of what succeeds. For the same reason an error of SQLite is
/// not changed when it becomes one of these: what it means here is found out when somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error(SqliteError);

/// Errors of SQLite whose message is complete, and others than theirs: their classes in [`SqliteError`].
const DESCRIBED: u8 = 2;
const ARGUMENT: u8 = 3;
const STATE: u8 = 4;
const PROTOCOL: u8 = 5;
const ABORT: u8 = 6;
const LOCAL_DATA: u8 = 7;
const INTERNAL: u8 = 8;

impl Error {
    /// An error of `kind`; `message` does not repeat the kind.
    #[cold]
    #[inline(never)]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (class, code) = match kind {
            ErrorKind::Argument => (ARGUMENT, ResultCode::CONSTRAINT_DATATYPE),
            ErrorKind::State => (STATE, ResultCode::MISUSE),
            ErrorKind::Protocol => (PROTOCOL, ResultCode::ABORT),
            ErrorKind::Abort => (ABORT, ResultCode::ABORT),
            ErrorKind::LocalData => (LOCAL_DATA, ResultCode::CORRUPT),
            ErrorKind::Sqlite(code) => (DESCRIBED, code),
            ErrorKind::OutOfMemory => (DESCRIBED, ResultCode::NOMEM),
            ErrorKind::Internal => (INTERNAL, ResultCode::INTERNAL),
        };
        Self(SqliteError::of_class(class, code, message.into()))
    }

    /// A wrong argument.
    #[cold]
    #[inline(never)]
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Argument, message)
    }

    /// A call in the wrong state.
    #[cold]
    #[inline(never)]
    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::State, message)
    }

    /// A line that breaks the protocol.
    #[cold]
    #[inline(never)]
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, message)
    }

    /// Internal tables with impossible content.
    #[cold]
    #[inline(never)]
    pub(crate) fn local_data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::LocalData, message)
    }

    /// The error for JSON that was given as an argument and is read by SQL: text in it that is not Unicode is no fault of
    /// the database.
    #[cold]
    #[inline(never)]
    pub(crate) fn in_given_json(self) -> Self {
        match self.kind() {
            ErrorKind::LocalData => {
                Self::argument("the JSON has text that is not Unicode, such as half a surrogate pair")
            }
            _ => self,
        }
    }

    /// The kind of this error.
    #[inline(never)]
    pub(crate) fn kind(&self) -> ErrorKind {
        let code = self.0.code();
        match self.0.class() {
            ARGUMENT => ErrorKind::Argument,
            STATE => ErrorKind::State,
            PROTOCOL => ErrorKind::Protocol,
            ABORT => ErrorKind::Abort,
            LOCAL_DATA => ErrorKind::LocalData,
            INTERNAL => ErrorKind::Internal,
            _ if code.primary() == ResultCode::NOMEM => ErrorKind::OutOfMemory,
            DESCRIBED => ErrorKind::Sqlite(code),
            _ if self.0.is_unreadable_text() => ErrorKind::LocalData,
            // Only arguments are refused for that without a statement.
            _ if code.primary() == ResultCode::MISMATCH && self.0.sql().is_none() => ErrorKind::Argument,
            _ => ErrorKind::Sqlite(code),
        }
    }

    /// Adds what was being done: `(context: …)` at the end of the message.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub(crate) fn with_context(self, context: impl fmt::Display) -> Self {
        Self::new(self.kind(), alloc::format!("{} (context: {context})", self.message()))
    }

    /// What is wrong, without the kind.
    fn message(&self) -> Cow<'_, str> {
        match self.kind() {
            _ if self.0.class() >= DESCRIBED => self.0.message().into(),
            ErrorKind::OutOfMemory => "out of memory".into(),
            ErrorKind::LocalData => {
                alloc::format!("{}, in: {}", self.0.message(), self.0.sql().unwrap_or_default()).into()
            }
            ErrorKind::Argument => self.0.message().into(),
            _ => alloc::format!("{}", self.0).into(),
        }
    }

    /// The result code that SQLite reports for this error.
    pub(crate) fn code(&self) -> ResultCode {
        match self.kind() {
            ErrorKind::OutOfMemory => ResultCode::NOMEM,
            ErrorKind::Argument => ResultCode::CONSTRAINT_DATATYPE,
            _ => self.0.code(),
        }
    }

    /// Whether it is one of the errors on which SQLite may roll back the whole transaction by itself.
    pub(crate) fn may_end_transaction(&self) -> bool {
        const ENDING: [ResultCode; 4] = [ResultCode::FULL, ResultCode::IOERR, ResultCode::NOMEM, ResultCode::INTERRUPT];
        ENDING.contains(&self.code().primary())
    }

    /// This error as the SQL function or virtual table `name` reports it.
    #[cold]
    #[inline(never)]
    pub(crate) fn in_function(&self, name: &str) -> FunctionError {
        FunctionError { code: self.code(), message: alloc::format!("{name}: {self}") }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.kind() {
            ErrorKind::Argument => "invalid argument: ",
            ErrorKind::State => "invalid state: ",
            ErrorKind::Protocol => "Sync protocol error: ",
            ErrorKind::LocalData => "invalid local data: ",
            ErrorKind::Internal => "internal error: ",
            ErrorKind::Abort | ErrorKind::Sqlite(_) | ErrorKind::OutOfMemory => "",
        };
        write!(formatter, "{prefix}{}", self.message())
    }
}

impl core::error::Error for Error {}

impl From<SqliteError> for Error {
    fn from(error: SqliteError) -> Self {
        Self(error)
    }
}

impl From<rowtide_json::Error> for Error {
    #[cold]
    #[inline(never)]
    fn from(error: rowtide_json::Error) -> Self {
        match error.into_cause() {
            Cause::Invalid(problem) => Self::argument(problem),
            Cause::OutOfMemory => Self::new(ErrorKind::OutOfMemory, "out of memory"),
        }
    }
}

/// JSON that reaches us as an argument; whoever reads other JSON names its origin instead.
impl From<SyntaxError> for Error {
    #[cold]
    #[inline(never)]
    fn from(error: SyntaxError) -> Self {
        rowtide_json::Error::from(error).into()
    }
}

impl From<ProtocolError> for Error {
    #[cold]
    #[inline(never)]
    fn from(error: ProtocolError) -> Self {
        let kind = match error.kind() {
            ProtocolErrorKind::Line => ErrorKind::Protocol,
            ProtocolErrorKind::Argument => ErrorKind::Argument,
            ProtocolErrorKind::OutOfMemory => ErrorKind::OutOfMemory,
            ProtocolErrorKind::Internal => ErrorKind::Internal,
        };
        Self::new(kind, error.into_message())
    }
}

impl From<alloc::collections::TryReserveError> for Error {
    #[cold]
    #[inline(never)]
    fn from(_: alloc::collections::TryReserveError) -> Self {
        Self::new(ErrorKind::OutOfMemory, "out of memory")
    }
}

impl From<hashbrown::TryReserveError> for Error {
    #[cold]
    #[inline(never)]
    fn from(_: hashbrown::TryReserveError) -> Self {
        Self::new(ErrorKind::OutOfMemory, "out of memory")
    }
}
