//! Warnings for an iteration to report: what a migration has found (`migrations::readable_rows`), and types without a
//! table of which rows were downloaded.

use alloc::string::String;
use alloc::vec::Vec;

use sqlite_nostd::Parameter;

use crate::bucket_storage::now;
use crate::connection::Database;
use crate::error::Result;
use crate::text::copy;

/// See [`crate::sync_client::storage::Storage::take_warnings`].
pub(super) fn take(database: &Database<'_>) -> Result<Vec<String>> {
    const SELECT: &str = "SELECT warning.value \
        FROM main.ps_kv AS stored, json_each(iif(json_valid(stored.value), stored.value, '[]')) AS warning \
        WHERE stored.key = 'powersync_unreadable_rows'";
    const DELETE: &str = "DELETE FROM main.ps_kv WHERE key = 'powersync_unreadable_rows'";
    let warnings = lines(database, SELECT, &[])?;
    if !warnings.is_empty() {
        database.execute(DELETE, &[])?;
    }
    Ok(warnings)
}

/// Types without a table are to be reported again.
pub(super) fn begin_iteration(database: &Database<'_>) -> Result<()> {
    database.execute("DELETE FROM main.ps_diagnostics WHERE kind = 'untyped'", &[])
}

/// Notes that rows are published of a type without a table.
pub(super) fn note_untyped(database: &Database<'_>, row_type: &str) -> Result<()> {
    // There are not that many unless the schema is missing altogether.
    const NOTE: &str = "INSERT OR IGNORE INTO main.ps_diagnostics(kind, subject, at) SELECT 'untyped', ?1, ?2 \
        WHERE (SELECT count(*) FROM main.ps_diagnostics WHERE kind = 'untyped') < 100";
    database.execute(NOTE, &[row_type.into(), now(database)?.into()])
}

/// See [`crate::sync_client::storage::Storage::take_untyped`].
pub(super) fn take_untyped(database: &Database<'_>) -> Result<Vec<String>> {
    const COUNT: &str = "UPDATE main.ps_diagnostics SET detail = \
            (SELECT json_object('rows', count(*)) FROM main.ps_untyped WHERE type = subject) \
        WHERE kind = 'untyped' AND detail IS NULL \
        RETURNING 'The schema has no table for downloaded rows of type ' || subject || ': ' || (detail ->> '$.rows') || \
            '. Add the table, or stop syncing the type.'";
    lines(database, COUNT, &[])
}

/// The texts that a statement gives.
pub(super) fn lines(database: &Database<'_>, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Vec<String>> {
    let mut rows = database.query(sql, parameters)?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.try_reserve(1)?;
        lines.push(copy(row.text(0)?)?);
    }
    Ok(lines)
}
