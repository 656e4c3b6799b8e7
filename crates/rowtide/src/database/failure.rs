//! What SQLite's errors about a file mean, in sentences.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::hint::quoted_path;

/// SQLite's error about a file, with what to do.
pub(crate) fn explained(error: Error, path: &Path) -> anyhow::Error {
    match sentence(&error, path) {
        Some(sentence) => anyhow::Error::msg(sentence),
        None => anyhow::Error::new(error).context(path.display().to_string()),
    }
}

/// Whether the content of the file is the reason.
pub(crate) fn is_damage(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) && !is_of_the_extension(error)
}

/// Whether the extension says what is wrong, with the name of its function.
fn is_of_the_extension(error: &Error) -> bool {
    error.to_string().starts_with("powersync_")
}

fn sentence(error: &Error, path: &Path) -> Option<String> {
    let name = path.display();
    if is_of_the_extension(error) {
        return None;
    }
    Some(match error.sqlite_error_code()? {
        ErrorCode::NotADatabase => {
            format!(
                "{name} is no SQLite database, or an encrypted one. Encrypted databases cannot be read by this program."
            )
        }
        ErrorCode::DatabaseCorrupt => format!(
            "{name} is damaged: {error}. `sqlite3 {} .recover` saves what can be read. \
            An app gets all synced data again with a new file; local writes that were not uploaded are only in this one.",
            quoted_path(path)
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => format!(
            "{name} is locked by another process, which has not ended its transaction for 2 s. \
            Close the app, or try again."
        ),
        ErrorCode::PermissionDenied | ErrorCode::CannotOpen => match std::fs::File::open(path) {
            Err(error) => format!("{name} cannot be opened: {error}."),
            Ok(_) => format!("SQLite cannot open {name}: {error}. Its folder may be one that must not be written to."),
        },
        ErrorCode::SystemIoFailure => format!("{name} cannot be read: {error}."),
        ErrorCode::DiskFull => format!("There is no room left where {name} is: {error}."),
        _ => return None,
    })
}
