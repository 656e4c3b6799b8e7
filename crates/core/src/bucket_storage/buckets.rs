//! Rows of `ps_buckets`: finding, making, completing and deleting buckets (docs/reference/tables.md#ps_buckets).

use alloc::vec::Vec;

use rowtide_protocol::Checksum;
use sqlite_nostd::Parameter;

use crate::bucket_storage::by_row::visit_by_row;
use crate::bucket_storage::iteration::{Ended, end_iterations};
use crate::bucket_storage::operation_id::{LAST_BUCKET_ID, Region, check_bucket, operations_after};
use crate::bucket_storage::pending_tables;
use crate::bucket_storage::regions::{Newest, all_of};
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::sync_client::storage::{BucketId, ChangedBucket, RequestFingerprint, Scope, StoredBucket};
use crate::updated_rows;

/// What storing operations needs to know of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BucketRow {
    /// Its id.
    pub id: BucketId,
    /// Newest operation held.
    pub last_op: i64,
    /// The published `last_op`; 0 when everything is to be published again.
    pub last_applied_op: i64,
    /// Sum over operations not in `op_checksum`.
    pub add_checksum: Checksum,
    /// Sum over settled operations held.
    pub op_checksum: Checksum,
    /// Sequence up to which operations are settled.
    pub settled: i64,
    /// The newest region, where its next operation goes.
    pub region: Region,
    /// Operations in it at the last full checkpoint.
    pub count_at_last: i64,
    /// Operations received since.
    pub count_since_last: i64,
}

/// A 32-bit sum as the integer column that holds it.
pub(super) fn checksum_column(checksum: Checksum) -> Parameter<'static> {
    Parameter::Integer(i64::from(checksum.get()))
}

/// A 32-bit sum from its column; older versions stored sums signed or unreduced.
pub(super) fn checksum_from_column(value: i64) -> Checksum {
    Checksum::from_stored(value)
}

