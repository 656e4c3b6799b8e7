//! `ps_updated_rows`: the rows that the next full publish checks again, because they were written to locally or lost
//! an operation.
//!
//! The column `downloaded` distinguishes the two: rows that were written to locally are held back while the gate is
//! closed.
//!
//! Rows are appended to it, which touches one page however many are marked; a unique key would touch a page for nearly
//! each of them. A row that is written to again is in the list again. So when the list has grown to four times what it
//! held without duplicates, these are dropped.

use sqlite_nostd::ResultCode;

use crate::connection::Database;
use crate::error::{ErrorKind, Result};

/// So many marks of single rows may be made until it is worth to look at the length of the list.
const UNLOOKED_AT: i64 = 500;

/// Has a row checked again. True if [`limit`] is to be called at the end of the transaction.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn mark(database: &Database<'_>, row_type: &str, row_id: &str) -> Result<bool> {
    // Format 14 has a unique key here.
    const SQL: &str = "INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) VALUES (?1, ?2)";
    database.execute(SQL, &[row_type.into(), row_id.into()])?;
    Ok(database.connection().last_insert_rowid().checked_rem(UNLOOKED_AT) == Some(0))
}

/// Has a row checked again of which something was downloaded. Unlike a local write, that does not hold it back
/// (docs/reference/sync-client.md#the-row-wise-gate).
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn mark_downloaded(database: &Database<'_>, row_type: &str, row_id: &str) -> Result<()> {
    const SQL: &str = "INSERT INTO main.ps_updated_rows(row_type, row_id, downloaded) VALUES (?1, ?2, 1)";
    database.execute(SQL, &[row_type.into(), row_id.into()])
}

/// Has the rows of the operations checked again whose ids are from `first` to `last`, as [`mark_downloaded`] does.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn mark_operations(database: &Database<'_>, first: i64, last: i64) -> Result<()> {
    const SQL: &str = "INSERT INTO main.ps_updated_rows(row_type, row_id, downloaded) \
        SELECT row_type, row_id, 1 FROM main.ps_operations WHERE id BETWEEN ?1 AND ?2";
    database.execute(SQL, &[first.into(), last.into()])
}

/// Whether the list has rows of which something was downloaded.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn has_downloaded(database: &Database<'_>) -> Result<bool> {
    const SQL: &str = "SELECT 1 FROM main.ps_updated_rows WHERE downloaded LIMIT 1";
    Ok(database.integer(SQL, &[])?.is_some())
}

/// Empties the list.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn forget_all(database: &Database<'_>) -> Result<()> {
    database.execute("DELETE FROM main.ps_updated_rows", &[])?;
    database.execute("DELETE FROM main.ps_updated_rows_limit", &[])
}

/// Drops duplicates if the list has grown to its limit: to be called where rows were marked, and outside of an
/// application's statement, which would have to keep a copy of each page.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn limit(database: &Database<'_>) -> Result<()> {
    const IS_DUE: &str = "SELECT coalesce((SELECT max(rowid) FROM main.ps_updated_rows), 0) \
        >= coalesce((SELECT next_check FROM main.ps_updated_rows_limit), 1000)";
    // Ids differ earlier than types. Mostly there are no duplicates, and then nothing more has to be looked at.
    const HAS_DUPLICATES: &str =
        "SELECT 1 FROM main.ps_updated_rows GROUP BY row_id, row_type, downloaded HAVING count(*) > 1 LIMIT 1";
    const DROP_DUPLICATES: &str = "DELETE FROM main.ps_updated_rows WHERE rowid NOT IN \
        (SELECT min(rowid) FROM main.ps_updated_rows GROUP BY row_id, row_type, downloaded)";
    const SET_LIMIT: &str = "INSERT INTO main.ps_updated_rows_limit(id, next_check) \
        SELECT 1, max(rowid) + max(1000, 3 * count(*)) FROM main.ps_updated_rows WHERE true \
        ON CONFLICT(id) DO UPDATE SET next_check = excluded.next_check";
    let is_due = match database.integer(IS_DUE, &[]) {
        // In other formats the tables are different.
        Err(error) if error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => false,
        result => result? == Some(1),
    };
    if !is_due {
        return Ok(());
    }
    if database.integer(HAS_DUPLICATES, &[])?.is_some() {
        database.execute(DROP_DUPLICATES, &[])?;
    }
    database.execute(SET_LIMIT, &[])
}
