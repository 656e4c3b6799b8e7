//! What `powersync_repair` does to downloaded data (docs/reference/functions.md#powersync_repair).

use alloc::format;

use sqlite_nostd::Parameter;

use crate::bucket_storage::gate::{key, request_id, set_request_id};
use crate::bucket_storage::iteration::{Ended, end_iterations};
use crate::bucket_storage::publish::RowSinks;
use crate::bucket_storage::regions::{Newest, all_of};
use crate::bucket_storage::{StoreMemory, buckets};
use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{KnownSchemas, data_tables};
use crate::sync_client::storage::{BucketId, RequestId, UNKNOWN_REQUEST_ID};
use crate::text::{identifier, literal};
use crate::updated_rows;

/// Deletes the bucket called `name`, so that it is downloaded again. Its rows are checked by the next full publish, and
/// stay until then.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn drop_bucket(database: &Database<'_>, name: &str) -> Result<()> {
    let Some(bucket) = buckets::id_of(database, name)? else { return Ok(()) };
    mark_rows(database, bucket)?;
    buckets::delete_found(database, bucket)
}

/// Has the rows checked again that were inserted for operations of a bucket, also if these are lost.
fn mark_rows(database: &Database<'_>, bucket: BucketId) -> Result<()> {
    let newest = Newest::load(database)?.region;
    for table in data_tables(database)?.iter().filter(|table| table.holds_operations) {
        let sql = format!(
            "INSERT INTO main.ps_updated_rows(row_type, row_id, downloaded) SELECT {}, id, 1 FROM main.{} \
            WHERE rowid BETWEEN ?1 AND ?2",
            literal(&table.row_type),
            identifier(&table.name)
        );
        let mut mark = database.prepare(&sql)?;
        for (first, last) in all_of(bucket, newest) {
            mark.execute(&[first.into(), last.into()])?;
        }
    }
    Ok(())
}

/// Writes the newest settled operation of a row to its table, or removes the row if there is none. A row with
/// the data of an operation in place is as it was downloaded, and one that the next full publish checks is left to that.
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
    const IS_MARKED: &str = "SELECT 1 FROM main.ps_updated_rows WHERE row_type = ?1 AND row_id = ?2 LIMIT 1";
    let _publishing = database.state().enter_sync_operation();
    let mut sinks = RowSinks::new(database, memory, schemas)?;
    let is_marked = database.integer(IS_MARKED, &[row_type.into(), row_id.into()])?.is_some();
    if is_marked || sinks.operation_in_place(row_type, row_id)?.is_some() {
        return Ok(());
    }
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
        run(&format!(
            "INSERT INTO main.ps_updated_rows(row_type, row_id, downloaded) SELECT row_type, row_id, 1 {source}"
        ))?;
        updated_rows::limit(database)?;
    }
    run(&format!("DELETE {source}"))
}

/// Keys of `ps_kv` that must hold request ids.
const REQUEST_IDS: [RequestId; 4] =
    [RequestId::Target, RequestId::LastSeen, RequestId::LastApplied, RequestId::LastRequested];

/// Calls `visit` with the keys of request ids that cannot be read, and why.
///
/// # Errors
/// Errors of SQLite; those of `visit`.
pub(crate) fn visit_damaged_request_ids(
    database: &Database<'_>,
    visit: &mut dyn FnMut(&str, &Error) -> Result<()>,
) -> Result<()> {
    for id in REQUEST_IDS {
        match request_id(database, id) {
            Err(error) if error.kind() == ErrorKind::LocalData => visit(key(id), &error)?,
            result => drop(result?),
        }
    }
    Ok(())
}

/// Forgets the request id with that key. Without a target the gate would open, although a local write may wait for it.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn forget_request_id(database: &Database<'_>, wanted: &str) -> Result<()> {
    for id in REQUEST_IDS.into_iter().filter(|id| key(*id) == wanted) {
        set_request_id(database, id, (id == RequestId::Target).then_some(UNKNOWN_REQUEST_ID))?;
    }
    Ok(())
}

/// Makes every running iteration load what was repaired: it ends at its next event.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn end_for_repair(database: &Database<'_>) -> Result<()> {
    end_iterations(database, Ended::ForOthers)
}
