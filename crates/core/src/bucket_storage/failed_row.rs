//! The row on which publishing failed, for `powersync_diagnose`.
//!
//! The transaction of a failed publish is rolled back. So the row is kept in memory, and stored in `ps_diagnostics` when
//! the iteration ends.

use alloc::string::String;
use core::cell::RefCell;

use const_format::formatcp;
use sqlite_nostd::ResultCode;

use crate::bucket_storage::now;
use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
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
    /// The last one failed at a row.
    Failed { row_type: String, row_id: String, cause: String },
}

/// The pending operations (docs/reference/tables.md#ps_operations).
pub(crate) const PENDING: &str = "main.ps_operations AS operation JOIN (SELECT id AS bucket, \
    (coalesce((SELECT region FROM main.ps_checkpoint), 0) << 56) | (id << 34) AS start, settled FROM main.ps_buckets) \
  ON operation.id BETWEEN start + settled + 1 AND start + 17179869183";

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
        let message = text::format(format_args!("{error}"));
        // What follows may hold the row.
        let cause = message.as_deref().map_or("", |message| message.split(" (context:").next().unwrap_or_default());
        if is_meant.contains(&code)
            && let (Ok(row_type), Ok(row_id), Ok(cause)) = (text::copy(row_type), text::copy(row_id), text::copy(cause))
        {
            self.0.replace(State::Failed { row_type, row_id, cause });
        }
        error
    }

    /// Everything was published.
    pub(super) fn published(&self) {
        self.0.replace(State::Published);
    }

    /// Stores the row, or that there is none any more, when an iteration ends.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(super) fn record(&self, database: &Database<'_>) -> Result<()> {
        const FORGET: &str = "DELETE FROM main.ps_diagnostics WHERE kind = 'operation'";
        const RECORD: &str = formatcp!(
            "INSERT INTO main.ps_diagnostics(kind, subject, at, detail) \
            SELECT 'operation', ?1 || '/' || ?2, ?4, json_object('bucket', name, 'type', ?1, 'id', ?2, \
                'op_id', CAST(op_id AS TEXT), 'message', ?3, 'times', 1) \
            FROM (SELECT operation.id, op_id FROM {PENDING} WHERE row_type = ?1 AND row_id = ?2 \
                UNION ALL SELECT operation, op_id FROM main.ps_row_operations AS entry \
                  JOIN main.ps_operations AS settled ON settled.id = operation \
                WHERE entry.row_type = ?1 AND entry.row_id = ?2) AS version \
              JOIN main.ps_buckets AS bucket ON bucket.id = (version.id >> 34) & 4194303 ORDER BY op_id DESC LIMIT 1"
        );
        let state = self.0.take();
        if matches!(state, State::Nothing) {
            return Ok(());
        }
        database.execute(FORGET, &[])?;
        let State::Failed { row_type, row_id, cause } = &state else { return Ok(()) };
        let now = now(database)?;
        let parameters = [row_type.as_str().into(), row_id.as_str().into(), cause.as_str().into(), now.into()];
        database.prepare(RECORD)?.execute(&parameters).map_err(Error::from)
    }
}
