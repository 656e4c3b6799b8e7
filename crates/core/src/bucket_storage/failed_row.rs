//! The row on which publishing failed, for `powersync_diagnose`.
//!
//! The transaction of a failed publish is rolled back. So the row is kept in memory, and stored in `ps_diagnostics` when
//! the iteration ends.

use alloc::string::String;
use core::cell::RefCell;

use const_format::formatcp;
use rowtide_json::writer::Json;
use sqlite_nostd::ResultCode;

use crate::bucket_storage::now;
use crate::cell;
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
    /// The last one failed: type and id of the row, and the error, as a JSON array.
    Failed(String),
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
        // What follows the cause in the message may hold the row.
        const RECORD: &str = formatcp!(
            "WITH failed AS (SELECT ?1 ->> '$[0]' AS type, ?1 ->> '$[1]' AS id, \
                substr(?1 ->> '$[2]', 1, instr((?1 ->> '$[2]') || ' (context:', ' (context:') - 1) AS message) \
            INSERT INTO main.ps_diagnostics(kind, subject, at, detail) \
            SELECT 'operation', type || '/' || failed.id, ?2, json_object('bucket', name, 'type', type, 'id', failed.id, \
                'op_id', CAST(op_id AS TEXT), 'message', message, 'times', 1) \
            FROM failed JOIN (SELECT operation.id AS operation, row_type, row_id FROM {PENDING} \
                UNION ALL SELECT operation, row_type, row_id FROM main.ps_row_operations) AS version \
                ON version.row_type = type AND version.row_id = failed.id \
              JOIN main.ps_operations AS held ON held.id = version.operation \
              JOIN main.ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303 ORDER BY op_id DESC LIMIT 1"
        );
        let state = self.0.take();
        if matches!(state, State::Nothing) {
            return Ok(());
        }
        database.execute(FORGET, &[])?;
        let State::Failed(failure) = &state else { return Ok(()) };
        database.execute(RECORD, &[failure.as_str().into(), now(database)?.into()])
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
