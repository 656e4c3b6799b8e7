//! A source in memory: tables, and the list of transactions that a program writes through the same value.
//!
//! For tests, simulations and recorded runs, and for a service without a database. It can be told to behave as badly as
//! real sources do: see [`Fault`].

pub(crate) mod database;
pub(crate) mod stream;
mod transaction;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, RowKey, SourceTable, SourceValue};
use sync_engine::source::{Check, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceStream};

use crate::common::{is_matched, key_of, number_of};
use crate::error::{position_lost, retry};
use database::{Database, Table};
use stream::MemoryStream;
pub use transaction::Transaction;

/// Tables in memory. Clones are the same source: one writes, another is read.
#[derive(Clone)]
pub struct MemorySource {
    shared: Arc<Shared>,
}

/// What can go wrong with a source, on request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Chunks of snapshots begin this many rows earlier than they should.
    RepeatRows(usize),
    /// Chunks are read from the content as it is now, whatever is written later, as if they took long to arrive. No
    /// source does that to a snapshot that begins later. `false` ends this.
    HoldPages(bool),
    /// Streams end with an error after so many more events, also within a transaction.
    CutStreamsAfter(usize),
    /// A call of `next` returns about so many events, and so splits transactions.
    EventsPerCall(usize),
    /// All positions before the head are forgotten, and streams that are there end.
    LosePositions,
    /// The next call that can fail does.
    FailNext(SourceError),
}

pub(crate) struct Shared {
    state: Mutex<State>,
    committed: Condvar,
}

pub(crate) struct State {
    pub(crate) database: Database,
    pub(crate) faults: Faults,
}

#[derive(Default)]
pub(crate) struct Faults {
    repeat_rows: usize,
    held: Option<Held>,
    pub(crate) cut_after: Option<usize>,
    pub(crate) events_per_call: Option<usize>,
    pub(crate) fail_next: Option<SourceError>,
}

/// Content as it was at a position.
struct Held {
    tables: Vec<Table>,
    position: u64,
}

