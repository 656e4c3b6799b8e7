//! Closing the gate: downloads are held back until local writes are acknowledged (sync client, The gate).

use crate::connection::Database;
use crate::connection::transaction::Remembered;
use crate::error::Result;

/// Closes the gate, once per transaction: the target becomes the largest id, for "local writes exist, no id known yet",
/// and ids seen before this write are forgotten, for they cannot acknowledge it.
///
/// # Errors
/// Errors of SQLite.
pub(super) fn close(database: &Database<'_>) -> Result<()> {
    let transaction = database.state().transaction();
    if transaction.has_changed(Remembered::ClosedGate) {
        return Ok(());
    }
    if !is_closed(database)? {
        const SET_TARGET: &str = "INSERT INTO main.ps_kv(key, value) \
            VALUES ('target_checkpoint_request_id', 9223372036854775807) \
            ON CONFLICT(key) DO UPDATE SET value = excluded.value";
        const FORGET: &str = "DELETE FROM main.ps_kv \
            WHERE key IN ('last_seen_checkpoint_request_id', 'last_applied_checkpoint_request_id')";
        database.execute(SET_TARGET, &[])?;
        database.execute(FORGET, &[])?;
    }
    transaction.note_change(Remembered::ClosedGate);
    Ok(())
}

/// Whether an earlier write has closed the gate so: then nothing has to be written.
fn is_closed(database: &Database<'_>) -> Result<bool> {
    const SQL: &str = "SELECT \
        (SELECT value FROM main.ps_kv WHERE key = 'target_checkpoint_request_id') IS 9223372036854775807 \
        AND NOT EXISTS (SELECT 1 FROM main.ps_kv \
            WHERE key IN ('last_seen_checkpoint_request_id', 'last_applied_checkpoint_request_id'))";
    Ok(database.integer(SQL, &[])? == Some(1))
}
