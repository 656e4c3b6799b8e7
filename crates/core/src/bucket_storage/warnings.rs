//! Warnings for the next iteration to report: what a migration has found (`migrations::readable_rows`).

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Result;

use crate::connection::Database;

/// See [`crate::sync_client::storage::Storage::take_warnings`].
pub(super) fn take(database: &Database<'_>) -> Result<Vec<String>> {
    const SELECT: &str = "SELECT warning.value \
        FROM main.ps_kv AS stored, json_each(iif(json_valid(stored.value), stored.value, '[]')) AS warning \
        WHERE stored.key = 'powersync_unreadable_rows'";
    const DELETE: &str = "DELETE FROM main.ps_kv WHERE key = 'powersync_unreadable_rows'";
    let mut statement = database.cached(SELECT)?;
    let mut rows = statement.query(&[])?;
    let mut warnings = Vec::new();
    while let Some(row) = rows.next()? {
        warnings.try_reserve(1)?;
        warnings.push(row.text(0)?.into());
    }
    drop(rows);
    if !warnings.is_empty() {
        database.execute(DELETE, &[])?;
    }
    Ok(warnings)
}
