//! The operations of changed buckets that wait to be published.

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::Checksum;

use crate::bucket_storage::buckets::{checksum_column, checksum_from_column};
use crate::bucket_storage::by_row::visit_by_row;
use crate::bucket_storage::operation_id::{bucket_of, operations_after, sequence_of};
use crate::bucket_storage::publish::ordered::Superseded;
use crate::bucket_storage::publish::waiting::WAITING_SIZE;
use crate::bucket_storage::regions::{Newest, all_of};
use crate::collections::sort_by;
use crate::connection::Database;
use crate::error::Result;
use crate::sync_client::storage::{BucketId, ChangedBucket, Scope};

/// Up to this many operations take the place of older ones in any case.
const FEW: i64 = 100;

/// More take their place when they are fewer than one in this many.
const REPLACED_SHARE: i64 = 16;

/// From this many operations on, a pass over the keys of all stored rows may be cheaper than a look-up for each.
const BULK_FROM: i64 = 1000;

/// The pass is chosen when at least one in this many stored operations is pending.
const BULK_SHARE: i64 = 16;

/// Bytes that the indexes of a table, and `ps_row_operations`, need for a row.
const INDEXED_ROW: i64 = 64;

/// Bytes that a row of common size takes.
const ROW: i64 = 512;

/// The order in which rows are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// That of their pending operations: much data is read in sequence, and all of it is stored in that sequence too.
    /// The indexes of tables are written to all over, so that the cache has to hold them.
    OfArrival,
    /// That in which indexes are sorted.
    OfRows(Superseded),
}

/// One changed bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingBucket {
    /// Sequence up to which its operations were settled before.
    pub settled: i64,
    /// Its newest sequence.
    pub newest: i64,
    /// Everything in it is to be published again, also what was settled.
    pub is_resync: bool,
    add_checksum: Checksum,
    op_checksum: Checksum,
}

/// The changed buckets that exist, by id.
pub(super) struct Pending {
    /// Sorted by id.
    buckets: Vec<(BucketId, PendingBucket)>,
    /// Operations that are to be checked.
    operations: i64,
    newest: Newest,
}

impl Pending {
    /// Loads what is known of the changed buckets.
    pub(super) fn load(database: &Database<'_>, changed: &[ChangedBucket]) -> Result<Self> {
        // What is settled may be in older regions.
        const SQL: &str = "SELECT settled, (SELECT id FROM main.ps_operations WHERE id BETWEEN ?2 + settled AND ?3 \
            ORDER BY id DESC LIMIT 1), last_applied_op > 0 OR in_checkpoint > 1, add_checksum, op_checksum \
            FROM main.ps_buckets WHERE id = ?1";
        let mut pending = Self { buckets: Vec::new(), operations: 0, newest: Newest::load(database)? };
        let mut statement = database.cached(SQL)?;
        for bucket in changed {
            let range = operations_after(pending.newest.region, bucket.id, 0);
            let mut rows = statement.query(&[bucket.id.0.into(), range.0.into(), range.1.into()])?;
            let Some(row) = rows.next()? else { continue };
            let settled = row.integer(0);
            let newest = sequence_of(row.integer(1)).max(settled);
            let is_resync = row.integer(2) == 0 && settled > 0;
            let (add_checksum, op_checksum) =
                (checksum_from_column(row.integer(3)), checksum_from_column(row.integer(4)));
            let looked_at = if is_resync { newest } else { newest.saturating_sub(settled) };
            pending.operations = pending.operations.saturating_add(looked_at);
            let state = PendingBucket { settled, newest, is_resync, add_checksum, op_checksum };
            pending.buckets.try_reserve(1)?;
            pending.buckets.push((bucket.id, state));
        }
        sort_by(&mut pending.buckets, |(left, _), (right, _)| left.cmp(right));
        pending.buckets.dedup_by_key(|(id, _)| *id);
        Ok(pending)
    }

    fn position(&self, id: BucketId) -> Result<usize, usize> {
        self.buckets.binary_search_by_key(&id, |(id, _)| *id)
    }

    fn bucket(&self, id: BucketId) -> Option<&PendingBucket> {
        self.buckets.get(self.position(id).ok()?).map(|(_, bucket)| bucket)
    }

    fn bucket_mut(&mut self, id: BucketId) -> Option<&mut PendingBucket> {
        let position = self.position(id).ok()?;
        self.buckets.get_mut(position).map(|(_, bucket)| bucket)
    }