impl Shared {
    pub(crate) fn new(database: Database) -> Arc<Self> {
        let state = State { database, faults: Faults::default() };
        Arc::new(Self { state: Mutex::new(state), committed: Condvar::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes streams that wait.
    pub(crate) fn notify(&self) {
        self.committed.notify_all();
    }

    /// Returns when there is more than a position, or after this time.
    fn wait_beyond(&self, position: u64, time: Duration) {
        let state = self.lock();
        if state.database.head <= position {
            drop(self.committed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl State {
    fn fail(&mut self) -> Result<(), SourceError> {
        self.faults.fail_next.take().map_or(Ok(()), Err)
    }

    pub(crate) fn matching(&self, patterns: &[TablePattern]) -> Vec<SourceTable> {
        let tables = self.database.tables.values().map(|table| &table.definition);
        let tables = tables.filter(|table| is_matched(patterns, &table.schema, &table.name));
        tables.map(|table| SourceTable::clone(table)).collect()
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, table: &SourceTable) -> Option<u64> {
        u64::try_from(self.database.tables.get(&table.name)?.rows.len()).ok()
    }

    pub(crate) fn all(&self) -> Vec<SourceTable> {
        self.database.tables.values().map(|table| SourceTable::clone(&table.definition)).collect()
    }

    pub(crate) fn chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<SnapshotChunk, SourceError> {
        let (found, position) = match &self.faults.held {
            Some(held) => (held.tables.iter().find(|held| is_same(held, table)), held.position),
            None => (self.database.tables.get(&table.name).filter(|found| is_same(found, table)), self.database.head),
        };
        let found = found.ok_or_else(|| gone(table))?;
        let mut after = after.map(RowKey::new);
        if let Some(key) = &after {
            let earlier = found.rows.range(..=key).rev().nth(self.faults.repeat_rows).map(|(key, _)| key.clone());
            after = earlier;
        }
        let limit = limit.max(1).saturating_add(self.faults.repeat_rows);
        let rows = found.page(after.as_ref(), limit);
        let next = if rows.len() < limit { None } else { rows.last().map(|row| key_of(row, &table.key)) };
        let rows = rows.iter().map(|row| row.iter().cloned().map(SourceValue::Value).collect()).collect();
        Ok(SnapshotChunk { rows, next, read_at: Position::from_number(position) })
    }

    pub(crate) fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError> {
        let found = self.database.tables.get(&table.name).filter(|found| is_same(found, table));
        let found = found.ok_or_else(|| gone(table))?;
        let row = |key: &Vec<Value>| {
            let row = found.rows.get(&RowKey::new(key))?;
            Some(row.iter().cloned().map(SourceValue::Value).collect())
        };
        let rows = keys.iter().map(row).collect();
        Ok(Refetched { rows, read_at: Position::from_number(self.database.head) })
    }

    /// Where a stream begins.
    pub(crate) fn start(&self, from: Option<&Position>) -> Result<u64, SourceError> {
        let Some(from) = from else { return Ok(self.database.head) };
        let from = number_of(from)?;
        if from < self.database.forgotten || from > self.database.head {
            return Err(position_lost("the changes after this position are not known any more"));
        }
        Ok(from)
    }
}

/// Whether it is this generation, with the columns that the caller knows.
fn is_same(found: &Table, table: &SourceTable) -> bool {
    *found.definition == *table
}

fn gone(table: &SourceTable) -> SourceError {
    retry(format!("table {} was dropped or has changed: read the tables again", table.name))
}

impl Default for MemorySource {
    fn default() -> Self {
        Self::new()
    }
}

impl MemorySource {
    /// Without tables, at position 0.
    pub fn new() -> Self {
        Self::starting_at(0)
    }

    /// Without tables, at a position that is later than those of an earlier process, which are then lost.
    pub fn starting_at(position: u64) -> Self {
        Self::with_schema("main", position)
    }

    /// As [`MemorySource::starting_at`], with another name for the schema of all tables.
    pub fn with_schema(schema: &str, position: u64) -> Self {
        Self { shared: Shared::new(Database::new(schema, position)) }
    }

    /// Makes something go wrong.
    pub fn inject(&self, fault: Fault) {
        let mut state = self.shared.lock();
        match fault {
            Fault::RepeatRows(rows) => state.faults.repeat_rows = rows,
            Fault::HoldPages(false) => state.faults.held = None,
            Fault::HoldPages(true) => {
                let tables = state.database.tables.values().cloned().collect();
                state.faults.held = Some(Held { tables, position: state.database.head });
            }
            Fault::CutStreamsAfter(events) => state.faults.cut_after = Some(events),
            Fault::EventsPerCall(events) => state.faults.events_per_call = Some(events.max(1)),
            Fault::LosePositions => {
                // Also the head of now: a stream that is there cannot know whether it has missed something.
                state.database.head = state.database.head.saturating_add(1);
                let head = state.database.head;
                state.database.forget(head);
            }
            Fault::FailNext(error) => state.faults.fail_next = Some(error),
        }
        drop(state);
        self.shared.notify();
    }
}

impl Source for MemorySource {
    fn describe(&self) -> SourceDescription {
        let default_schema = self.shared.lock().database.schema.clone();
        SourceDescription { kind: "memory", default_schema, location: "memory".to_owned() }
    }

    fn schema(&self) -> Result<Vec<SourceTable>, SourceError> {
        let mut state = self.shared.lock();
        state.fail()?;
        Ok(state.all())
    }

    fn estimate(&self, table: &SourceTable) -> Result<Option<u64>, SourceError> {
        Ok(self.shared.lock().count(table))
    }

    fn test(&self, _patterns: &[TablePattern]) -> Vec<Check> {
        Vec::new()
    }

    fn tables(&self, patterns: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError> {
        let mut state = self.shared.lock();
        state.fail()?;
        Ok(state.matching(patterns))
    }

    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<SnapshotChunk, SourceError> {
        let mut state = self.shared.lock();
        state.fail()?;
        state.chunk(table, after, limit)
    }

    fn stream(&self, from: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError> {
        let mut state = self.shared.lock();
        state.fail()?;
        let start = state.start(from)?;
        Ok(Box::new(MemoryStream::new(Arc::clone(&self.shared), start, None)))
    }

    fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError> {
        let mut state = self.shared.lock();
        state.fail()?;
        state.refetch(table, keys)
    }

    fn head(&self) -> Result<Position, SourceError> {
        let mut state = self.shared.lock();
        state.fail()?;
        Ok(Position::from_number(state.database.head))
    }

    fn mark(&self) -> Result<(), SourceError> {
        Ok(())
    }

    fn acknowledge(&self, position: &Position) -> Result<(), SourceError> {
        let mut state = self.shared.lock();
        state.fail()?;
        state.database.forget(number_of(position)?);
        Ok(())
    }
}
