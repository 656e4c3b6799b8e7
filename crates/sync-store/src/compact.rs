//! Makes old operations smaller, and deletes what no reader needs, in bounded steps.
//!
//! `superseded` is the list of work: the operations that are not MOVEs yet. A sweep walks over its buckets. In each one,
//! operations that were superseded up to the oldest pin become MOVEs, and a long beginning of dead ones (MOVE, REMOVE)
//! becomes one CLEAR with the sum of their checksums.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sync_engine::store::{Compacted, OpId, StoreError};

use crate::error::Doing;
use crate::open::SqliteStore;
use crate::schema::kind;

/// How many checkpoints are kept, besides one for each hour.
const KEPT_CHECKPOINTS: i64 = 1000;

/// How far the walk over buckets with superseded operations is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sweep {
    after_bucket: i64,
    /// A bucket whose beginning was longer than one step.
    unfinished: Option<i64>,
    /// The pin that the walk began with.
    pin: OpId,
    /// The pin of the last complete walk: up to it, there is nothing more to do.
    done: Option<OpId>,
    /// The last commit whose checkpoints were counted.
    trimmed_seq: Option<i64>,
}

/// What a step may still do.
pub(crate) struct Budget {
    pub(crate) left: usize,
    pub(crate) operations: usize,
}

impl Budget {
    pub(crate) fn spend(&mut self, operations: usize) {
        self.left = self.left.saturating_sub(operations);
        self.operations += operations;
    }

    /// As the limit of a statement.
    pub(crate) fn limit(&self) -> i64 {
        i64::try_from(self.left).unwrap_or(i64::MAX)
    }
}

impl SqliteStore {
    pub(crate) fn shrink(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        let Some(oldest) = self.shared.oldest() else { return Ok(Compacted::default()) };
        let pin = oldest_pin.min(oldest.checkpoint.op_id);
        let (mut sweep, mut cleaning) = (self.sweep, self.cleaning.clone());
        let mut budget = Budget { left: budget, operations: 0 };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = transaction.doing("beginning a transaction")?;
        let is_done = delete_cleared(&transaction, pin, &mut budget)?
            && sweep.walk(&transaction, pin, self.options.clear_from.max(2), &mut budget)?
            && delete_closed_parameters(&transaction, oldest.seq, &mut budget)?
            && crate::dropped::delete(&transaction, oldest.seq, &self.types, &mut cleaning, &mut budget)?;
        sweep.trim_checkpoints(&transaction, self.seq)?;
        transaction.commit().doing("committing a compaction")?;
        (self.sweep, self.cleaning) = (sweep, cleaning);
        Ok(Compacted { operations: budget.operations, has_more: !is_done })
    }
}

impl Sweep {
    /// Whether nothing is left to do up to the pin.
    fn walk(
        &mut self,
        connection: &Connection,
        pin: OpId,
        clear_from: usize,
        budget: &mut Budget,
    ) -> Result<bool, StoreError> {
        if self.done == Some(pin) {
            return Ok(true);
        }
        if self.after_bucket == 0 {
            self.pin = pin;
        }
        let next = "SELECT bucket FROM superseded WHERE bucket > ?1 ORDER BY bucket LIMIT 1";
        while budget.left > 0 {
            let bucket = connection
                .prepare_cached(next)
                .and_then(|mut next| next.query_row((self.after_bucket,), |row| row.get::<_, i64>(0)).optional());
            let bucket = bucket.doing("searching superseded operations")?;
            let Some(bucket) = self.unfinished.take().or(bucket) else {
                (self.after_bucket, self.done) = (0, Some(self.pin));
                return Ok(self.pin == pin);
            };
            if compact_bucket(connection, bucket, pin, clear_from, budget)? {
                self.after_bucket = bucket;
            } else {
                self.unfinished = Some(bucket);
            }
        }
        Ok(false)
    }

