//! A store whose calls fail: before they have done anything, or afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::live::DefinitionId;
use crate::memory::MemoryStore;
use crate::row::RowKey;
use crate::store::{Batch, BucketId, Compacted, JobId, OpId, Readers, RowState, Store, StoreError, Stored, TableId};

/// When a call fails.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<AtomicI64>);

const STRUCK: i64 = -1;

impl Fault {
    /// Lets a call after so many others fail: an even number before it has an effect, an odd one afterwards.
    pub(super) fn arm(&self, calls: i64) {
        self.0.store(calls + 2, Ordering::Relaxed);
    }

    pub(super) fn disarm(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    pub(super) fn has_struck(&self) -> bool {
        self.0.load(Ordering::Relaxed) == STRUCK
    }

    fn counts_down(&self) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        if left == STRUCK {
            return true;
        }
        if left >= 2 {
            let left = if left < 4 { STRUCK } else { left - 2 };
            self.0.store(left, Ordering::Relaxed);
            return left == STRUCK;
        }
        false
    }

    fn fails<T>(&self, run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let is_after = self.0.load(Ordering::Relaxed) % 2 == 1;
        let fails = self.counts_down();
        let result = if fails && !is_after { Err(failure()) } else { run() };
        if fails { Err(failure()) } else { result }
    }
}

fn failure() -> StoreError {
    StoreError::Unavailable("A call fails, as the test wants it.".to_owned())
}

pub(super) struct FaultyStore {
    store: MemoryStore,
    fault: Fault,
}

impl FaultyStore {
    pub(super) fn new(store: MemoryStore, fault: Fault) -> Self {
        Self { store, fault }
    }
}

impl Store for FaultyStore {
    fn load(&mut self) -> Result<Stored, StoreError> {
        self.store.load()
    }

    fn row_states(&mut self, keys: &[(TableId, RowKey)]) -> Result<Vec<RowState>, StoreError> {
        self.fault.fails(|| self.store.row_states(keys))
    }

    fn rows_of_table(
        &mut self,
        table: TableId,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, RowState)>, StoreError> {
        self.fault.fails(|| self.store.rows_of_table(table, after, limit))
    }

    fn find_buckets(&mut self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<Option<BucketId>>, StoreError> {
        self.fault.fails(|| self.store.find_buckets(keys))
    }

    fn bucket_keys(&mut self, buckets: &[BucketId]) -> Result<Vec<Option<Arc<str>>>, StoreError> {
        self.fault.fails(|| self.store.bucket_keys(buckets))
    }

    fn touched(&mut self, job: JobId, keys: &[RowKey]) -> Result<Vec<bool>, StoreError> {
        self.fault.fails(|| self.store.touched(job, keys))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.fault.fails(|| self.store.commit(batch))
    }

    fn compact(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        self.store.compact(oldest_pin, budget)
    }

    fn readers(&self) -> Arc<dyn Readers> {
        self.store.readers()
    }
}
