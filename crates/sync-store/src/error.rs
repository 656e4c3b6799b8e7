//! Errors of SQLite as those of a store: what was being done, what failed, and what to do.

use rusqlite::ErrorCode;
use sync_engine::store::StoreError;

/// Says what was being done when something failed.
pub(crate) trait Doing<T> {
    /// `what` completes "The storage failed while …".
    fn doing(self, what: &str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, what: &str) -> Result<T, StoreError> {
        self.map_err(|error| failed(what, &error))
    }
}

impl<T> Doing<T> for serde_json::Result<T> {
    fn doing(self, what: &str) -> Result<T, StoreError> {
        self.map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            invalid(&format!("The storage failed while {what}: the JSON is not of this format ({place})."))
        })
    }
}

/// What is stored is not what this version writes.
pub(crate) fn invalid(message: &str) -> StoreError {
    StoreError::Invalid(format!(
        "{message} Restore the file from a backup, or delete it and let the service build it again."
    ))
}

fn failed(what: &str, error: &rusqlite::Error) -> StoreError {
    let Some(code) = error.sqlite_error_code() else {
        return invalid(&format!("The storage failed while {what}: {error}."));
    };
    let advice = match code {
        ErrorCode::DiskFull => "Free space on its disk.",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => "Another program has locked the file: close it.",
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            "Check that its folder exists and that the service may write there."
        }
        ErrorCode::OutOfMemory => "There is not enough memory.",
        ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => {
            "Check the disk; network file systems are not supported."
        }
        ErrorCode::OperationInterrupted => "It can be tried again.",
        _ => return invalid(&format!("The storage failed while {what}: {error}.")),
    };
    StoreError::Unavailable(format!("The storage failed while {what}: {error}. {advice}"))
}
