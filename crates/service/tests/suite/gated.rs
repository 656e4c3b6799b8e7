//! A store in memory whose readers wait, are counted, or fail when a test wants it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use rowtide_service::OpenStore;
use sync_config::Value;
use sync_engine::live::{DefinitionId, IndexId};
use sync_engine::memory::MemoryStore;
use sync_engine::row::RowKey;
use sync_engine::store::{
    Batch, BucketId, BucketState, Checkpoint, Compacted, JobId, OpId, Page, PageLimit, Reader, Readers, RowState,
    Store, StoreError, Stored, TableId,
};

/// Controls the readers of a store.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    held: Mutex<bool>,
    changed: Condvar,
    fails: AtomicBool,
    inside: AtomicUsize,
    most: AtomicUsize,
    commits: AtomicUsize,
}

impl Gate {
    /// Lets readers of operations wait.
    pub(crate) fn hold(&self, hold: bool) {
        *self.0.held.lock().unwrap() = hold;
        self.0.changed.notify_all();
    }

    /// Lets readers of operations fail.
    pub(crate) fn fail(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }

    /// How many read operations now.
    pub(crate) fn inside(&self) -> usize {
        self.0.inside.load(Ordering::SeqCst)
    }

    /// How many read operations at the same time at most.
    pub(crate) fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    /// How often something was written.
    pub(crate) fn commits(&self) -> usize {
        self.0.commits.load(Ordering::SeqCst)
    }

    pub(crate) fn store(&self) -> OpenStore {
        let (store, gate) = (MemoryStore::new("0c"), self.clone());
        Box::new(move || Ok(Box::new(Gated(store.clone(), gate.clone()))))
    }

    fn pass(&self) -> Result<(), StoreError> {
        let inside = self.0.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(inside, Ordering::SeqCst);
        drop(self.0.changed.wait_while(self.0.held.lock().unwrap(), |held| *held).unwrap());
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
        match self.0.fails.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("the test has removed the disk".to_owned())),
            false => Ok(()),
        }
    }
}

struct Gated(MemoryStore, Gate);

struct GatedReaders(Arc<dyn Readers>, Gate);

struct GatedReader(Box<dyn Reader>, Gate);

impl Readers for GatedReaders {
    fn latest(&self) -> Result<Option<Box<dyn Reader>>, StoreError> {
        let reader = self.0.latest()?;
        Ok(reader.map(|reader| Box::new(GatedReader(reader, self.1.clone())) as Box<dyn Reader>))
    }

    fn oldest_pin(&self) -> OpId {
        self.0.oldest_pin()
    }
}

impl Reader for GatedReader {
    fn checkpoint(&self) -> &Checkpoint {
        self.0.checkpoint()
    }

    fn buckets(&self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<BucketState>, StoreError> {
        self.0.buckets(keys)
    }

    fn operations(&self, bucket: BucketId, after: OpId, limit: PageLimit) -> Result<Page, StoreError> {
        self.1.pass()?;
        self.0.operations(bucket, after, limit)
    }

    fn lookup(&self, index: IndexId, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), StoreError> {
        self.0.lookup(index, key, rows)
    }

    fn write_checkpoint(&self, user: &str, client: &str) -> Result<Option<i64>, StoreError> {
        self.0.write_checkpoint(user, client)
    }
}

impl Store for Gated {
    fn load(&mut self) -> Result<Stored, StoreError> {
        self.0.load()
    }

    fn row_states(&mut self, keys: &[(TableId, RowKey)]) -> Result<Vec<RowState>, StoreError> {
        self.0.row_states(keys)
    }

    fn rows_of_table(
        &mut self,
        table: TableId,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, RowState)>, StoreError> {
        self.0.rows_of_table(table, after, limit)
    }

    fn find_buckets(&mut self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<Option<BucketId>>, StoreError> {
        self.0.find_buckets(keys)
    }

    fn bucket_keys(&mut self, buckets: &[BucketId]) -> Result<Vec<Option<Arc<str>>>, StoreError> {
        self.0.bucket_keys(buckets)
    }

    fn touched(&mut self, job: JobId, keys: &[RowKey]) -> Result<Vec<bool>, StoreError> {
        self.0.touched(job, keys)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.1.0.commits.fetch_add(1, Ordering::SeqCst);
        self.0.commit(batch)
    }

    fn compact(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        self.0.compact(oldest_pin, budget)
    }

    fn readers(&self) -> Arc<dyn Readers> {
        Arc::new(GatedReaders(self.0.readers(), self.1.clone()))
    }
}
