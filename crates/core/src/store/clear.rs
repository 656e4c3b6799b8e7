//! Forgetting data: `powersync_clear` and `powersync_trigger_resync` (SQL interface).

use alloc::string::String;
use alloc::vec::Vec;

use crate::connection::Database;
use crate::error::Result;
use crate::store::iteration::advance_generation;
use crate::text;

/// What `powersync_clear` is asked to forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clear {
    /// Local-only tables too.
    pub includes_local: bool,
    /// Keep what was downloaded, so that a later sign-in downloads only the difference.
    pub is_soft: bool,
}

/// Clears data as `clear` says. The caller has checked that a soft clear may happen.
pub fn clear(database: &Database<'_>, clear: Clear) -> Result<()> {
    let _clearing = database.state().enter_sync_operation();
    if clear.is_soft {
        resync(database)?;
    } else {
        forget_downloads(database)?;
    }
    forget_local_state(database)?;
    forget_keys(database, clear.is_soft)?;
    delete_rows_of(database, "ps_data__*")?;
    if clear.includes_local {
        delete_rows_of(database, "ps_data_local__*")?;
    }
    Ok(())
}

/// Marks all downloaded data as not yet published, and forgets when it was synced if `forget_times` is set.
pub fn trigger_resync(database: &Database<'_>, forget_times: bool) -> Result<()> {
    resync(database)?;
    if forget_times {
        database.execute("DELETE FROM main.ps_sync_state", &[])?;
        database.execute("UPDATE main.ps_stream_subscriptions SET last_synced_at = NULL", &[])?;
    }
    Ok(())
}

fn resync(database: &Database<'_>) -> Result<()> {
    database.execute("UPDATE main.ps_buckets SET last_applied_op = 0", &[])?;
    advance_generation(database)
}

fn forget_downloads(database: &Database<'_>) -> Result<()> {
    database.execute("DELETE FROM main.ps_operations", &[])?;
    database.execute("DELETE FROM main.ps_row_operations", &[])?;
    database.execute("DELETE FROM main.ps_buckets", &[])?;
    database.execute("UPDATE main.ps_checkpoint SET last_op = 0", &[])?;
    advance_generation(database)
}

fn forget_local_state(database: &Database<'_>) -> Result<()> {
    database.execute("DELETE FROM main.ps_crud", &[])?;
    database.execute("DELETE FROM main.ps_untyped", &[])?;
    database.execute("DELETE FROM main.ps_updated_rows", &[])?;
    database.execute("DELETE FROM main.ps_stream_subscriptions", &[])?;
    database.execute("DELETE FROM main.ps_sync_state", &[])
}

fn forget_keys(database: &Database<'_>, is_soft: bool) -> Result<()> {
    const HARD: &str = "DELETE FROM main.ps_kv WHERE key != 'client_id'";
    // The JavaScript SDK notes there that it repaired the keys of downloaded operations, which a soft clear keeps.
    const SOFT: &str = "DELETE FROM main.ps_kv WHERE key NOT IN ('client_id', 'powersync_js_migrated_subkeys')";
    database.execute(if is_soft { SOFT } else { HARD }, &[])
}

/// Deletes all rows of the tables whose name matches `pattern`.
fn delete_rows_of(database: &Database<'_>, pattern: &'static str) -> Result<()> {
    for table in tables(database, pattern)? {
        let table = text::identifier(&table);
        // Deleting all rows at once calls no update hook: the first row makes sure that watchers hear of it.
        database.execute_batch(&alloc::format!(
            "DELETE FROM main.{table} WHERE rowid IN (SELECT rowid FROM main.{table} LIMIT 1); DELETE FROM main.{table}"
        ))?;
    }
    Ok(())
}

fn tables(database: &Database<'_>, pattern: &'static str) -> Result<Vec<String>> {
    const SQL: &str = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name GLOB ?1";
    let mut statement = database.cached(SQL)?;
    let mut rows = statement.query(&[pattern.into()])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.push(String::from(row.text(0)?));
    }
    Ok(names)
}