    /// Deletes old checkpoints, now and then.
    fn trim_checkpoints(&mut self, connection: &Connection, seq: i64) -> Result<(), StoreError> {
        if self.trimmed_seq.is_some_and(|trimmed| seq - trimmed < KEPT_CHECKPOINTS) {
            return Ok(());
        }
        let delete = "DELETE FROM checkpoint
            WHERE seq <= (SELECT seq FROM checkpoint ORDER BY seq DESC LIMIT 1 OFFSET ?1)
            AND seq NOT IN (SELECT min(seq) FROM checkpoint GROUP BY time / 3600000000)";
        connection.execute(delete, (KEPT_CHECKPOINTS,)).doing("deleting old checkpoints")?;
        self.trimmed_seq = Some(seq);
        Ok(())
    }
}

/// Whether all of the bucket is done.
fn compact_bucket(
    connection: &Connection,
    bucket: i64,
    pin: OpId,
    clear_from: usize,
    budget: &mut Budget,
) -> Result<bool, StoreError> {
    let what = "compacting a bucket";
    // Its older operations are deleted together soon.
    let cleared = "SELECT 1 FROM cleared WHERE bucket = ?1";
    if connection.prepare_cached(cleared).and_then(|mut cleared| cleared.exists((bucket,))).doing(what)? {
        return Ok(true);
    }
    let beginning = dead_beginning(connection, bucket, pin, budget.left.max(clear_from))?;
    if beginning.count >= clear_from {
        beginning.replace(connection, bucket)?;
        budget.spend(beginning.count);
        if beginning.has_more {
            return Ok(false);
        }
    }
    let dead = "SELECT op_id FROM superseded WHERE bucket = ?1 AND by_op <= ?2 ORDER BY op_id LIMIT ?3";
    let mut dead = connection.prepare_cached(dead).doing(what)?;
    let dead = dead.query_map((bucket, pin, budget.limit()), |row| row.get(0)).doing(what)?;
    let dead: Vec<OpId> = dead.collect::<rusqlite::Result<_>>().doing(what)?;
    let size = "UPDATE bucket SET size = size -
        (SELECT ifnull(octet_length(data), 0) FROM op WHERE bucket = ?1 AND op_id = ?2) WHERE id = ?1";
    let mut size = connection.prepare_cached(size).doing(what)?;
    let update = "UPDATE op SET kind = ?3, object_type = NULL, object_id = NULL, subkey = NULL, data = NULL
        WHERE bucket = ?1 AND op_id = ?2";
    let mut update = connection.prepare_cached(update).doing(what)?;
    let delete = "DELETE FROM superseded WHERE bucket = ?1 AND op_id = ?2";
    let mut delete = connection.prepare_cached(delete).doing(what)?;
    for op_id in &dead {
        size.execute((bucket, op_id)).doing(what)?;
        update.execute((bucket, op_id, kind::MOVE)).doing(what)?;
        delete.execute((bucket, op_id)).doing(what)?;
    }
    let is_done = dead.len() < budget.left;
    // A bucket without dead operations is work too.
    budget.spend(dead.len());
    budget.left = budget.left.saturating_sub(1);
    Ok(is_done)
}

/// The operations at the beginning of a bucket that mean nothing any more.
struct Beginning {
    count: usize,
    checksum: u32,
    last_op: OpId,
    size: i64,
    /// There may be more behind it.
    has_more: bool,
}

fn dead_beginning(connection: &Connection, bucket: i64, pin: OpId, limit: usize) -> Result<Beginning, StoreError> {
    let what = "compacting a bucket";
    let operations = "SELECT o.op_id, o.kind, o.checksum, ifnull(octet_length(o.data), 0), s.by_op
        FROM op AS o LEFT JOIN superseded AS s ON s.bucket = o.bucket AND s.op_id = o.op_id
        WHERE o.bucket = ?1 AND o.op_id <= ?2 ORDER BY o.op_id";
    let mut operations = connection.prepare_cached(operations).doing(what)?;
    let mut operations = operations.query((bucket, pin)).doing(what)?;
    let mut beginning = Beginning { count: 0, checksum: 0, last_op: 0, size: 0, has_more: false };
    while let Some(row) = operations.next().doing(what)? {
        let superseded_by: Option<OpId> = row.get(4).doing(what)?;
        let is_put = row.get::<_, i64>(1).doing(what)? == kind::PUT;
        if is_put && superseded_by.is_none_or(|by| by > pin) {
            break;
        }
        if beginning.count == limit {
            beginning.has_more = true;
            break;
        }
        beginning.count += 1;
        beginning.last_op = row.get(0).doing(what)?;
        beginning.checksum = beginning.checksum.wrapping_add(row.get(2).doing(what)?);
        beginning.size += row.get::<_, i64>(3).doing(what)?;
    }
    Ok(beginning)
}