/// Visits all buckets in id order, for an iteration with this request.
pub(super) fn visit(
    database: &Database<'_>,
    request: Option<RequestFingerprint>,
    visit: &mut dyn FnMut(StoredBucket<'_>) -> Result<()>,
) -> Result<()> {
    const SQL: &str = "SELECT bucket.id, bucket.name, \
        iif(bucket.in_checkpoint, max(bucket.last_op, (SELECT last_op FROM main.ps_checkpoint)), bucket.last_op), \
        bucket.add_checksum + bucket.op_checksum, bucket.count_at_last, bucket.count_since_last, \
        bucket.in_checkpoint AND bucket.last_applied_op >= bucket.last_op, settled, bucket.in_checkpoint, \
        bucket.requested_by \
        FROM main.ps_buckets AS bucket WHERE bucket.pending_delete = 0 ORDER BY bucket.id";
    let mut rows = database.query(SQL, &[])?;
    while let Some(row) = rows.next()? {
        let (id, name) = (BucketId(row.integer(0)), row.text(1)?);
        check_bucket(id, row.integer(7), name)?;
        visit(StoredBucket {
            id,
            name,
            last_op: row.integer(2),
            checksum: checksum_from_column(row.integer(3)),
            count_at_last: row.integer(4),
            count_since_last: row.integer(5),
            is_settled: row.integer(6) != 0,
            is_in_checkpoint: row.integer(8) != 0,
            is_of_other_request: row.integer(9) != 0 && request != Some(RequestFingerprint(row.integer(9))),
        })?;
    }
    Ok(())
}

const SELECT_ROW: &str = "SELECT bucket.id, iif(in_checkpoint, max(bucket.last_op, checkpoint.last_op), bucket.last_op), \
    last_applied_op, add_checksum, op_checksum, settled, region, count_at_last, count_since_last \
    FROM main.ps_buckets AS bucket LEFT JOIN main.ps_checkpoint AS checkpoint WHERE bucket.name = +?1";

/// The bucket called `name`, None if there is none.
pub(super) fn find(database: &Database<'_>, name: &str) -> Result<Option<BucketRow>> {
    let mut rows = database.query(SELECT_ROW, &[name.into()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (id, settled) = (BucketId(row.integer(0)), row.integer(5));
    check_bucket(id, settled, name)?;
    Ok(Some(BucketRow {
        id,
        last_op: row.integer(1),
        last_applied_op: row.integer(2),
        add_checksum: checksum_from_column(row.integer(3)),
        op_checksum: checksum_from_column(row.integer(4)),
        settled,
        region: Region::checked(row.integer(6))?,
        count_at_last: row.integer(7),
        count_since_last: row.integer(8),
    }))
}

/// Makes a bucket called `name`, which an iteration with this request receives.
pub(super) fn insert(database: &Database<'_>, name: &str, request: Option<RequestFingerprint>) -> Result<BucketRow> {
    const INSERT: &str = "INSERT INTO main.ps_buckets(id, name, requested_by) VALUES (?1, ?2, ?3)";
    let id = unused_id(database)?;
    database.execute(INSERT, &[id.into(), name.into(), request.map_or(0, |request| request.0).into()])?;
    Ok(BucketRow {
        id: BucketId(id),
        last_op: 0,
        last_applied_op: 0,
        add_checksum: Checksum::default(),
        op_checksum: Checksum::default(),
        settled: 0,
        region: Newest::load(database)?.region,
        count_at_last: 0,
        count_since_last: 0,
    })
}

/// An id that no bucket has: the next one while ids fit an operation's id, then the lowest gap.
fn unused_id(database: &Database<'_>) -> Result<i64> {
    const NEXT: &str = "SELECT coalesce(max(id), 0) + 1 FROM main.ps_buckets";
    const GAP: &str = "SELECT min(candidate) FROM (SELECT 1 AS candidate UNION ALL SELECT id + 1 FROM main.ps_buckets) \
        WHERE candidate NOT IN (SELECT id FROM main.ps_buckets)";
    let next = database.integer(NEXT, &[])?.unwrap_or(1);
    if (1..=LAST_BUCKET_ID).contains(&next) {
        return Ok(next);
    }
    match database.integer(GAP, &[])? {
        Some(id) if (1..=LAST_BUCKET_ID).contains(&id) => Ok(id),
        _ => Err(Error::local_data("more buckets than operation ids have room for")),
    }
}

/// Writes back what a data line changed: `row`, and the growth of the two counters.
pub(super) fn update_received(database: &Database<'_>, row: &BucketRow, operations: i64, bytes: i64) -> Result<()> {
    const SQL: &str = "UPDATE main.ps_buckets SET last_op = ?2, last_applied_op = ?3, add_checksum = ?4, op_checksum = ?5, \
        count_since_last = count_since_last + ?6, downloaded_size = downloaded_size + ?7 WHERE id = ?1";
    database.execute(
        SQL,
        &[
            row.id.0.into(),
            row.last_op.into(),
            row.last_applied_op.into(),
            checksum_column(row.add_checksum),
            checksum_column(row.op_checksum),
            operations.into(),
            bytes.into(),
        ],
    )
}

/// The sum of all operations received by a bucket; 0 if it does not exist.
pub(super) fn checksum(database: &Database<'_>, bucket: BucketId) -> Result<Checksum> {
    const SQL: &str = "SELECT add_checksum + op_checksum FROM main.ps_buckets WHERE id = ?1";
    Ok(checksum_from_column(database.integer(SQL, &[bucket.0.into()])?.unwrap_or(0)))
}

/// The newest operation held by a bucket; 0 if it does not exist.
pub(super) fn last_op(database: &Database<'_>, bucket: BucketId) -> Result<i64> {
    const SQL: &str = "SELECT iif(in_checkpoint, max(bucket.last_op, checkpoint.last_op), bucket.last_op) \
        FROM main.ps_buckets AS bucket LEFT JOIN main.ps_checkpoint AS checkpoint WHERE bucket.id = ?1";
    Ok(database.integer(SQL, &[bucket.0.into()])?.unwrap_or(0))
}

/// Sets both counters to 0.
pub(super) fn reset_counts(database: &Database<'_>, bucket: BucketId) -> Result<()> {
    const SQL: &str = "UPDATE main.ps_buckets SET count_at_last = 0, count_since_last = 0 WHERE id = ?1";
    database.execute(SQL, &[bucket.0.into()])
}

/// Marks the rows of a bucket's operations to be checked by the next full publish, and deletes the operations with
/// their entries in `ps_row_operations`.
pub(super) fn delete_operations(database: &Database<'_>, bucket: BucketId, newest: Region) -> Result<()> {
    const DELETE_ENTRY: &str =
        "DELETE FROM main.ps_row_operations WHERE row_type = ?1 AND row_id = ?2 AND operation = ?3";
    const DELETE: &str = "DELETE FROM main.ps_operations WHERE id BETWEEN ?1 AND ?2";
    let mut delete_entry = database.cached(DELETE_ENTRY)?;
    visit_by_row(database, all_of(bucket, newest), &mut |row_type, row_id, operation| {
        delete_entry.execute(&[row_type.into(), row_id.into(), operation.into()])
    })?;
    let (first, last) = operations_after(newest, bucket, 0);
    pending_tables::delete_range(database, first, last)?;
    for (first, last) in all_of(bucket, newest) {
        updated_rows::mark_operations(database, first, last)?;
        database.execute(DELETE, &[first.into(), last.into()])?;
    }
    updated_rows::limit(database)
}

/// Deletes a bucket with its operations.
pub(super) fn delete(database: &Database<'_>, name: &str) -> Result<()> {
    match id_of(database, name)? {
        Some(bucket) => delete_found(database, bucket),
        None => Ok(()),
    }
}

/// The id of the bucket called `name`, None if there is none.
pub(super) fn id_of(database: &Database<'_>, name: &str) -> Result<Option<BucketId>> {
    const FIND: &str = "SELECT id FROM main.ps_buckets WHERE name = ?1";
    Ok(database.integer(FIND, &[name.into()])?.map(BucketId))
}

/// Deletes the bucket with that id, and its operations.
pub(super) fn delete_found(database: &Database<'_>, bucket: BucketId) -> Result<()> {
    const DELETE: &str = "DELETE FROM main.ps_buckets WHERE id = ?1";
    delete_operations(database, bucket, Newest::load(database)?.region)?;
    database.execute(DELETE, &[bucket.0.into()])
}

/// Deletes buckets whose data were lost, and ends iterations, so that they are downloaded again. Their rows stay until
/// then.
pub(super) fn download_again(database: &Database<'_>, lost: &[BucketId]) -> Result<()> {
    lost.iter().try_for_each(|bucket| delete_found(database, *bucket))?;
    if lost.is_empty() { Ok(()) } else { end_iterations(database, Ended::ForOthers) }
}

/// The buckets with operations whose data were in rows that something has replaced without telling us.
pub(super) fn with_lost_data(database: &Database<'_>) -> Result<Vec<BucketId>> {
    const SQL: &str = "SELECT DISTINCT (id >> 34) & 4194303 FROM main.ps_operations WHERE data IS NULL AND removed <> 1 \
        AND powersync_operation_data(row_type, row_id, id) IS NULL";
    let mut lost = Vec::new();
    let mut rows = database.query(SQL, &[])?;
    while let Some(row) = rows.next()? {
        lost.try_reserve(1)?;
        lost.push(BucketId(row.integer(0)));
    }
    Ok(lost)
}

/// See [`crate::sync_client::storage::Storage::leave_checkpoint`].
pub(super) fn leave_checkpoint(database: &Database<'_>, bucket: BucketId) -> Result<()> {
    const SQL: &str = "UPDATE main.ps_buckets SET last_op = max(last_op, (SELECT last_op FROM main.ps_checkpoint)), \
        in_checkpoint = 0 WHERE id = ?1 AND in_checkpoint";
    database.execute(SQL, &[bucket.0.into()])
}

/// See [`crate::sync_client::storage::Storage::complete`].
pub(super) fn complete(
    database: &Database<'_>,
    changed: &[ChangedBucket],
    last_op_id: i64,
    scope: Scope<'_>,
) -> Result<()> {
    const CHANGED: &str =
        "UPDATE main.ps_buckets SET last_op = max(last_op, ?2), in_checkpoint = max(in_checkpoint, ?3) WHERE id = ?1";
    // Smaller after the service started over.
    const ALL: &str = "UPDATE main.ps_checkpoint SET last_op = ?1 WHERE id = 1 AND last_op <> ?1";
    let is_full = matches!(scope, Scope::Full);
    for bucket in changed {
        let parameters = [bucket.id.0.into(), last_op_id.into(), i64::from(is_full).into()];
        database.execute(CHANGED, &parameters)?;
    }
    if is_full {
        database.execute(ALL, &[last_op_id.into()])?;
    }
    Ok(())
}
