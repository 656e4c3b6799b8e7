//! `ps_sync_state`: when which priority was last published, and the clock.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Result;

use crate::connection::Database;
use crate::sync_client::storage::{FULL_CHECKPOINT_PRIORITY, Timestamp};

/// The current time of SQLite, in whole milliseconds (`unixepoch('subsec')` would need a newer SQLite than our floor).
pub(crate) fn now(database: &Database<'_>) -> Result<Timestamp> {
    // A real holds a Julian day to 20 microseconds.
    const SQL: &str = "SELECT CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER) * 1000";
    Ok(database.integer(SQL, &[])?.unwrap_or(0))
}

/// All rows as (priority, last_synced_at) in ascending order of the priority number.
pub(super) fn all(database: &Database<'_>) -> Result<Vec<(i64, Timestamp)>> {
    // SDKs need not know what other numbers mean.
    const SQL: &str = "SELECT priority, last_synced_at FROM main.ps_sync_state \
        WHERE priority BETWEEN 0 AND 3 OR priority = 2147483647 ORDER BY priority";
    let mut rows = database.query(SQL, &[])?;
    let mut times = Vec::new();
    while let Some(row) = rows.next()? {
        times.push((row.integer(0), row.integer(1)));
    }
    Ok(times)
}

/// Records a publish and forgets those of smaller priority numbers, which it includes.
pub(super) fn record(database: &Database<'_>, priority: i64, time: Timestamp) -> Result<()> {
    const FORGET: &str = "DELETE FROM main.ps_sync_state WHERE priority < ?1";
    const RECORD: &str = "INSERT INTO main.ps_sync_state(priority, last_synced_at) VALUES (?1, ?2) \
        ON CONFLICT(priority) DO UPDATE SET last_synced_at = excluded.last_synced_at";
    database.execute(FORGET, &[priority.into()])?;
    database.execute(RECORD, &[priority.into(), time.into()])
}

/// The time of the last full checkpoint as `YYYY-MM-DD HH:MM:SS` UTC, None before the first.
pub(crate) fn last_synced_at(database: &Database<'_>) -> Result<Option<String>> {
    const SQL: &str =
        "SELECT datetime(last_synced_at / 1000000, 'unixepoch') FROM main.ps_sync_state WHERE priority = ?1";
    let mut rows = database.query(SQL, &[FULL_CHECKPOINT_PRIORITY.into()])?;
    match rows.next()? {
        Some(row) => Ok(row.optional_text(0)?.map(String::from)),
        None => Ok(None),
    }
}
