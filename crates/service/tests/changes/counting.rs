//! A source that counts the tables whose rows are read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, SourceTable};
use sync_engine::source::{Check, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceStream};
use sync_sources::memory::MemorySource;

/// Clones are the same source.
#[derive(Clone)]
pub(crate) struct Counting {
    pub(crate) inner: MemorySource,
    read: Arc<Mutex<BTreeSet<String>>>,
}

impl Counting {
    pub(crate) fn new(inner: MemorySource) -> Self {
        Self { inner, read: Arc::default() }
    }

    /// The tables that were read since the last call, in order.
    pub(crate) fn take_read(&self) -> Vec<String> {
        std::mem::take(&mut *self.read.lock().unwrap()).into_iter().collect()
    }
}

impl Source for Counting {
    fn describe(&self) -> SourceDescription {
        self.inner.describe()
    }

    fn schema(&self) -> Result<Vec<SourceTable>, SourceError> {
        self.inner.schema()
    }

    fn estimate(&self, table: &SourceTable) -> Result<Option<u64>, SourceError> {
        self.inner.estimate(table)
    }

    fn test(&self, patterns: &[TablePattern]) -> Vec<Check> {
        self.inner.test(patterns)
    }

    fn tables(&self, patterns: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError> {
        self.inner.tables(patterns)
    }

    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<SnapshotChunk, SourceError> {
        self.read.lock().unwrap().insert(table.name.clone());
        self.inner.snapshot_chunk(table, after, limit)
    }

    fn stream(&self, from: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError> {
        self.inner.stream(from)
    }

    fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError> {
        self.inner.refetch(table, keys)
    }

    fn head(&self) -> Result<Position, SourceError> {
        self.inner.head()
    }

    fn mark(&self) -> Result<(), SourceError> {
        self.inner.mark()
    }

    fn acknowledge(&self, position: &Position) -> Result<(), SourceError> {
        self.inner.acknowledge(position)
    }
}
