//! Why a call of the database failed, and what that means for the client.

use std::fmt;

use rusqlite::ErrorCode;

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client is closed.
    Closed,
    /// The event came after the end of its iteration.
    NoIteration,
    /// The checkpoint request needs an answer of the service first.
    NotSeeded,
    /// The file has no internal tables of this version.
    NotPrepared(String),
    /// The service has sent what is no line, or does not fit those before it.
    Protocol(String),
    /// Another connection writes, or has interrupted the call: it can be made again.
    Again(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The extension has answered what this client does not understand.
    pub(crate) fn answer(error: serde_json::Error) -> Self {
        Self::Other(format!("the extension's answer is not understood: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("the file is closed"),
            Self::NoIteration => formatter.write_str("no sync is running"),
            Self::NotSeeded => formatter.write_str("the service has not answered the checkpoint request yet"),
            Self::NotPrepared(message) | Self::Protocol(message) | Self::Again(message) | Self::Other(message) => {
                formatter.write_str(message)
            }
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let message = match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            other => other.to_string(),
        };
        // These texts are part of the extension's interface.
        match code {
            Some(ErrorCode::ApiMisuse) if message.contains("No iteration is active") => Self::NoIteration,
            Some(ErrorCode::ApiMisuse) if message.contains("has not been seeded") => Self::NotSeeded,
            Some(ErrorCode::ApiMisuse) if message.contains("internal tables") => Self::NotPrepared(message),
            Some(ErrorCode::OperationAborted) if message.contains("Sync protocol error") => Self::Protocol(message),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted) => {
                Self::Again(message)
            }
            _ => Self::Other(message),
        }
    }
}
