//! Buckets and parameter indexes in memory, as of one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sync_config::Value;

use crate::live::{DefinitionId, IndexId};
use crate::row::RowKey;
use crate::store::{
    Batch, BucketId, BucketSize, BucketState, Compacted, DefinitionSize, OpId, OpKind, Operation, Page, PageLimit,
    ParameterPlace, TableId,
};

/// Buckets and parameter indexes. A copy shares all buckets that are not changed afterwards.
#[derive(Clone, Default)]
pub(super) struct View {
    by_key: BTreeMap<(DefinitionId, Arc<str>), BucketId>,
    buckets: BTreeMap<BucketId, Arc<Bucket>>,
    parameters: BTreeMap<(IndexId, Arc<str>), Arc<Entries>>,
}

/// The entries of a parameter index with one key.
type Entries = BTreeMap<(TableId, RowKey, u64), Vec<Value>>;

#[derive(Clone, Default)]
struct Bucket {
    operations: BTreeMap<OpId, Stored>,
    last_op: OpId,
    checksum: u32,
}

#[derive(Clone)]
struct Stored {
    operation: Operation,
    superseded_by: Option<OpId>,
}

impl Stored {
    fn is_superseded(&self, pin: OpId) -> bool {
        self.superseded_by.is_some_and(|by| by <= pin)
    }

    /// Whether it can be part of a CLEAR, if all operations before it can.
    fn is_dead(&self, pin: OpId) -> bool {
        self.operation.op_id <= pin && (self.is_superseded(pin) || !matches!(self.operation.kind, OpKind::Put { .. }))
    }
}

impl View {
    pub(super) fn find_bucket(&self, key: &(DefinitionId, Arc<str>)) -> Option<BucketId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn bucket_key(&self, bucket: BucketId) -> Option<Arc<str>> {
        self.by_key.iter().find(|(_, id)| **id == bucket).map(|((_, key), _)| Arc::clone(key))
    }

    pub(super) fn bucket_state(&self, key: &(DefinitionId, Arc<str>)) -> BucketState {
        let id = self.find_bucket(key);
        let bucket = id.and_then(|id| self.buckets.get(&id)).filter(|bucket| bucket.last_op > 0);
        let Some(bucket) = bucket else { return BucketState::default() };
        let count = i64::try_from(bucket.operations.len()).unwrap_or(i64::MAX);
        BucketState { id, last_op: bucket.last_op, count, checksum: bucket.checksum }
    }

    pub(super) fn definition_sizes(&self) -> Vec<DefinitionSize> {
        let mut sizes: BTreeMap<DefinitionId, DefinitionSize> = BTreeMap::new();
        for (definition, bucket) in self.by_key.keys().filter_map(|key| Some((key.0, self.bucket_size(key)?))) {
            let empty = DefinitionSize { definition, buckets: 0, operations: 0, bytes: 0, rows: Some(0) };
            let size = sizes.entry(definition).or_insert(empty);
            size.buckets += 1;
            size.operations += bucket.operations;
            size.bytes += bucket.bytes;
            size.rows = size.rows.zip(bucket.rows).map(|(sum, rows)| sum + rows);
        }
        sizes.into_values().collect()
    }

    pub(super) fn bucket_sizes(&self, definition: DefinitionId) -> Vec<BucketSize> {
        let keys = self.by_key.keys().filter(|(of, _)| *of == definition);
        keys.filter_map(|key| self.bucket_size(key)).collect()
    }

    /// The size of a bucket that has operations.
    fn bucket_size(&self, key: &(DefinitionId, Arc<str>)) -> Option<BucketSize> {
        let bucket = self.buckets.get(self.by_key.get(key)?).filter(|bucket| bucket.last_op > 0)?;
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let is_row =
            |stored: &&Stored| stored.superseded_by.is_none() && matches!(stored.operation.kind, OpKind::Put { .. });
        Some(BucketSize {
            key: Arc::clone(&key.1),
            last_op: bucket.last_op,
            operations: number(bucket.operations.len()),
            bytes: bucket.operations.values().map(|stored| number(data_size(&stored.operation))).sum(),
            rows: Some(number(bucket.operations.values().filter(is_row).count())),
        })
    }

    pub(super) fn operations(&self, bucket: BucketId, after: OpId, limit: PageLimit) -> Page {
        let mut page = Page::default();
        let Some(bucket) = self.buckets.get(&bucket) else { return page };
        let mut bytes = 0_usize;
        for stored in bucket.operations.values().filter(|stored| stored.operation.op_id > after) {
            let mut operation = stored.operation.clone();
            if stored.superseded_by.is_some() {
                operation.kind = OpKind::Move;
            }
            let size = data_size(&operation);
            let is_full = page.operations.len() >= limit.operations || bytes.saturating_add(size) > limit.bytes;
            if is_full && !page.operations.is_empty() {
                page.has_more = true;
                break;
            }
            bytes = bytes.saturating_add(size);
            page.operations.push(operation);
        }
        page
    }

    pub(super) fn lookup(&self, index: IndexId, key: &str, rows: &mut Vec<Vec<Value>>) {
        let entries = self.parameters.get(&(index, Arc::from(key)));
        rows.extend(entries.into_iter().flat_map(|entries| entries.values().cloned()));
    }

