//! Writes a batch in one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};
use sync_engine::row::RowKey;
use sync_engine::store::{Batch, OpKind, Operation, RowState, StoreError, TableId};

use crate::encoding::{Types, write_row_state, write_values};
use crate::error::{Doing, invalid};
use crate::open::SqliteStore;
use crate::records;
use crate::schema::kind;
use crate::shared::Visible;

impl SqliteStore {
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let seq = self.seq + 1;
        let oldest = self.shared.oldest();
        let mut types = self.types.clone();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = transaction.doing("beginning a transaction")?;
        write_types(&transaction, &mut types, batch)?;
        write_buckets(&transaction, batch)?;
        write_operations(&transaction, &types, batch)?;
        write_row_states(&transaction, &types, &batch.row_states)?;
        write_parameters(&transaction, batch, seq)?;
        write_touched(&transaction, batch)?;
        let newest = self.shared.newest_seq();
        records::write(&transaction, batch, if batch.checkpoint.is_some() { seq } else { newest })?;
        write_requests(&transaction, batch, oldest.as_deref())?;
        write_state(&transaction, batch, seq)?;
        transaction.commit().doing("committing")?;
        self.seq = seq;
        self.types = types;
        if let Some(checkpoint) = batch.checkpoint.clone() {
            self.shared.publish(Visible { seq, checkpoint, types: Arc::clone(self.types.names()) });
        }
        Ok(())
    }
}

fn write_types(connection: &Connection, types: &mut Types, batch: &Batch) -> Result<(), StoreError> {
    let what = "writing names of client tables";
    let of_operations = batch.operations.iter().filter_map(|operation| match &operation.kind {
        OpKind::Put { row, .. } | OpKind::Remove { row } => Some(&row.object_type),
        OpKind::Move | OpKind::Clear => None,
    });
    let of_rows = batch.row_states.iter().flat_map(|(_, _, state)| state.places.iter().map(|place| &place.object_type));
    for name in of_operations.chain(of_rows) {
        let (number, is_new) = types.intern(name);
        if is_new {
            connection.execute("INSERT INTO object_type VALUES (?1, ?2)", (number, &**name)).doing(what)?;
        }
    }
    Ok(())
}

/// New and cleared buckets, and what new operations change in them.
fn write_buckets(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let what = "writing buckets";
    let mut insert =
        connection.prepare_cached("INSERT INTO bucket(id, definition, key) VALUES (?1, ?2, ?3)").doing(what)?;
    for new in &batch.new_buckets {
        insert.execute((new.id.0, new.definition.0, &*new.key)).doing(what)?;
    }
    if !batch.cleared_buckets.is_empty() {
        clear_buckets(connection, batch)?;
    }
    let change = "UPDATE bucket SET last_op = ?2, op_count = op_count + ?3, checksum = (checksum + ?4) & 0xFFFFFFFF,
        size = size + ?5 WHERE id = ?1";
    let mut update = connection.prepare_cached(change).doing(what)?;
    for change in &batch.buckets {
        let values = (change.bucket.0, change.last_op, change.count, change.checksum, change.size);
        if update.execute(values).doing(what)? != 1 {
            return Err(invalid("The storage lacks a bucket that new operations are of."));
        }
    }
    Ok(())
}

/// Older operations stay until no reader needs them, with the state that the bucket had.
fn clear_buckets(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let what = "clearing buckets";
    let cleared: HashSet<_> = batch.cleared_buckets.iter().copied().collect();
    let mut found = HashSet::new();
    let keep = "INSERT INTO cleared SELECT id, ?2, last_op, op_count, checksum FROM bucket WHERE id = ?1";
    let mut keep = connection.prepare_cached(keep).doing(what)?;
    let clear = "UPDATE bucket SET last_op = 0, op_count = 0, checksum = 0, size = 0 WHERE id = ?1";
    let mut clear = connection.prepare_cached(clear).doing(what)?;
    for first in batch.operations.iter().filter(|operation| cleared.contains(&operation.bucket)) {
        if found.insert(first.bucket) {
            keep.execute((first.bucket.0, first.op_id)).doing(what)?;
            clear.execute((first.bucket.0,)).doing(what)?;
        }
    }
    debug_assert_eq!(found, cleared, "a cleared bucket begins with a CLEAR");
    Ok(())
}

fn write_operations(connection: &Connection, types: &Types, batch: &Batch) -> Result<(), StoreError> {
    let what = "writing operations";
    let insert = "INSERT INTO op(bucket, op_id, kind, checksum, object_type, object_id, subkey, data)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = connection.prepare_cached(insert).doing(what)?;
    // In the order of the table, which touches each of its pages once.
    let mut operations: Vec<&Operation> = batch.operations.iter().collect();
    operations.sort_by_key(|operation| operation.bucket);
    for operation in operations {
        let (kind, row, data) = match &operation.kind {
            OpKind::Put { row, data } => (kind::PUT, Some(row), Some(&**data)),
            OpKind::Remove { row } => (kind::REMOVE, Some(row), None),
            OpKind::Move => (kind::MOVE, None, None),
            OpKind::Clear => (kind::CLEAR, None, None),
        };
        let object_type = row.and_then(|row| types.number(&row.object_type));
        let (object_id, subkey) = (row.map(|row| &*row.object_id), row.map(|row| &*row.subkey));
        let (bucket, op_id, checksum) = (operation.bucket.0, operation.op_id, operation.checksum);
        insert.execute((bucket, op_id, kind, checksum, object_type, object_id, subkey, data)).doing(what)?;
    }
    let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO superseded VALUES (?1, ?2, ?3)").doing(what)?;
    for superseded in &batch.superseded {
        insert.execute((superseded.bucket.0, superseded.op_id, superseded.by)).doing(what)?;
    }
    Ok(())
}

