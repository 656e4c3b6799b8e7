//! Forgetting data: `powersync_clear` and `powersync_trigger_resync` (docs/reference/functions.md#powersync_clear).

use alloc::format;

use sqlite_nostd::ResultCode;

use crate::bucket_storage::adopt::make_client_id;
use crate::bucket_storage::buckets;
use crate::bucket_storage::client_id;
use crate::bucket_storage::iteration::{Ended, end_iterations};
use crate::bucket_storage::pending_tables;
use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::in_place::set_table_aside;
use crate::migrations::note_way_down;
use crate::schema::{RawTable, Schema, TableChange, data_tables, empty_table, renew, require_transaction};
use crate::text;
use crate::updated_rows;

/// What `powersync_clear` is asked to forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clear {
    /// Local-only tables too.
    pub includes_local: bool,
    /// Keep what was downloaded, so that a later sign-in downloads only the difference.
    pub is_soft: bool,
    /// Keep the transactions that the backend refused.
    pub keeps_rejected: bool,
}

/// Clears data as `clear` says, raw tables being those of `schema`. The caller has checked that a soft clear may
/// happen.
pub(crate) fn clear(database: &Database<'_>, schema: Option<&Schema>, clear: Clear) -> Result<()> {
    let _clearing = database.state().enter_sync_operation();
    if clear.is_soft {
        resync(database, Ended::ForOthers)?;
    } else {
        forget_downloads(database)?;
    }
    forget_local_state(database)?;
    if !clear.keeps_rejected {
        database.execute("DELETE FROM main.ps_rejected", &[])?;
    }
    database.execute("DELETE FROM main.ps_diagnostics", &[])?;
    forget_keys(database, clear.is_soft)?;
    let (change, mut is_renewed) = (TableChange::begin(database)?, false);
    for table in data_tables(database)?.iter().filter(|table| clear.includes_local || !table.local_only) {
        if clear.is_soft && table.holds_operations {
            set_table_aside(database, &table.name, &table.row_type)?;
        }
        let name = format!("main.{}", text::identifier(&table.name));
        delete_first_row(database, &name, "id")?;
        if table.holds_operations {
            empty_table(database, &table.name, &table.row_type)?;
        } else {
            database.execute_batch(&format!("DELETE FROM {name}"))?;
            is_renewed |= database.in_savepoint(|| renew(database, table))?;
        }
    }
    if is_renewed {
        note_way_down(database)?;
    }
    change.finish(database)?;
    for table in schema.map_or(&[][..], |schema| &schema.raw_tables) {
        clear_raw_table(database, table)
            .map_err(|error| error.with_context(format_args!("Clearing raw table {}", table.name)))?;
    }
    Ok(())
}

/// Marks all downloaded data as not yet published, and forgets when it was synced if `forget_times` is set.
/// Buckets with lost data are downloaded again.
pub(crate) fn trigger_resync(database: &Database<'_>, forget_times: bool) -> Result<()> {
    buckets::download_again(database, &buckets::with_lost_data(database)?)?;
    resync(database, Ended::ForOthers)?;
    if forget_times {
        database.execute("DELETE FROM main.ps_sync_state", &[])?;
        database.execute("UPDATE main.ps_stream_subscriptions SET last_synced_at = NULL", &[])?;
    }
    Ok(())
}

/// Marks all downloaded data as not yet published, because tables lack something of them. Iterations reconnect at once,
/// for a checkpoint that publishes it.
pub(crate) fn resync_for_schema(database: &Database<'_>) -> Result<()> {
    resync(database, Ended::ForSchema)
}

fn resync(database: &Database<'_>, iterations: Ended) -> Result<()> {
    database.execute("UPDATE main.ps_buckets SET last_applied_op = 0, in_checkpoint = in_checkpoint > 0", &[])?;
    end_iterations(database, iterations)
}

fn forget_downloads(database: &Database<'_>) -> Result<()> {
    pending_tables::delete_all(database)?;
    database.execute("DELETE FROM main.ps_operations", &[])?;
    database.execute("DELETE FROM main.ps_row_operations", &[])?;
    database.execute("DELETE FROM main.ps_buckets", &[])?;
    const FORGET_CHECKPOINT: &str = "UPDATE main.ps_checkpoint \
        SET last_op = 0, removed_op = 0, region = 0, region_size = 0 WHERE id = 1";
    database.execute(FORGET_CHECKPOINT, &[])?;
    end_iterations(database, Ended::ForOthers)
}

fn forget_local_state(database: &Database<'_>) -> Result<()> {
    database.execute("DELETE FROM main.ps_crud", &[])?;
    database.execute("DELETE FROM main.ps_untyped", &[])?;
    updated_rows::forget_all(database)?;
    database.execute("DELETE FROM main.ps_stream_subscriptions", &[])?;
    database.execute("DELETE FROM main.ps_sync_state", &[])
}

fn forget_keys(database: &Database<'_>, is_soft: bool) -> Result<()> {
    const HARD: &str = "DELETE FROM main.ps_kv WHERE key != 'client_id'";
    // The JavaScript SDK notes there that it repaired the keys of downloaded operations, which a soft clear keeps.
    const SOFT: &str = "DELETE FROM main.ps_kv WHERE key NOT IN ('client_id', 'powersync_js_migrated_subkeys')";
    database.execute(if is_soft { SOFT } else { HARD }, &[])?;
    match client_id(database) {
        // Without it no iteration starts, and nothing else makes a new one.
        Err(error) if matches!(error.kind(), ErrorKind::Abort | ErrorKind::LocalData) => make_client_id(database),
        client_id => client_id.map(drop),
    }
}

/// Makes sure that watchers notice when a table is emptied: deleting all rows at once calls no update hook. `key` is a
/// column that identifies rows.
fn delete_first_row(database: &Database<'_>, table: &str, key: &str) -> Result<()> {
    database.execute_batch(&format!("DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} LIMIT 1)"))
}

fn clear_raw_table(database: &Database<'_>, table: &RawTable) -> Result<()> {
    let Some(sql) = &table.clear else { return Ok(()) };
    if let Some(emptied) = emptied_table(sql) {
        // A table without rowids has no update hooks anyway.
        match delete_first_row(database, emptied, "rowid") {
            Err(error) if error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => {}
            result => result?,
        }
    }
    let mut rest = sql.as_str();
    while !rest.is_empty() {
        let (statement, tail) = database.connection().prepare_first(rest)?;
        if let Some(mut statement) = statement {
            if text::is_transaction_control(statement.sql()) {
                return Err(Error::argument(format!(
                    "the clear statement must not begin, end or undo a transaction: {}",
                    statement.sql().trim()
                )));
            }
            statement.execute(&[])?;
            require_transaction(database, "clear", &table.name, statement.sql())?;
        }
        rest = tail;
    }
    Ok(())
}

/// The table, as written, that `sql` empties, if it does nothing else.
fn emptied_table(sql: &str) -> Option<&str> {
    let (delete, table) = sql.trim().trim_end_matches([';', ' ']).split_at_checked("DELETE FROM ".len())?;
    let is_one_name = !table.contains(|character: char| character.is_whitespace() || character == ';');
    (delete.eq_ignore_ascii_case("DELETE FROM ") && is_one_name).then_some(table)
}