    pub(super) fn apply(&mut self, batch: &Batch) {
        for new in &batch.new_buckets {
            self.by_key.insert((new.definition, Arc::clone(&new.key)), new.id);
            self.buckets.insert(new.id, Arc::default());
        }
        for id in &batch.cleared_buckets {
            self.buckets.insert(*id, Arc::default());
        }
        self.add_operations(batch);
        for place in &batch.closed_parameters {
            let (lookup, row) = split(place);
            let Some(entries) = self.parameters.get_mut(&lookup).map(Arc::make_mut) else { continue };
            let entry = entries.remove(&row);
            debug_assert!(entry.is_some(), "an entry that ends has begun before: {place:?}");
            if entries.is_empty() {
                self.parameters.remove(&lookup);
            }
        }
        for new in &batch.new_parameters {
            let (lookup, row) = split(&new.place);
            let before = Arc::make_mut(self.parameters.entry(lookup).or_default()).insert(row, new.outputs.clone());
            debug_assert!(before.is_none(), "an entry begins once: {:?}", new.place);
        }
    }

    fn add_operations(&mut self, batch: &Batch) {
        let mut sums: BTreeMap<BucketId, (OpId, i64, u32)> = BTreeMap::new();
        for operation in &batch.operations {
            let Some(bucket) = self.bucket_mut(operation.bucket) else { continue };
            debug_assert!(bucket.last_op < operation.op_id, "operations come in the order of their ids");
            let stored = Stored { operation: operation.clone(), superseded_by: None };
            bucket.operations.insert(operation.op_id, stored);
            bucket.last_op = operation.op_id;
            let (last_op, count, sum) = sums.entry(operation.bucket).or_default();
            *last_op = operation.op_id;
            *count += 1;
            *sum = sum.wrapping_add(operation.checksum);
        }
        for superseded in &batch.superseded {
            debug_assert!(superseded.op_id < superseded.by, "only newer operations replace others");
            let Some(bucket) = self.bucket_mut(superseded.bucket) else { continue };
            if let Some(stored) = bucket.operations.get_mut(&superseded.op_id) {
                stored.superseded_by = Some(superseded.by);
            }
        }
        for change in &batch.buckets {
            let Some(bucket) = self.bucket_mut(change.bucket) else { continue };
            bucket.checksum = bucket.checksum.wrapping_add(change.checksum);
            let sum = sums.remove(&change.bucket);
            debug_assert_eq!(
                sum,
                Some((change.last_op, change.count, change.checksum)),
                "what changes in a bucket is the sum of its new operations"
            );
        }
        debug_assert!(sums.is_empty(), "buckets with new operations change");
    }

    fn bucket_mut(&mut self, id: BucketId) -> Option<&mut Bucket> {
        let bucket = self.buckets.get_mut(&id).map(Arc::make_mut);
        debug_assert!(bucket.is_some(), "a batch names buckets that exist: {id:?}");
        bucket
    }

    /// Makes operations that were superseded up to the pin MOVEs, and long dead beginnings of buckets one CLEAR each.
    pub(super) fn compact(&mut self, pin: OpId, budget: usize, clear_from: usize) -> Compacted {
        let mut compacted = Compacted::default();
        for bucket in self.buckets.values_mut() {
            let left = budget.saturating_sub(compacted.operations);
            if left == 0 {
                break;
            }
            let is_moved = |stored: &Stored| stored.is_superseded(pin) && stored.operation.kind != OpKind::Move;
            let has_moved = bucket.operations.values().any(is_moved);
            let dead = bucket.operations.values().take_while(|stored| stored.is_dead(pin)).take(left.max(clear_from));
            let dead = dead.count();
            if !has_moved && dead < clear_from {
                continue;
            }
            let bucket = Arc::make_mut(bucket);
            if dead >= clear_from {
                bucket.clear(dead);
                compacted.operations += dead;
            }
            let left = budget.saturating_sub(compacted.operations);
            for stored in bucket.operations.values_mut().filter(|stored| is_moved(stored)).take(left) {
                stored.operation.kind = OpKind::Move;
                compacted.operations += 1;
            }
        }
        compacted.has_more = compacted.operations >= budget;
        compacted
    }

    pub(super) fn drop_content(&mut self, definitions: &BTreeSet<DefinitionId>, indexes: &BTreeSet<IndexId>) {
        let (by_key, buckets) = (&mut self.by_key, &mut self.buckets);
        by_key.retain(|(definition, _), id| {
            let is_dropped = definitions.contains(definition);
            if is_dropped {
                buckets.remove(id);
            }
            !is_dropped
        });
        self.parameters.retain(|(index, _), _| !indexes.contains(index));
    }
}

impl Bucket {
    /// Replaces the first operations with one CLEAR, with the id of the last of them and the sum of their checksums.
    fn clear(&mut self, count: usize) {
        let mut clear: Option<Operation> = None;
        for _ in 0..count {
            let Some((_, Stored { operation, .. })) = self.operations.pop_first() else { break };
            let sum = clear.map_or(0, |clear| clear.checksum).wrapping_add(operation.checksum);
            clear = Some(Operation { kind: OpKind::Clear, checksum: sum, ..operation });
        }
        if let Some(operation) = clear {
            self.operations.insert(operation.op_id, Stored { operation, superseded_by: None });
        }
    }
}

fn data_size(operation: &Operation) -> usize {
    match &operation.kind {
        OpKind::Put { data, .. } => data.len(),
        OpKind::Remove { .. } | OpKind::Move | OpKind::Clear => 0,
    }
}

fn split(place: &ParameterPlace) -> ((IndexId, Arc<str>), (TableId, RowKey, u64)) {
    let (table, key) = place.row.clone();
    ((place.index, Arc::clone(&place.key)), (table, key, place.hash))
}
