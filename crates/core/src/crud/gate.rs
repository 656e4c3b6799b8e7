//! Closing the gate: downloads are held back until local writes are acknowledged
//! (docs/reference/sync-client.md#the-gate).

use crate::error::Result;

use crate::connection::Database;

/// Closes the gate: the target becomes the largest id, for "local writes exist, no id known yet", and ids seen before
/// this write are forgotten, because they cannot acknowledge it.
///
/// Every write looks at the database. That the transaction has closed the gate before says nothing: an SDK, the
/// application or `powersync_clear` may have opened it since.
///
/// # Errors
/// Errors of SQLite.
pub(super) fn close(database: &Database<'_>) -> Result<()> {
    const SET_TARGET: &str = "INSERT INTO main.ps_kv(key, value) \
        VALUES ('target_checkpoint_request_id', 9223372036854775807) \
        ON CONFLICT(key) DO UPDATE SET value = excluded.value";
    const FORGET: &str = "DELETE FROM main.ps_kv \
        WHERE key IN ('last_seen_checkpoint_request_id', 'last_applied_checkpoint_request_id')";
    if is_closed(database)? {
        return Ok(());
    }
    database.execute(SET_TARGET, &[])?;
    database.execute(FORGET, &[])
}

/// Whether an earlier write has closed the gate so: then nothing has to be written.
fn is_closed(database: &Database<'_>) -> Result<bool> {
    // With one subquery for both keys, SQLite would put them into a temporary table for each write.
    const SQL: &str = "SELECT 1 FROM main.ps_kv \
        WHERE key = 'target_checkpoint_request_id' AND value IS 9223372036854775807 \
        AND NOT EXISTS (SELECT 1 FROM main.ps_kv WHERE key = 'last_seen_checkpoint_request_id') \
        AND NOT EXISTS (SELECT 1 FROM main.ps_kv WHERE key = 'last_applied_checkpoint_request_id')";
    Ok(database.integer(SQL, &[])?.is_some())
}
