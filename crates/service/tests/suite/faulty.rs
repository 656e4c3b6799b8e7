//! A source that is down when a test wants it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, SourceTable};
use sync_engine::source::{
    Check, ErrorClass, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceEvent, SourceStream,
};
use sync_sources::memory::MemorySource;

/// What errors of the source say.
pub(crate) const DOWN: &str = "the test has stopped the database";

/// Clones are the same source.
#[derive(Clone)]
pub(crate) struct Faulty {
    inner: MemorySource,
    is_down: Arc<AtomicBool>,
    /// How often the head was asked for.
    heads: Arc<AtomicUsize>,
    /// Chunks of snapshots that are still to fail, and how many have.
    chunks_to_fail: Arc<AtomicUsize>,
    failed_chunks: Arc<AtomicUsize>,
    /// While it is true, the head is not given.
    held: Arc<(Mutex<bool>, Condvar)>,
    /// While it is true, no events are given.
    holds_events: Arc<AtomicBool>,
}

impl Faulty {
    pub(crate) fn new(inner: &MemorySource) -> Self {
        Self {
            inner: inner.clone(),
            is_down: Arc::default(),
            heads: Arc::default(),
            chunks_to_fail: Arc::default(),
            failed_chunks: Arc::default(),
            held: Arc::default(),
            holds_events: Arc::default(),
        }
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(crate) fn fail_chunks(&self, count: usize) {
        self.chunks_to_fail.store(count, Ordering::SeqCst);
    }

    pub(crate) fn failed_chunks(&self) -> usize {
        self.failed_chunks.load(Ordering::SeqCst)
    }

    pub(crate) fn hold_heads(&self, hold: bool) {
        let (held, changed) = &*self.held;
        *held.lock().unwrap() = hold;
        changed.notify_all();
    }

    pub(crate) fn hold_events(&self, hold: bool) {
        self.holds_events.store(hold, Ordering::SeqCst);
    }

    pub(crate) fn heads(&self) -> usize {
        self.heads.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), SourceError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SourceError { class: ErrorClass::Retry, message: DOWN.to_owned() });
        }
        Ok(())
    }
}

/// The stream, and events that are held.
struct FaultyStream(Faulty, Box<dyn SourceStream>, Vec<SourceEvent>);

impl SourceStream for FaultyStream {
    fn next(&mut self, wait: Duration) -> Result<Vec<SourceEvent>, SourceError> {
        self.0.check()?;
        let events = self.1.next(wait)?;
        // What arrived after the connection was lost has not arrived.
        self.0.check()?;
        self.2.extend(events);
        if self.0.holds_events.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        Ok(std::mem::take(&mut self.2))
    }
}

impl Source for Faulty {
    fn describe(&self) -> SourceDescription {
        self.inner.describe()
    }

    fn schema(&self) -> Result<Vec<SourceTable>, SourceError> {
        self.check()?;
        self.inner.schema()
    }

    fn test(&self, patterns: &[TablePattern]) -> Vec<Check> {
        self.inner.test(patterns)
    }

    fn tables(&self, patterns: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError> {
        self.check()?;
        self.inner.tables(patterns)
    }

    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<SnapshotChunk, SourceError> {
        self.check()?;
        if self.chunks_to_fail.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            self.failed_chunks.fetch_add(1, Ordering::SeqCst);
            return Err(SourceError { class: ErrorClass::Retry, message: DOWN.to_owned() });
        }
        self.inner.snapshot_chunk(table, after, limit)
    }

    fn stream(&self, from: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError> {
        self.check()?;
        Ok(Box::new(FaultyStream(self.clone(), self.inner.stream(from)?, Vec::new())))
    }

    fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError> {
        self.check()?;
        self.inner.refetch(table, keys)
    }

    fn head(&self) -> Result<Position, SourceError> {
        self.check()?;
        self.heads.fetch_add(1, Ordering::SeqCst);
        let (held, changed) = &*self.held;
        drop(changed.wait_while(held.lock().unwrap(), |held| *held).unwrap());
        self.inner.head()
    }

    fn mark(&self) -> Result<(), SourceError> {
        self.check()?;
        self.inner.mark()
    }

    fn acknowledge(&self, position: &Position) -> Result<(), SourceError> {
        self.check()?;
        self.inner.acknowledge(position)
    }
}
