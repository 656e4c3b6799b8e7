//! Builds one batch: numbers of operations and buckets, what changes in each bucket, and what connections are told of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sync_config::Value;

use super::checksums::{put_checksum, remove_checksum};
use crate::live::{DefinitionId, IndexId};
use crate::row::RowKey;
use crate::store::{
    Batch, BucketChange, BucketId, NewBucket, NewParameter, NextIds, OpId, OpKind, Operation, OutputRow,
    ParameterPlace, Superseded, TableId,
};

/// A batch in the making.
#[derive(Debug)]
pub(super) struct BatchBuilder {
    pub(super) batch: Batch,
    next_op_id: OpId,
    /// Whether the batch has taken any operation id.
    has_ids: bool,
    next_bucket: i64,
    buckets: BTreeMap<BucketId, BucketChange>,
    /// Buckets by definition and key: found in the store, or new.
    known: HashMap<(DefinitionId, Arc<str>), BucketId>,
    /// Buckets with operations, and their keys if known.
    pub(super) changed_buckets: BTreeMap<BucketId, (DefinitionId, Option<Arc<str>>)>,
    /// Lookups with other entries.
    pub(super) changed_lookups: Vec<(IndexId, Arc<str>)>,
}

impl BatchBuilder {
    pub(super) fn new(next_op_id: OpId, next_ids: NextIds) -> Self {
        Self {
            batch: Batch::default(),
            next_op_id: next_op_id.max(1),
            has_ids: false,
            next_bucket: next_ids.bucket.max(1),
            buckets: BTreeMap::new(),
            known: HashMap::new(),
            changed_buckets: BTreeMap::new(),
            changed_lookups: Vec::new(),
        }
    }

    /// How many rows and operations there are.
    pub(super) fn size(&self) -> usize {
        self.batch.operations.len().max(self.batch.row_states.len())
    }

    /// A bucket that is known to exist.
    pub(super) fn know_bucket(&mut self, definition: DefinitionId, key: &Arc<str>, bucket: Option<BucketId>) {
        if let Some(bucket) = bucket {
            self.known.insert((definition, Arc::clone(key)), bucket);
        }
    }

    pub(super) fn knows_bucket(&self, definition: DefinitionId, key: &Arc<str>) -> bool {
        self.known.contains_key(&(definition, Arc::clone(key)))
    }

    /// The bucket with this key; a new one if the store has none.
    pub(super) fn bucket(&mut self, definition: DefinitionId, key: &Arc<str>) -> BucketId {
        if let Some(bucket) = self.known.get(&(definition, Arc::clone(key))) {
            return *bucket;
        }
        let id = BucketId(self.next_bucket);
        self.next_bucket = self.next_bucket.saturating_add(1);
        self.batch.new_buckets.push(NewBucket { id, definition, key: Arc::clone(key) });
        self.known.insert((definition, Arc::clone(key)), id);
        id
    }

    /// A row is in the bucket, or is another one there.
    pub(super) fn put(
        &mut self,
        (definition, bucket, key): (DefinitionId, BucketId, &Arc<str>),
        row: OutputRow,
        data: Arc<str>,
        replaces: Option<OpId>,
    ) -> OpId {
        let checksum = put_checksum(&row.object_type, &row.object_id, &data);
        let size = data.len();
        self.changed_buckets.insert(bucket, (definition, Some(Arc::clone(key))));
        self.add(bucket, OpKind::Put { row, data }, checksum, size, replaces)
    }

    /// A row is not in the bucket any more.
    pub(super) fn remove(&mut self, definition: DefinitionId, bucket: BucketId, row: OutputRow, replaces: OpId) {
        let checksum = remove_checksum(&row.subkey);
        self.changed_buckets.entry(bucket).or_insert((definition, None));
        self.add(bucket, OpKind::Remove { row }, checksum, 0, Some(replaces));
    }

    fn add(&mut self, bucket: BucketId, kind: OpKind, checksum: u32, size: usize, replaces: Option<OpId>) -> OpId {
        let op_id = self.next_op_id;
        self.skip_op_id();
        self.batch.operations.push(Operation { bucket, op_id, kind, checksum });
        if let Some(replaced) = replaces {
            self.batch.superseded.push(Superseded { bucket, op_id: replaced, by: op_id });
        }
        let change = self.buckets.entry(bucket).or_insert(BucketChange {
            bucket,
            last_op: op_id,
            count: 0,
            checksum: 0,
            size: 0,
        });
        change.last_op = op_id;
        change.count = change.count.saturating_add(1);
        change.checksum = change.checksum.wrapping_add(checksum);
        change.size = change.size.saturating_add_unsigned(u64::try_from(size).unwrap_or(u64::MAX));
        op_id
    }

    pub(super) fn close_parameter(&mut self, index: IndexId, key: Arc<str>, row: (TableId, RowKey), hash: u64) {
        self.changed_lookups.push((index, Arc::clone(&key)));
        self.batch.closed_parameters.push(ParameterPlace { index, key, row, hash });
    }

    pub(super) fn open_parameter(
        &mut self,
        index: IndexId,
        key: Arc<str>,
        row: (TableId, RowKey),
        hash: u64,
        outputs: Vec<Value>,
    ) {
        self.changed_lookups.push((index, Arc::clone(&key)));
        self.batch.new_parameters.push(NewParameter { place: ParameterPlace { index, key, row, hash }, outputs });
    }

    /// Takes an operation id that no operation has, so that the next checkpoint differs from the one before.
    pub(super) fn skip_op_id(&mut self) {
        self.has_ids = true;
        self.next_op_id = self.next_op_id.saturating_add(1);
    }

    /// Takes an operation id if the batch has none.
    pub(super) fn take_op_id(&mut self) {
        if !self.has_ids {
            self.skip_op_id();
        }
    }

    /// The operation id that the next checkpoint has.
    pub(super) fn last_op_id(&self) -> OpId {
        // Versions of parameter entries are told apart by operation ids, so these need one if there is none.
        let has_parameters = !(self.batch.new_parameters.is_empty() && self.batch.closed_parameters.is_empty());
        let is_unnumbered = has_parameters && !self.has_ids;
        self.next_op_id.saturating_sub(i64::from(!is_unnumbered))
    }

    pub(super) fn is_empty(&self) -> bool {
        let Batch { operations, row_states, touched, new_parameters, closed_parameters, .. } = &self.batch;
        let has_parameters = !(new_parameters.is_empty() && closed_parameters.is_empty());
        operations.is_empty() && row_states.is_empty() && touched.is_empty() && !has_parameters && !self.has_ids
    }

    /// Completes the batch, and gives the next numbers of operations and buckets.
    pub(super) fn finish(&mut self) -> (OpId, i64) {
        self.batch.buckets = std::mem::take(&mut self.buckets).into_values().collect();
        (self.last_op_id().saturating_add(1), self.next_bucket)
    }
}
