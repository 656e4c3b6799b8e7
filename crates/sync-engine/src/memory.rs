//! A store in memory, for simulations and tests: exact rather than fast.
//!
//! A checkpoint is a copy of the maps (buckets are shared until they change), so a reader stays the same whatever is
//! written or compacted.

#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_config::Value;

use self::view::View;
use crate::live::{ConfigId, ConfigRecord, ConfigState, DefinitionId, IndexId};
use crate::row::{Position, RowKey};
use crate::store::{
    Batch, BucketId, BucketSize, BucketState, Checkpoint, Compacted, ContentState, DefinitionRecord, DefinitionSize,
    IndexRecord, JobId, JobRecord, NextIds, OpId, Page, PageLimit, Reader, Readers, RowState, Store, StoreError,
    Stored, TableId, TableRecord, WriteCheckpoint,
};

/// A store in memory. Clones share their content, as if they had opened one file: a writer that has failed is replaced by
/// one that loads a clone.
#[derive(Clone)]
pub struct MemoryStore(Arc<Mutex<Content>>);

struct Content {
    instance: String,
    next_op_id: OpId,
    next_ids: NextIds,
    position: Option<Position>,
    checkpoint: Option<Checkpoint>,
    tables: BTreeMap<TableId, TableRecord>,
    configs: BTreeMap<ConfigId, ConfigRecord>,
    definitions: BTreeMap<DefinitionId, DefinitionRecord>,
    indexes: BTreeMap<IndexId, IndexRecord>,
    jobs: BTreeMap<JobId, JobRecord>,
    touched: BTreeSet<(JobId, RowKey)>,
    row_states: BTreeMap<(TableId, RowKey), RowState>,
    /// Requested ids of each user and client, and from which position on each is acknowledged.
    write_checkpoints: BTreeMap<(String, String), BTreeMap<i64, WriteCheckpoint>>,
    /// With operations of transactions that are still open.
    written: View,
    /// As of the newest checkpoint.
    visible: Arc<View>,
    /// How many readers there are at each checkpoint.
    pins: BTreeMap<OpId, usize>,
    clear_from: usize,
    failing_commits: usize,
}

impl MemoryStore {
    /// How many dead operations at the beginning of a bucket become one CLEAR.
    pub const CLEAR_FROM: usize = 100;

    /// An empty store with this name of its instance.
    pub fn new(instance: &str) -> Self {
        Self(Arc::new(Mutex::new(Content {
            instance: instance.to_owned(),
            next_op_id: 1,
            next_ids: NextIds { bucket: 1, table: 1, job: 1, definition: 1, index: 1, config: 1 },
            position: None,
            checkpoint: None,
            tables: BTreeMap::new(),
            configs: BTreeMap::new(),
            definitions: BTreeMap::new(),
            indexes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            touched: BTreeSet::new(),
            row_states: BTreeMap::new(),
            write_checkpoints: BTreeMap::new(),
            written: View::default(),
            visible: Arc::default(),
            pins: BTreeMap::new(),
            clear_from: Self::CLEAR_FROM,
            failing_commits: 0,
        })))
    }

    /// Makes a CLEAR of shorter beginnings than [`MemoryStore::CLEAR_FROM`] operations; at least 2.
    pub fn set_clear_from(&self, operations: usize) {
        self.lock().clear_from = operations.max(2);
    }