impl Beginning {
    fn replace(&self, connection: &Connection, bucket: i64) -> Result<(), StoreError> {
        let what = "clearing the beginning of a bucket";
        let execute = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).doing(what)
        };
        delete_up_to(connection, bucket, self.last_op)?;
        let insert = "INSERT INTO op(bucket, op_id, kind, checksum) VALUES (?1, ?2, ?3, ?4)";
        execute(insert, &[&bucket, &self.last_op, &kind::CLEAR, &self.checksum])?;
        let less = i64::try_from(self.count).unwrap_or(i64::MAX) - 1;
        let update = "UPDATE bucket SET op_count = op_count - ?2, size = size - ?3 WHERE id = ?1";
        execute(update, &[&bucket, &less, &self.size])?;
        Ok(())
    }
}

/// Deletes the older operations of buckets whose rows were all removed at once. Whether none are left.
fn delete_cleared(connection: &Connection, pin: OpId, budget: &mut Budget) -> Result<bool, StoreError> {
    let what = "deleting operations of cleared buckets";
    let next = "SELECT bucket, at_op FROM cleared WHERE at_op <= ?1 LIMIT 1";
    while budget.left > 0 {
        let next: Option<(i64, OpId)> = connection
            .prepare_cached(next)
            .and_then(|mut next| next.query_row((pin,), |row| Ok((row.get(0)?, row.get(1)?))).optional())
            .doing(what)?;
        let Some((bucket, at)) = next else { return Ok(true) };
        if delete_operations(connection, bucket, at - 1, budget)? {
            let delete = "DELETE FROM cleared WHERE bucket = ?1 AND at_op = ?2";
            connection.prepare_cached(delete).and_then(|mut delete| delete.execute((bucket, at))).doing(what)?;
        }
    }
    Ok(false)
}

/// Deletes operations of a bucket up to an id. Whether none are left.
pub(crate) fn delete_operations(
    connection: &Connection,
    bucket: i64,
    up_to: OpId,
    budget: &mut Budget,
) -> Result<bool, StoreError> {
    let what = "deleting operations";
    let chunk = "SELECT count(*), max(op_id) FROM
        (SELECT op_id FROM op WHERE bucket = ?1 AND op_id <= ?2 ORDER BY op_id LIMIT ?3)";
    let chunk = connection.prepare_cached(chunk).and_then(|mut chunk| {
        chunk.query_row((bucket, up_to, budget.limit()), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<OpId>>(1)?))
        })
    });
    let (count, last) = chunk.doing(what)?;
    if let Some(last) = last {
        delete_up_to(connection, bucket, last)?;
    }
    let is_done = count < budget.limit();
    budget.spend(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(is_done)
}

fn delete_up_to(connection: &Connection, bucket: i64, last: OpId) -> Result<(), StoreError> {
    for table in
        ["DELETE FROM op WHERE bucket = ?1 AND op_id <= ?2", "DELETE FROM superseded WHERE bucket = ?1 AND op_id <= ?2"]
    {
        let deleted = connection.prepare_cached(table).and_then(|mut delete| delete.execute((bucket, last)));
        deleted.doing("deleting operations")?;
    }
    Ok(())
}

/// Deletes entries of parameter indexes that ended before the oldest checkpoint. Whether none are left.
fn delete_closed_parameters(connection: &Connection, seq: i64, budget: &mut Budget) -> Result<bool, StoreError> {
    let delete = "DELETE FROM parameter WHERE (index_id, key, source_table, row_key, hash, from_seq) IN
        (SELECT index_id, key, source_table, row_key, hash, from_seq FROM parameter WHERE to_seq <= ?1 LIMIT ?2)";
    let deleted = connection.prepare_cached(delete).and_then(|mut delete| delete.execute((seq, budget.limit())));
    let deleted = deleted.doing("deleting old parameters")?;
    let is_done = deleted < budget.left;
    budget.spend(deleted);
    Ok(is_done)
}
