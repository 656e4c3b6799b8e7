//! Storing a data line: its operations are appended to their bucket's range and settled when they are published
//! (docs/reference/protocol.md#operations).

use alloc::vec::Vec;

use rowtide_json::{RowData, UNREADABLE_ROW, publishable};
use rowtide_protocol::{DataLine, Operation, OplogEntry};
use sqlite_nostd::Parameter;

use crate::bucket_storage::buckets::{self, BucketRow};
use crate::bucket_storage::operation_id::{bucket_of, operation_id, operations_after, sequence_of};
use crate::bucket_storage::pending_rows::PendingRows;
use crate::bucket_storage::pending_tables::Waiting;
use crate::connection::{CachedStatement, Database};
use crate::error::Result;
use crate::sync_client::storage::{StoredLine, UnpublishableOperation};
use crate::text;

/// Stores `line`, which was `line_size` bytes long, in `bucket`.
pub(super) fn store_line(
    database: &Database<'_>,
    pending_rows: &mut PendingRows,
    waiting: Waiting<'_, '_>,
    bucket: BucketRow,
    line: &DataLine<'_>,
    line_size: usize,
) -> Result<StoredLine> {
    let next_sequence = next_sequence(database, &bucket)?;
    let mut appender =
        Appender { database, pending_rows, waiting, insert: None, bucket, next_sequence, unpublishable: Vec::new() };
    let mut new_operations = 0i64;
    for entry in &line.entries {
        if entry.op_id <= appender.bucket.last_op {
            continue;
        }
        appender.apply(entry)?;
        appender.bucket.last_op = entry.op_id;
        new_operations = new_operations.saturating_add(1);
    }
    // Another iteration may have stored all of it.
    if new_operations > 0 {
        let bytes = i64::try_from(line_size).unwrap_or(i64::MAX);
        buckets::update_received(database, &appender.bucket, new_operations, bytes)?;
    }
    Ok(StoredLine {
        bucket: appender.bucket.id,
        new_operations,
        count_at_last: bucket.count_at_last,
        count_since_last: bucket.count_since_last.saturating_add(new_operations),
        unpublishable: appender.unpublishable,
    })
}

/// The sequence for the bucket's next operation. Numbers are not used twice while the bucket exists.
fn next_sequence(database: &Database<'_>, bucket: &BucketRow) -> Result<i64> {
    let newest = newest_sequence(database, bucket)?;
    Ok(newest.saturating_add(1))
}

/// The sequence of the bucket's newest operation, held or settled.
pub(super) fn newest_sequence(database: &Database<'_>, bucket: &BucketRow) -> Result<i64> {
    const SQL: &str = "SELECT id FROM main.ps_operations WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";
    // What is settled may be in older regions.
    let (first, last) = operations_after(bucket.region, bucket.id, bucket.settled);
    Ok(database.integer(SQL, &[first.into(), last.into()])?.map_or(bucket.settled, sequence_of))
}

/// Appends the operations of one line to one bucket.
struct Appender<'a, 'c> {
    database: &'a Database<'c>,
    pending_rows: &'a mut PendingRows,
    waiting: Waiting<'a, 'c>,
    insert: Option<CachedStatement<'c>>,
    bucket: BucketRow,
    next_sequence: i64,
    unpublishable: Vec<UnpublishableOperation>,
}

impl Appender<'_, '_> {
    fn apply(&mut self, entry: &OplogEntry<'_>) -> Result<()> {
        match entry.operation {
            Operation::Clear => return self.clear(entry),
            Operation::Put => self.put(entry)?,
            Operation::Remove => self.remove(entry)?,
            Operation::Move => {}
        }
        self.bucket.add_checksum += entry.checksum;
        Ok(())
    }

    fn put(&mut self, entry: &OplogEntry<'_>) -> Result<()> {
        let (Some(row_type), Some(row_id)) = (entry.row_type, entry.row_id) else {
            return self.report(entry, "a PUT without type or id");
        };
        let data = entry.data.unwrap_or_default();
        match publishable(data)? {
            RowData::AsIs(data) => self.append(entry, row_type, row_id, Some(data)),
            RowData::Rewritten(data) => self.append(entry, row_type, row_id, Some(&data)),
            RowData::Unreadable(reason) => {
                self.report(entry, reason)?;
                self.append(entry, row_type, row_id, Some(UNREADABLE_ROW))
            }
        }
    }

    fn remove(&mut self, entry: &OplogEntry<'_>) -> Result<()> {
        // Without any operation of the bucket there is no row that this could remove.
        let holds_operations = self.next_sequence > 1;
        match (entry.row_type, entry.row_id) {
            (Some(row_type), Some(row_id)) if holds_operations => self.append(entry, row_type, row_id, None),
            _ => Ok(()),
        }
    }