    /// Lets the next commits fail with [`StoreError::Unavailable`].
    pub fn fail_commits(&self, count: usize) {
        self.lock().failing_commits = count;
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Stored, StoreError> {
        let content = self.lock();
        let position = content.checkpoint.as_ref().map(|checkpoint| &checkpoint.position);
        Ok(Stored {
            instance: content.instance.clone(),
            next_op_id: content.next_op_id,
            next_ids: content.next_ids,
            checkpoint: content.checkpoint.clone(),
            position: content.position.clone(),
            tables: content.tables.values().cloned().collect(),
            configs: content.configs.values().cloned().collect(),
            definitions: content.definitions.values().cloned().collect(),
            indexes: content.indexes.values().cloned().collect(),
            jobs: content.jobs.values().cloned().collect(),
            waiting_write_checkpoints: content
                .write_checkpoints
                .values()
                .flat_map(BTreeMap::values)
                .filter(|waiting| position.is_none_or(|position| waiting.head > *position))
                .cloned()
                .collect(),
        })
    }

    fn row_states(&mut self, keys: &[(TableId, RowKey)]) -> Result<Vec<RowState>, StoreError> {
        let content = self.lock();
        Ok(keys.iter().map(|key| content.row_states.get(key).cloned().unwrap_or_default()).collect())
    }

    fn rows_of_table(
        &mut self,
        table: TableId,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, RowState)>, StoreError> {
        let first = (table, after.cloned().unwrap_or_else(|| RowKey(Vec::new())));
        let rows = self.lock();
        let rows = rows.row_states.range(first..).take_while(|((of, _), _)| *of == table);
        let rows = rows.filter(|((_, key), _)| after.is_none_or(|after| key > after)).take(limit);
        Ok(rows.map(|((_, key), state)| (key.clone(), state.clone())).collect())
    }

    fn find_buckets(&mut self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<Option<BucketId>>, StoreError> {
        let content = self.lock();
        Ok(keys.iter().map(|key| content.written.find_bucket(key)).collect())
    }

    fn bucket_keys(&mut self, buckets: &[BucketId]) -> Result<Vec<Option<Arc<str>>>, StoreError> {
        let content = self.lock();
        Ok(buckets.iter().map(|bucket| content.written.bucket_key(*bucket)).collect())
    }

    fn touched(&mut self, job: JobId, keys: &[RowKey]) -> Result<Vec<bool>, StoreError> {
        let content = self.lock();
        Ok(keys.iter().map(|key| content.touched.contains(&(job, key.clone()))).collect())
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut content = self.lock();
        if content.failing_commits > 0 {
            content.failing_commits -= 1;
            return Err(StoreError::Unavailable("The commit fails, as the test wants it.".to_owned()));
        }
        content.commit(batch);
        Ok(())
    }

    fn compact(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        let mut content = self.lock();
        let pin = oldest_pin.min(content.oldest_pin());
        let clear_from = content.clear_from;
        let compacted = content.written.compact(pin, budget, clear_from);
        // The same again: what the newest checkpoint shows has the same operations up to the pin.
        Arc::make_mut(&mut content.visible).compact(pin, budget, clear_from);
        content.delete_dropped();
        Ok(compacted)
    }

    fn readers(&self) -> Arc<dyn Readers> {
        Arc::new(self.clone())
    }
}

impl Content {
    fn commit(&mut self, batch: &Batch) {
        self.written.apply(batch);
        for (table, key, state) in &batch.row_states {
            let key = (*table, key.clone());
            if state.is_empty() {
                self.row_states.remove(&key);
            } else {
                self.row_states.insert(key, state.clone());
            }
        }
        self.tables.extend(batch.tables.iter().map(|table| (table.id, table.clone())));
        self.configs.extend(batch.configs.iter().map(|config| (config.id, config.clone())));
        self.configs.retain(|_, config| config.state != ConfigState::Deleted);
        self.definitions.extend(batch.definitions.iter().map(|definition| (definition.id, definition.clone())));
        self.indexes.extend(batch.indexes.iter().map(|index| (index.id, index.clone())));
        self.touched.extend(batch.touched.iter().cloned());
        self.jobs.extend(batch.jobs.iter().map(|job| (job.id, job.clone())));
        self.jobs.retain(|id, _| !batch.finished_jobs.contains(id));
        self.touched.retain(|(job, _)| !batch.finished_jobs.contains(job));
        self.request_write_checkpoints(batch);
        self.next_ids = batch.next_ids;
        debug_assert!(batch.next_op_id >= self.next_op_id, "operation ids never go back");
        self.next_op_id = batch.next_op_id;
        if let Some(position) = &batch.position {
            self.position = Some(position.clone());
        }
        if let Some(checkpoint) = &batch.checkpoint {
            debug_assert!(checkpoint.op_id < self.next_op_id, "a checkpoint is at an operation that was written");
            debug_assert!(
                self.checkpoint
                    .as_ref()
                    .is_none_or(|before| before.op_id <= checkpoint.op_id && before.position <= checkpoint.position),
                "checkpoints never go back"
            );
            self.checkpoint = Some(checkpoint.clone());
            self.visible = Arc::new(self.written.clone());
        }
    }

    fn request_write_checkpoints(&mut self, batch: &Batch) {
        if let Some(before) = batch.forget_requests_before {
            for requests in self.write_checkpoints.values_mut() {
                requests.retain(|_, request| request.requested_at >= before);
            }
        }
        for request in &batch.write_checkpoints {
            let of_client = (request.user.clone(), request.client.clone());
            let requests = self.write_checkpoints.entry(of_client).or_default();
            let mut request = request.clone();
            // An id that is asked for again keeps the earlier head: what was acknowledged stays acknowledged.
            if let Some(before) = requests.get(&request.id).filter(|before| before.head < request.head) {
                request.head = before.head.clone();
            }
            requests.insert(request.id, request);
        }
    }

    fn delete_dropped(&mut self) {
        let definitions = self.definitions.values().filter(|record| record.state == ContentState::Dropping);
        let definitions: BTreeSet<DefinitionId> = definitions.map(|record| record.id).collect();
        let indexes = self.indexes.values().filter(|record| record.state == ContentState::Dropping);
        let indexes: BTreeSet<IndexId> = indexes.map(|record| record.id).collect();
        if definitions.is_empty() && indexes.is_empty() {
            return;
        }
        self.written.drop_content(&definitions, &indexes);
        Arc::make_mut(&mut self.visible).drop_content(&definitions, &indexes);
        for state in self.row_states.values_mut() {
            state.places.retain(|place| !definitions.contains(&place.definition));
            state.parameters.retain(|parameter| !indexes.contains(&parameter.index));
        }
        self.row_states.retain(|_, state| !state.is_empty());
        self.definitions.retain(|id, _| !definitions.contains(id));
        self.indexes.retain(|id, _| !indexes.contains(id));
    }

    fn oldest_pin(&self) -> OpId {
        let newest = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.op_id);
        self.pins.keys().next().copied().unwrap_or(newest)
    }
}

impl Readers for MemoryStore {
    fn latest(&self) -> Result<Option<Box<dyn Reader>>, StoreError> {
        let mut content = self.lock();
        let Some(checkpoint) = content.checkpoint.clone() else { return Ok(None) };
        *content.pins.entry(checkpoint.op_id).or_default() += 1;
        let view = Arc::clone(&content.visible);
        Ok(Some(Box::new(MemoryReader { checkpoint, view, store: self.clone() })))
    }

