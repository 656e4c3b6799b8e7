//! What goes wrong with an SQLite file, and what the service does about it.

use std::path::Path;

use rusqlite::ErrorCode;
use sync_engine::source::SourceError;

use crate::error::{configuration, retry};

/// An error of SQLite that has yet to say what was being done, or one that says all.
#[derive(Debug)]
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    Source(SourceError),
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl Failure {
    /// Whether another connection has the file for itself at the moment.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_busy(error))
    }

    /// With what was being done, as "… cannot be read".
    pub(crate) fn while_doing(self, what: &str, path: &Path) -> SourceError {
        let error = match self {
            Self::Source(error) => return error,
            Self::Sqlite(error) => error,
        };
        let path = path.display();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                retry(format!("{what}: {path} is locked by another connection"))
            }
            Some(ErrorCode::ReadOnly) => configuration(format!(
                "{what}: {path} cannot be written: the service needs to write to the file and to its folder"
            )),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                configuration(format!("{what}: {path} cannot be opened: check that it exists, and its permissions"))
            }
            Some(ErrorCode::NotADatabase) => configuration(format!("{what}: {path} is not an SQLite database")),
            Some(ErrorCode::DatabaseCorrupt) => configuration(format!(
                "{what}: {path} is damaged ({error}): check it with PRAGMA integrity_check, and restore a backup"
            )),
            Some(ErrorCode::Unknown) => configuration(format!("{what}: {path}: {error}")),
            _ => retry(format!("{what}: {path}: {error}")),
        }
    }
}

pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