    /// A CLEAR restarts the bucket: what it held is checked again by the next full publish.
    fn clear(&mut self, entry: &OplogEntry<'_>) -> Result<()> {
        // TrackedState pending operations of the bucket are known to be gone when they are looked for.
        buckets::delete_operations(self.database, self.bucket.id, self.bucket.region)?;
        self.bucket.settled = self.next_sequence.saturating_sub(1);
        self.bucket.add_checksum = entry.checksum;
        self.bucket.op_checksum = Default::default();
        self.bucket.last_applied_op = 0;
        Ok(())
    }

    /// Stores a PUT with `data`, or a REMOVE without. A PUT goes in place of what it supersedes among the pending
    /// operations, if that is known, else it is appended; a REMOVE always is.
    fn append(&mut self, entry: &OplogEntry<'_>, row_type: &str, row_id: &str, data: Option<&str>) -> Result<()> {
        let hash = PendingRows::hash(self.bucket.id, row_type, row_id, entry.subkey);
        let operation = operation_id(self.bucket.region, self.bucket.id, self.next_sequence);
        let candidate = self.pending_rows.replace(hash, operation);
        match (candidate.filter(|id| self.is_pending(*id)), data) {
            (Some(candidate), Some(data)) if self.overwrite(candidate, entry, row_type, row_id, data)? => {
                self.pending_rows.replace(hash, candidate);
                return Ok(());
            }
            // REMOVEs that come together are deleted together when they are published: few pages change.
            (Some(candidate), None) => self.discard(candidate, entry, row_type, row_id)?,
            _ => {}
        }
        let own_data = match data {
            Some(data) if self.waiting.insert(operation, row_type, row_id, data)? => None,
            data => data,
        };
        const SQL: &str = "INSERT INTO main.ps_operations(id, op_id, row_type, row_id, subkey, data, hash, removed) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let insert = match &mut self.insert {
            Some(insert) => insert,
            None => self.insert.insert(self.database.cached(SQL)?),
        };
        insert.execute(&[
            operation.into(),
            entry.op_id.into(),
            row_type.into(),
            row_id.into(),
            entry.subkey.into(),
            own_data.into(),
            Parameter::Integer(i64::from(entry.checksum.as_signed())),
            i64::from(data.is_none()).into(),
        ])?;
        self.next_sequence = self.next_sequence.saturating_add(1);
        Ok(())
    }

    /// Whether operation `id` may be one of this bucket that is not settled yet.
    fn is_pending(&self, id: i64) -> bool {
        bucket_of(id) == self.bucket.id && sequence_of(id) > self.bucket.settled
    }

    /// Puts a PUT in place of the pending operation `id`. False if that is one of another key.
    fn overwrite(&mut self, id: i64, entry: &OplogEntry<'_>, row_type: &str, row_id: &str, data: &str) -> Result<bool> {
        const SQL: &str = "UPDATE main.ps_operations SET op_id = ?2, data = iif(data IS NULL AND removed = 0, NULL, ?6), hash = ?7, removed = 0 \
            WHERE id = ?1 AND row_type = ?3 AND row_id = ?4 AND subkey IS ?5";
        self.database.execute(
            SQL,
            &[
                id.into(),
                entry.op_id.into(),
                row_type.into(),
                row_id.into(),
                entry.subkey.into(),
                data.into(),
                Parameter::Integer(i64::from(entry.checksum.as_signed())),
            ],
        )?;
        if self.database.connection().changes() == 0 {
            return Ok(false);
        }
        self.waiting.update(id, row_type, data)?;
        Ok(true)
    }

    /// Deletes the pending operation `id`, unless that is one of another key.
    fn discard(&mut self, id: i64, entry: &OplogEntry<'_>, row_type: &str, row_id: &str) -> Result<()> {
        const SQL: &str = "DELETE FROM main.ps_operations \
            WHERE id = ?1 AND row_type = ?2 AND row_id = ?3 AND subkey IS ?4";
        self.database.execute(SQL, &[id.into(), row_type.into(), row_id.into(), entry.subkey.into()])?;
        if self.database.connection().changes() > 0 { self.waiting.delete(id, row_type) } else { Ok(()) }
    }

    fn report(&mut self, entry: &OplogEntry<'_>, reason: &'static str) -> Result<()> {
        self.unpublishable.try_reserve(1)?;
        self.unpublishable.push(UnpublishableOperation {
            op_id: entry.op_id,
            row_type: entry.row_type.map(text::copy).transpose()?,
            row_id: entry.row_id.map(text::copy).transpose()?,
            reason,
        });
        Ok(())
    }
}