    fn definition_sizes(&self) -> Result<Option<Vec<DefinitionSize>>, StoreError> {
        Ok(Some(self.lock().visible.definition_sizes()))
    }

    fn bucket_sizes(
        &self,
        definition: DefinitionId,
        skipped: usize,
        limit: usize,
    ) -> Result<Option<Vec<BucketSize>>, StoreError> {
        let mut sizes = self.lock().visible.bucket_sizes(definition);
        sizes.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.key.cmp(&other.key)));
        Ok(Some(sizes.into_iter().skip(skipped).take(limit).collect()))
    }

    fn oldest_pin(&self) -> OpId {
        self.lock().oldest_pin()
    }
}

struct MemoryReader {
    checkpoint: Checkpoint,
    view: Arc<View>,
    store: MemoryStore,
}

impl Reader for MemoryReader {
    fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    fn buckets(&self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<BucketState>, StoreError> {
        Ok(keys.iter().map(|key| self.view.bucket_state(key)).collect())
    }

    fn operations(&self, bucket: BucketId, after: OpId, limit: PageLimit) -> Result<Page, StoreError> {
        Ok(self.view.operations(bucket, after, limit))
    }

    fn lookup(&self, index: IndexId, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), StoreError> {
        self.view.lookup(index, key, rows);
        Ok(())
    }

    fn write_checkpoint(&self, user: &str, client: &str) -> Result<Option<i64>, StoreError> {
        let content = self.store.lock();
        let requests = content.write_checkpoints.get(&(user.to_owned(), client.to_owned()));
        let passed = requests.into_iter().flatten().filter(|(_, request)| request.head <= self.checkpoint.position);
        Ok(passed.map(|(id, _)| *id).max())
    }
}

impl Drop for MemoryReader {
    fn drop(&mut self) {
        let mut content = self.store.lock();
        let pin = self.checkpoint.op_id;
        let is_last = content.pins.get_mut(&pin).is_none_or(|readers| {
            *readers = readers.saturating_sub(1);
            *readers == 0
        });
        if is_last {
            content.pins.remove(&pin);
        }
    }
}
