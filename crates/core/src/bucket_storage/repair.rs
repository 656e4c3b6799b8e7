//! What `powersync_repair` does to downloaded data (docs/reference/functions.md#powersync_repair).

use alloc::format;

use sqlite_nostd::Parameter;

use crate::bucket_storage::iteration::{Ended, end_iterations};
use crate::bucket_storage::publish::RowSinks;
use crate::bucket_storage::{StoreMemory, buckets};
use crate::connection::Database;
use crate::error::Result;
use crate::schema::KnownSchemas;
use crate::updated_rows;

/// Deletes the bucket called `name`, so that it is downloaded again. Its rows are checked by the next full publish, and
/// stay until then.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn drop_bucket(database: &Database<'_>, name: &str) -> Result<()> {
    buckets::delete(database, name)
}

/// Writes the newest settled operation of a row to its table, or removes the row if there is none.
///
/// # Errors
/// What publishing the row reports.
pub(crate) fn republish(
    database: &Database<'_>,
    memory: &StoreMemory,
    schemas: &KnownSchemas,
    row_type: &str,
    row_id: &str,
) -> Result<()> {
    const NEWEST: &str = "SELECT data FROM main.ps_row_operations AS entry \
        CROSS JOIN main.ps_operations AS operation ON operation.id = entry.operation \
        WHERE entry.row_type = ?1 AND entry.row_id = ?2 AND removed <> 1 ORDER BY op_id DESC LIMIT 1";
    let _publishing = database.state().enter_sync_operation();
    let mut sinks = RowSinks::new(database, memory, schemas)?;
    let mut statement = database.cached(NEWEST)?;
    let mut rows = statement.query(&[row_type.into(), row_id.into()])?;
    match rows.next()? {
        Some(row) => sinks.put(row_type, row_id, row.text(0)?),
        None => sinks.delete(row_type, row_id),
    }
}

/// Deletes the rows of an internal table that meet a condition, which may have a parameter. The rows of operations are
/// checked by the next full publish.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn delete_orphans(
    database: &Database<'_>,
    table: &str,
    condition: &str,
    parameter: Parameter<'_>,
) -> Result<()> {
    let run = |sql: &str| -> Result<()> {
        let mut statement = database.prepare(sql)?;
        let parameters = [parameter];
        let parameters = parameters.get(..statement.parameter_count()).unwrap_or_default();
        Ok(statement.execute(parameters)?)
    };
    let source = format!("FROM main.{table} WHERE {condition}");
    if table.ends_with("_operations") {
        run(&format!("INSERT INTO main.ps_updated_rows(row_type, row_id) SELECT row_type, row_id {source}"))?;
        updated_rows::limit(database)?;
    }
    run(&format!("DELETE {source}"))
}

/// Makes every running iteration load what was repaired: it ends at its next event.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn end_for_repair(database: &Database<'_>) -> Result<()> {
    end_iterations(database, Ended::ForOthers)
}
