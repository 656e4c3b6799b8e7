//! A store that looks at everything that the writer commits, and fails when it is to.
//!
//! Of each row in each bucket it knows the last operation. So it finds an operation that changes nothing, one that does
//! not replace the one before, and one that has no number of its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use sync_engine::live::DefinitionId;
use sync_engine::row::{Position, RowKey};
use sync_engine::store::{
    Batch, BucketId, Compacted, JobId, OpId, OpKind, OutputRow, Readers, RowState, Store, StoreError, Stored, TableId,
};

use crate::fault::Fault;

/// What was committed so far. It survives crashes.
#[derive(Default)]
pub(crate) struct Audit {
    /// The last operation of each row that a bucket has, and its data.
    rows: HashMap<(BucketId, OutputRow), (OpId, Arc<str>)>,
    last_op: OpId,
    next_op_id: OpId,
    position: Option<Position>,
    /// Operations of all kinds.
    pub(crate) operations: u64,
    pub(crate) commits: u64,
}

impl Audit {
    fn committed(&mut self, batch: &Batch) {
        self.commits += 1;
        let cleared: BTreeSet<BucketId> = batch.cleared_buckets.iter().copied().collect();
        self.rows.retain(|(bucket, _), _| !cleared.contains(bucket));
        let mut replaced = BTreeSet::new();
        for operation in &batch.operations {
            self.operations += 1;
            assert!(operation.op_id > self.last_op, "operation ids grow: {operation:?} after {}", self.last_op);
            self.last_op = operation.op_id;
            let before = match &operation.kind {
                OpKind::Put { row, data } => {
                    let place = (operation.bucket, row.clone());
                    let before = self.rows.insert(place, (operation.op_id, Arc::clone(data)));
                    assert!(
                        before.as_ref().is_none_or(|(_, before)| before != data),
                        "an operation that changes nothing: {operation:?}"
                    );
                    before
                }
                OpKind::Remove { row } => {
                    let before = self.rows.remove(&(operation.bucket, row.clone()));
                    assert!(before.is_some(), "a row is removed that is not there: {operation:?}");
                    before
                }
                OpKind::Move | OpKind::Clear => None,
            };
            if let Some((before, _)) = before {
                replaced.insert((operation.bucket, before, operation.op_id));
            }
        }
        let told: BTreeSet<_> = batch.superseded.iter().map(|old| (old.bucket, old.op_id, old.by)).collect();
        assert_eq!(told, replaced, "which operations are replaced, by which");
        self.numbers(batch);
    }

    fn numbers(&mut self, batch: &Batch) {
        assert!(batch.next_op_id > self.last_op && batch.next_op_id >= self.next_op_id, "the next number goes back");
        self.next_op_id = batch.next_op_id;
        if let Some(checkpoint) = &batch.checkpoint {
            assert!(checkpoint.op_id >= self.last_op && checkpoint.op_id < batch.next_op_id, "{checkpoint:?}");
            assert!(Some(&checkpoint.position) == batch.position.as_ref(), "{checkpoint:?}");
        }
        if batch.position.is_some() {
            assert!(self.position <= batch.position, "the position goes back");
            self.position.clone_from(&batch.position);
        }
    }
}

/// The writer's store.
pub(crate) struct AuditedStore {
    pub(crate) store: Box<dyn Store>,
    pub(crate) audit: Arc<Mutex<Audit>>,
    pub(crate) fault: Fault,
}

impl Store for AuditedStore {
    fn load(&mut self) -> Result<Stored, StoreError> {
        self.store.load()
    }

    fn row_states(&mut self, keys: &[(TableId, RowKey)]) -> Result<Vec<RowState>, StoreError> {
        self.fault.run(|| self.store.row_states(keys))
    }

    fn rows_of_table(
        &mut self,
        table: TableId,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, RowState)>, StoreError> {
        self.fault.run(|| self.store.rows_of_table(table, after, limit))
    }

    fn find_buckets(&mut self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<Option<BucketId>>, StoreError> {
        self.fault.run(|| self.store.find_buckets(keys))
    }

    fn bucket_keys(&mut self, buckets: &[BucketId]) -> Result<Vec<Option<Arc<str>>>, StoreError> {
        self.fault.run(|| self.store.bucket_keys(buckets))
    }

    fn touched(&mut self, job: JobId, keys: &[RowKey]) -> Result<Vec<bool>, StoreError> {
        self.fault.run(|| self.store.touched(job, keys))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.fault.run(|| {
            self.store.commit(batch)?;
            self.audit.lock().unwrap_or_else(PoisonError::into_inner).committed(batch);
            Ok(())
        })
    }

    fn compact(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        self.fault.run(|| self.store.compact(oldest_pin, budget))
    }

    fn readers(&self) -> Arc<dyn Readers> {
        self.store.readers()
    }
}