    /// Whether the bucket is one of those that changed.
    pub(super) fn has_bucket(&self, id: BucketId) -> bool {
        self.position(id).is_ok()
    }

    /// Whether operation `id` was not settled before this publish.
    pub(super) fn is_pending(&self, id: i64) -> bool {
        self.bucket(bucket_of(id)).is_some_and(|bucket| sequence_of(id) > bucket.settled)
    }

    /// Whether operation `id` is one that its bucket was not published with before.
    pub(super) fn is_new(&self, id: i64) -> bool {
        self.bucket(bucket_of(id)).is_some_and(|bucket| bucket.is_resync || sequence_of(id) > bucket.settled)
    }

    /// The ranges of operation ids, first and last, whose rows are to be checked.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let resynced = self.buckets.iter().filter(|(_, bucket)| bucket.is_resync);
        let resynced = resynced.flat_map(|(id, _)| all_of(*id, self.newest.region));
        let others = self.buckets.iter().filter(|(_, bucket)| !bucket.is_resync && bucket.settled < bucket.newest);
        resynced.chain(others.map(|(id, bucket)| operations_after(self.newest.region, *id, bucket.settled)))
    }

    /// The hash of a pending operation moves to the checksum of those held.
    pub(super) fn count_settled(&mut self, operation: i64, hash: Checksum) {
        let bucket = self.bucket_mut(bucket_of(operation));
        debug_assert!(bucket.is_some(), "a pending operation is of a bucket that was not loaded");
        if let Some(bucket) = bucket {
            bucket.op_checksum += hash;
            bucket.add_checksum -= hash;
        }
    }

    /// The same for operations of a bucket that were published together: `first` has an id of the bucket, `hash` is the
    /// sum of theirs. They are not to be checked any more.
    pub(super) fn count_published(&mut self, first: i64, hash: Checksum, count: i64) {
        self.count_settled(first, hash);
        self.operations = self.operations.saturating_sub(count);
    }

    /// The hash of an operation that was held moves to the checksum of those no longer held.
    pub(super) fn count_dropped(&mut self, operation: i64, hash: Checksum) {
        let bucket = self.bucket_mut(bucket_of(operation));
        debug_assert!(bucket.is_some(), "a superseded operation is of a bucket that was not loaded");
        if let Some(bucket) = bucket {
            bucket.op_checksum -= hash;
            bucket.add_checksum += hash;
        }
    }

    /// Whether nothing is to be checked.
    pub(super) fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// Whether next to nothing is pending.
    pub(super) fn is_few(&self) -> bool {
        self.operations <= FEW
    }

    /// The order in which rows are best checked.
    pub(super) fn order(&self, database: &Database<'_>) -> Result<Order> {
        let is_bulk = self.operations >= BULK_FROM && self.fits_cache(database)?;
        Ok(if is_bulk { Order::OfArrival } else { Order::OfRows(self.superseded()) })
    }

    /// Whether much is pending, and the indexes that it is entered in fit the cache.
    fn fits_cache(&self, database: &Database<'_>) -> Result<bool> {
        let settled = settled_count(database)?;
        if self.operations.saturating_mul(BULK_SHARE) < settled {
            return Ok(false);
        }
        let indexed = settled.saturating_add(self.operations).saturating_mul(INDEXED_ROW);
        let waiting = i64::try_from(WAITING_SIZE).unwrap_or(i64::MAX);
        fit_cache(database, indexed.saturating_add(waiting))
    }

    /// The type of the first operation that is to be checked, if many are.
    pub(super) fn first_type(&self, database: &Database<'_>) -> Result<Option<String>> {
        const SQL: &str = "SELECT row_type FROM main.ps_operations \
            WHERE id BETWEEN ?1 AND ?2 AND (data IS NOT NULL OR removed = 1) LIMIT 1";
        if self.operations < BULK_FROM {
            return Ok(None);
        }
        for (first, last) in self.ranges() {
            let mut rows = database.query(SQL, &[first.into(), last.into()])?;
            if let Some(row) = rows.next()? {
                return crate::text::copy(row.text(0)?).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether the rows of all operations fit the cache, so that they need not be inserted in the order of their rowids.
    pub(super) fn fits_cache_in_order_of_rows(&self, database: &Database<'_>) -> Result<bool> {
        Ok(self.is_few() || fit_cache(database, self.operations.saturating_mul(ROW))?)
    }

    /// What happens to superseded operations. Putting others in their place changes the pages of both; entering the
    /// others instead changes pages of `ps_row_operations`, which are fewer when most of them change.
    pub(super) fn superseded(&self) -> Superseded {
        let settled = self.buckets.iter().fold(0_i64, |sum, (_, bucket)| sum.saturating_add(bucket.settled));
        let is_small = self.is_few() || self.operations.saturating_mul(REPLACED_SHARE) <= settled;
        if is_small { Superseded::Replaced } else { Superseded::Deleted }
    }

    /// The ranges of operation ids, first and last, that are not settled.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let unsettled = self.buckets.iter().filter(|(_, bucket)| bucket.settled < bucket.newest);
        unsettled.map(|(id, bucket)| operations_after(self.newest.region, *id, bucket.settled))
    }

    /// How many operations are not settled.
    fn unsettled_count(&self) -> i64 {
        let pending = |bucket: &PendingBucket| bucket.newest.saturating_sub(bucket.settled);
        self.buckets.iter().fold(0, |sum, (_, bucket)| sum.saturating_add(pending(bucket)))
    }

    /// Enters all pending operations into `ps_row_operations`.
    pub(super) fn enter_row_operations(&self, database: &Database<'_>) -> Result<()> {
        const ENTER: &str =
            "INSERT OR IGNORE INTO main.ps_row_operations(row_type, row_id, operation) VALUES (?1, ?2, ?3)";
        let mut enter = database.cached(ENTER)?;
        visit_by_row(database, self.unsettled(), &mut |row_type, row_id, operation| {
            enter.execute(&[row_type.into(), row_id.into(), operation.into()])
        })
    }

    /// Writes back the buckets: everything in them is settled now, and published unless `holds_back`: rows were left
    /// out.
    pub(super) fn finish(
        &self,
        database: &Database<'_>,
        changed: &[ChangedBucket],
        scope: Scope<'_>,
        holds_back: bool,
    ) -> Result<()> {
        const SQL: &str = "UPDATE main.ps_buckets SET last_applied_op = last_op, settled = ?2, add_checksum = ?3, \
            op_checksum = ?4, in_checkpoint = in_checkpoint > 0, count_at_last = coalesce(?5, count_at_last), \
            count_since_last = iif(?5 IS NULL, count_since_last, 0) WHERE id = ?1";
        // What a part of a checkpoint has published again, the whole one has to look at once more.
        const AROUND_HELD: &str = "UPDATE main.ps_buckets SET settled = ?2, add_checksum = ?3, op_checksum = ?4, \
            in_checkpoint = in_checkpoint + (?5 AND in_checkpoint = 1 AND last_applied_op = 0) WHERE id = ?1";
        let is_full = matches!(scope, Scope::Full);
        for announced in changed {
            let Some(bucket) = self.bucket(announced.id) else { continue };
            let (sql, last) = match (holds_back, is_full) {
                (true, _) => (AROUND_HELD, Some(i64::from(is_full))),
                (false, true) => (SQL, announced.count),
                (false, false) => (SQL, None),
            };
            database.execute(
                sql,
                &[
                    announced.id.0.into(),
                    bucket.newest.into(),
                    checksum_column(bucket.add_checksum),
                    checksum_column(bucket.op_checksum),
                    last.into(),
                ],
            )?;
        }
        self.newest.grow(database, self.unsettled_count(), is_full)
    }
}

/// How many operations are settled, in all buckets.
fn settled_count(database: &Database<'_>) -> Result<i64> {
    const SQL: &str = "SELECT sum(settled) FROM main.ps_buckets";
    Ok(database.integer(SQL, &[])?.unwrap_or(0))
}

/// Whether so many bytes fit half of the cache.
fn fit_cache(database: &Database<'_>, bytes: i64) -> Result<bool> {
    Ok(bytes <= cache_size(database)?.saturating_div(2))
}

/// How many rows a table may have for its key to fit half of the cache.
pub(super) fn index_rows_in_cache(database: &Database<'_>) -> Result<i64> {
    Ok(cache_size(database)?.saturating_div(2 * INDEXED_ROW))
}

/// The size of SQLite's page cache in bytes.
fn cache_size(database: &Database<'_>) -> Result<i64> {
    // What a cached statement gives is that of when it was prepared.
    let pragma = |sql: &str| database.made_integer(sql, &[]);
    match pragma("PRAGMA main.cache_size")?.unwrap_or(0) {
        kibibytes @ ..0 => Ok(kibibytes.saturating_neg().saturating_mul(1024)),
        pages => Ok(pages.saturating_mul(pragma("PRAGMA main.page_size")?.unwrap_or(0))),
    }
}
