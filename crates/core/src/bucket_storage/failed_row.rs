//! The row on which publishing failed, for `powersync_diagnose`.
//!
//! The transaction of a failed publish is rolled back. So the row is kept in memory, and stored in `ps_diagnostics` when
//! the iteration ends.

use alloc::string::String;
use core::cell::RefCell;

use rowtide_json::writer::Json;
use sqlite_nostd::ResultCode;

use crate::bucket_storage::now;
use crate::cell;
use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::packed_sql::{self, PackedSql};
use crate::text;

/// What the publishes of an iteration ran into.
#[derive(Default)]
pub(super) struct FailedRow(RefCell<State>);

#[derive(Default)]
enum State {
    /// There was no publish.
    #[default]
    Nothing,
    /// The last one succeeded.
    Published,
    /// The last one failed: type and id of the row, and the error, as a JSON array.
    Failed(String),
}

impl FailedRow {
    /// Takes note of the row if `error`, which is given back, is about it: others than those would fail too, or it would
    /// succeed another time.
    #[cold]
    pub(super) fn note(&self, row_type: &str, row_id: &str, error: Error) -> Error {
        let code = match error.kind() {
            ErrorKind::Argument => ResultCode::ERROR,
            ErrorKind::Sqlite(code) => code.primary(),
            _ => return error,
        };
        let is_meant = [ResultCode::ERROR, ResultCode::CONSTRAINT, ResultCode::MISMATCH, ResultCode::TOOBIG];
        if is_meant.contains(&code)
            && let Ok(failure) = describe(row_type, row_id, &error)
        {
            cell::replace(&self.0, State::Failed(failure));
        }
        error
    }

    /// Everything was published.
    pub(super) fn published(&self) {
        cell::replace(&self.0, State::Published);
    }

    /// Stores the row, or that there is none any more, when an iteration ends.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(super) fn record(&self, database: &Database<'_>) -> Result<()> {
        const FORGET: &str = "DELETE FROM main.ps_diagnostics WHERE kind = 'operation'";
        let state = self.0.take();
        if matches!(state, State::Nothing) {
            return Ok(());
        }
        database.execute(FORGET, &[])?;
        let State::Failed(failure) = &state else { return Ok(()) };
        let sql = PackedSql::unpack()?;
        let mut record = database.prepare(sql.text(packed_sql::RECORD_FAILED_ROW))?;
        Ok(record.execute(&[failure.as_str().into(), now(database)?.into()])?)
    }
}

fn describe(row_type: &str, row_id: &str, error: &Error) -> Result<String> {
    let mut json = Json::default();
    let message = text::format(format_args!("{error}"))?;
    for (separator, part) in [("[", row_type), (",", row_id), (",", &message)] {
        json.string(separator, part);
    }
    json.raw("]");
    Ok(json.finish()?)
}