fn write_row_states(
    connection: &Connection,
    types: &Types,
    states: &[(TableId, RowKey, RowState)],
) -> Result<(), StoreError> {
    let what = "writing what rows have given";
    let mut replace = connection.prepare_cached("INSERT OR REPLACE INTO row_state VALUES (?1, ?2, ?3)").doing(what)?;
    let delete = "DELETE FROM row_state WHERE source_table = ?1 AND key = ?2";
    let mut delete = connection.prepare_cached(delete).doing(what)?;
    let mut states: Vec<&(TableId, RowKey, RowState)> = states.iter().collect();
    // Stable: of several states of a row the last one counts.
    states.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let mut bytes = Vec::new();
    for (table, key, state) in states {
        if state.is_empty() {
            delete.execute((table.0, &key.0)).doing(what)?;
            continue;
        }
        bytes.clear();
        let written = write_row_state(state, key, types, &mut bytes);
        debug_assert!(written.is_some(), "all types are interned");
        replace.execute((table.0, &key.0, &bytes)).doing(what)?;
    }
    Ok(())
}

fn write_parameters(connection: &Connection, batch: &Batch, seq: i64) -> Result<(), StoreError> {
    let what = "writing parameters";
    let close =
        "UPDATE parameter SET to_seq = ?6 WHERE index_id = ?1 AND key = ?2 AND source_table = ?3 AND row_key = ?4
        AND hash = ?5 AND to_seq IS NULL";
    let mut close = connection.prepare_cached(close).doing(what)?;
    for place in &batch.closed_parameters {
        let (table, row) = (place.row.0.0, &place.row.1.0);
        close.execute((place.index.0, &*place.key, table, row, place.hash.cast_signed(), seq)).doing(what)?;
    }
    let insert = "INSERT INTO parameter VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7)";
    let mut insert = connection.prepare_cached(insert).doing(what)?;
    for new in &batch.new_parameters {
        let place = &new.place;
        let (table, row, outputs) = (place.row.0.0, &place.row.1.0, write_values(&new.outputs));
        insert.execute((place.index.0, &*place.key, table, row, place.hash.cast_signed(), seq, outputs)).doing(what)?;
    }
    Ok(())
}

fn write_touched(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let what = "writing keys that the stream touches";
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO touched VALUES (?1, ?2)").doing(what)?;
    for (job, key) in &batch.touched {
        insert.execute((job.0, &key.0)).doing(what)?;
    }
    Ok(())
}

/// A client's requests stay until a later one is acknowledged at the oldest checkpoint that is needed, so that a client that
/// asks again and again is answered all the same.
fn write_requests(connection: &Connection, batch: &Batch, oldest: Option<&Visible>) -> Result<(), StoreError> {
    let what = "writing write checkpoints";
    if let Some(before) = batch.forget_requests_before {
        let forget = "DELETE FROM write_checkpoint WHERE requested_at < ?1";
        connection.prepare_cached(forget).and_then(|mut forget| forget.execute((before,))).doing(what)?;
    }
    // An id that is asked for again keeps the earlier head: what was acknowledged stays acknowledged.
    let insert = "INSERT INTO write_checkpoint VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (user, client, id)
        DO UPDATE SET head = min(head, excluded.head), requested_at = excluded.requested_at";
    let mut insert = connection.prepare_cached(insert).doing(what)?;
    let delete = "DELETE FROM write_checkpoint WHERE user = ?1 AND client = ?2 AND id <
        (SELECT max(id) FROM write_checkpoint WHERE user = ?1 AND client = ?2 AND head <= ?3)";
    let mut delete = connection.prepare_cached(delete).doing(what)?;
    for request in &batch.write_checkpoints {
        let (user, client, head) = (&request.user, &request.client, &request.head.0);
        insert.execute((user, client, request.id, head, request.requested_at)).doing(what)?;
        if let Some(oldest) = oldest {
            delete.execute((user, client, &oldest.checkpoint.position.0)).doing(what)?;
        }
    }
    Ok(())
}

fn write_state(connection: &Connection, batch: &Batch, seq: i64) -> Result<(), StoreError> {
    let what = "writing the position";
    let next_ids = serde_json::to_string(&batch.next_ids).doing(what)?;
    let update = "UPDATE state SET seq = ?1, next_op_id = ?2, next_ids = ?3, position = ifnull(?4, position)";
    let mut update = connection.prepare_cached(update).doing(what)?;
    let position = batch.position.as_ref().map(|position| &position.0);
    update.execute((seq, batch.next_op_id, next_ids, position)).doing(what)?;
    let Some(checkpoint) = &batch.checkpoint else { return Ok(()) };
    let insert = "INSERT INTO checkpoint VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut insert = connection.prepare_cached(insert).doing(what)?;
    let (position, config) = (&checkpoint.position.0, checkpoint.config.0);
    insert.execute((seq, checkpoint.op_id, position, checkpoint.time, checkpoint.source_time, config)).doing(what)?;
    Ok(())
}
