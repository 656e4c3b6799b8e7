//! What SQLite's errors mean for a transaction.

use rusqlite::ffi;

use super::operation::Stop;
use crate::result::{Failure, TransactionResult, code};

/// After other writers were waited for.
const BUSY_RETRY_MS: u64 = 1_000;

/// After an error that a person has to end, for instance a full disk.
const BROKEN_RETRY_MS: u64 = 10_000;

/// What to do after an error.
pub(super) enum Class {
    /// The transaction can be tried again.
    Retryable(TransactionResult),
    /// It can not.
    Fatal(Failure),
}

/// What SQLite says, without the statement.
pub(super) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqliteFailure(error, None) => error.to_string(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

/// Whether a table or column is missing.
pub(super) fn is_schema_mismatch(error: &rusqlite::Error) -> bool {
    let message = message(error);
    ["no such table", "no such column", "has no column named"].iter().any(|part| message.contains(part))
}

/// An error after which clients try again.
pub(super) fn retryable(error: &rusqlite::Error) -> TransactionResult {
    let code = error.sqlite_error().map_or(0, |error| error.extended_code & 0xff);
    let (message, after) = match code {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => ("The database is busy.", BUSY_RETRY_MS),
        ffi::SQLITE_FULL => ("The database's disk is full.", BROKEN_RETRY_MS),
        ffi::SQLITE_IOERR => ("The database's disk reports an error.", BROKEN_RETRY_MS),
        _ => ("The database cannot be written now.", BROKEN_RETRY_MS),
    };
    TransactionResult::retryable(message, after)
}

/// What an error of an operation means.
pub(super) fn classify(stop: Stop) -> Class {
    let (error, index) = match stop {
        Stop::Refused(failure) => return Class::Fatal(*failure),
        Stop::Later(result) => return Class::Retryable(*result),
        Stop::Sqlite(error, index) => (error, index),
    };
    // Not of SQLite: nothing is known about it.
    let Some(extended) = error.sqlite_error().map(|error| error.extended_code) else {
        return Class::Retryable(retryable(&error));
    };
    let text = message(&error);
    let fatal = |code: &str, message: String| Class::Fatal(Failure::new(code, message, index));
    match extended & 0xff {
        ffi::SQLITE_CONSTRAINT => fatal(constraint(extended), text),
        ffi::SQLITE_MISMATCH | ffi::SQLITE_TOOBIG => fatal(code::INVALID_DATA, text),
        ffi::SQLITE_ERROR if is_schema_mismatch(&error) => fatal(code::SCHEMA_MISMATCH, text),
        // The file or the machine, not the transaction.
        ffi::SQLITE_BUSY
        | ffi::SQLITE_LOCKED
        | ffi::SQLITE_FULL
        | ffi::SQLITE_IOERR
        | ffi::SQLITE_NOMEM
        | ffi::SQLITE_READONLY
        | ffi::SQLITE_INTERRUPT
        | ffi::SQLITE_CORRUPT
        | ffi::SQLITE_CANTOPEN
        | ffi::SQLITE_PROTOCOL
        | ffi::SQLITE_SCHEMA
        | ffi::SQLITE_NOLFS
        | ffi::SQLITE_NOTADB => Class::Retryable(retryable(&error)),
        _ => {
            let message = format!("The database reports the error {extended}.");
            let failure = Failure::new(code::UNCLASSIFIED_ERROR, message, index);
            Class::Fatal(Failure { internal: Some(text), ..failure })
        }
    }
}

fn constraint(extended: i32) -> &'static str {
    match extended {
        ffi::SQLITE_CONSTRAINT_NOTNULL => code::NOT_NULL_VIOLATION,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => code::FOREIGN_KEY_VIOLATION,
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            code::UNIQUE_VIOLATION
        }
        ffi::SQLITE_CONSTRAINT_CHECK => code::CHECK_VIOLATION,
        // A column of a STRICT table.
        ffi::SQLITE_CONSTRAINT_DATATYPE => code::INVALID_DATA,
        _ => code::CONSTRAINT_VIOLATION,
    }
}
