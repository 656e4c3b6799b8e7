//! What a service does with a source, without buckets: it keeps the rows of all tables, by snapshots and the stream.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, RowKey, SourceTable, SourceValue};
use sync_engine::source::{ErrorClass, Source, SourceError, SourceEvent, SourceStream};

/// A row by the names of its columns, without those that are NULL, each value with its type and all of its bits.
pub(crate) type Row = BTreeMap<String, String>;

/// Rows of all tables by name.
pub(crate) type Content = BTreeMap<String, BTreeMap<Vec<u8>, Row>>;

/// What is durable.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) position: Option<Position>,
    pub(crate) tables: BTreeMap<String, Table>,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) table: SourceTable,
    pub(crate) rows: BTreeMap<Vec<u8>, Row>,
}

/// A snapshot of a table that is being read.
#[derive(Debug)]
struct Job {
    table: SourceTable,
    next: Option<Vec<Value>>,
    touched: BTreeSet<Vec<u8>>,
    /// Keys that it has read, to remove all others at its end.
    read: BTreeSet<Vec<u8>>,
    /// The last time that all rows were deleted: what was read before that is as old as its keys are touched.
    truncated_at: Option<Position>,
}

impl Job {
    fn new(table: SourceTable) -> Self {
        Self { table, next: None, touched: BTreeSet::new(), read: BTreeSet::new(), truncated_at: None }
    }
}

pub(crate) struct Follower {
    pub(crate) state: State,
    stream: Option<Box<dyn SourceStream>>,
    numbers: HashMap<u32, SourceTable>,
    pending: Vec<SourceEvent>,
    jobs: Vec<Job>,
    /// Largest position of a chunk.
    barrier: Option<Position>,
    patterns: Vec<TablePattern>,
    pub(crate) lost: usize,
}

pub(crate) fn patterns(names: &[&str]) -> Vec<TablePattern> {
    let pattern = |name: &&str| TablePattern { connection: None, schema: "main".into(), table: (*name).into() };
    names.iter().map(pattern).collect()
}

pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Integer(integer) => format!("i{integer}"),
        Value::Real(real) => format!("r{:016x}", real.to_bits()),
        Value::Text(text) => format!("t{text:?}"),
        Value::Blob(blob) => format!("b{blob:02x?}"),
    }
}

pub(crate) fn row(columns: &[String], values: &[Value]) -> Row {
    assert_eq!(columns.len(), values.len());
    let members = columns.iter().zip(values).filter(|(_, value)| !value.is_null());
    members.map(|(column, value)| (column.clone(), shown(value))).collect()
}

impl Follower {
    pub(crate) fn new(patterns: Vec<TablePattern>, state: State) -> Self {
        Self {
            state,
            stream: None,
            numbers: HashMap::new(),
            pending: Vec::new(),
            jobs: Vec::new(),
            barrier: None,
            patterns,
            lost: 0,
        }
    }

    /// Begins a stream where the state ends. Reads all tables if there is none, or if the position is lost.
    pub(crate) fn start(&mut self, source: &dyn Source) -> Result<(), SourceError> {
        self.stream = None;
        self.numbers.clear();
        self.pending.clear();
        let tables = source.tables(&self.patterns)?;
        if let Some(position) = self.state.position.clone() {
            match source.stream(Some(&position)) {
                Ok(stream) => {
                    self.stream = Some(stream);
                    // Tables that were not there when the process ended.
                    for table in tables {
                        if !self.state.tables.contains_key(&table.physical_id) {
                            self.know(&table);
                            self.jobs.push(Job::new(table));
                        }
                    }
                    return Ok(());
                }
                Err(error) if error.class == ErrorClass::PositionLost => self.lost += 1,
                Err(error) => return Err(error),
            }
        }
        // Again, since losing a position can have changed them.
        let tables = if self.state.position.is_some() { source.tables(&self.patterns)? } else { tables };
        let head = source.head()?;
        if let Some(before) = &self.state.position {
            assert!(head > *before, "positions go back: {before:?} to {head:?}");
        }
        self.state.position = Some(head.clone());
        self.stream = Some(source.stream(Some(&head))?);
        self.jobs.clear();
        self.barrier = None;
        let live: BTreeSet<&String> = tables.iter().map(|table| &table.physical_id).collect();
        self.state.tables.retain(|id, _| live.contains(id));
        for table in tables {
            self.know(&table);
            self.jobs.push(Job::new(table));
        }
        Ok(())
    }

    fn know(&mut self, table: &SourceTable) {
        let known = self.state.tables.entry(table.physical_id.clone());
        known.or_insert_with(|| Table { table: table.clone(), rows: BTreeMap::new() }).table = table.clone();
    }

    /// Reads some rows of a snapshot. A table that has changed is read from its beginning.
    pub(crate) fn chunk(&mut self, source: &dyn Source, limit: usize) -> Result<(), SourceError> {
        let Some(mut job) = self.jobs.pop() else { return Ok(()) };
        let chunk = match source.snapshot_chunk(&job.table, job.next.as_deref(), limit) {
            Ok(chunk) => chunk,
            Err(error) => {
                let tables = source.tables(&self.patterns)?;
                if let Some(table) = tables.into_iter().find(|table| table.physical_id == job.table.physical_id) {
                    assert_ne!(table, job.table, "{error}");
                    job.table = table;
                    job.next = None;
                    self.jobs.push(job);
                }
                return Ok(());
            }
        };
        if self.barrier.as_ref().is_none_or(|barrier| *barrier < chunk.read_at) {
            self.barrier = Some(chunk.read_at.clone());
        }
        let Some(known) = self.state.tables.get_mut(&job.table.physical_id) else { return Ok(()) };
        for values in &chunk.rows {
            let (key, row) = read(&job.table, values);
            job.read.insert(key.clone());
            if !job.touched.contains(&key) && job.truncated_at.as_ref() <= Some(&chunk.read_at) {
                known.rows.insert(key, row);
            }
        }
        if chunk.next.is_some() {
            assert!(!chunk.rows.is_empty());
            let key = |next: &Option<Vec<Value>>| next.as_deref().map(RowKey::new);
            assert_ne!(key(&chunk.next), key(&job.next), "a page does not advance");
            job.next = chunk.next;
            self.jobs.insert(0, job);
        } else {
            known.rows.retain(|key, _| job.read.contains(key) || job.touched.contains(key));
        }
        Ok(())
    }

    /// Takes what the stream has; returns whether that was anything.
    pub(crate) fn step(&mut self) -> Result<bool, SourceError> {
        let events = self.stream.as_mut().expect("a stream").next(Duration::ZERO)?;
        let any = !events.is_empty();
        for event in events {
            self.event(event);
        }
        Ok(any)
    }

    fn event(&mut self, event: SourceEvent) {
        match &event {
            SourceEvent::Relation { number, table } => {
                self.numbers.insert(*number, table.clone());
            }
            SourceEvent::Row(change) => {
                let table = self.numbers[&change.table].clone();
                let old = change.old_key.iter().map(|key| RowKey::new(key).0);
                let new = change.row.iter().map(|row| read_key(&table, row));
                let keys: Vec<Vec<u8>> = old.chain(new).collect();
                for job in self.jobs.iter_mut().filter(|job| job.table.physical_id == table.physical_id) {
                    job.touched.extend(keys.iter().cloned());
                }
            }
            SourceEvent::Idle { position } => {
                assert!(self.pending.is_empty(), "idle within a transaction");
                self.advance(position);
                return;
            }
            SourceEvent::Begin => assert!(self.pending.is_empty(), "a transaction within a transaction"),
            _ => {}
        }
        let commit = match &event {
            SourceEvent::Commit { position, .. } => Some(position.clone()),
            _ => None,
        };
        let is_open = matches!(event, SourceEvent::Begin) || !self.pending.is_empty();
        assert!(is_open, "{event:?} outside of a transaction");
        self.pending.push(event);
        if let Some(position) = commit {
            for event in std::mem::take(&mut self.pending) {
                self.apply(event, &position);
            }
            self.advance(&position);
        }
    }

    fn advance(&mut self, position: &Position) {
        let before = self.state.position.replace(position.clone());
        assert!(before.is_none_or(|before| before < *position), "positions do not grow");
    }

    fn apply(&mut self, event: SourceEvent, position: &Position) {
        match event {
            SourceEvent::Relation { table, .. } => self.know(&table),
            SourceEvent::Row(change) => {
                let table = &self.numbers[&change.table];
                let known = self.state.tables.get_mut(&table.physical_id).expect("a known table");
                if let Some(key) = change.old_key {
                    assert_eq!(key.len(), table.key.len());
                    known.rows.remove(&RowKey::new(&key).0);
                }
                if let Some(values) = change.row {
                    let (key, row) = read(&known.table, &values);
                    known.rows.insert(key, row);
                }
            }
            SourceEvent::Truncate(tables) => {
                for number in tables {
                    let id = &self.numbers[&number].physical_id;
                    self.state.tables.get_mut(id).expect("a known table").rows.clear();
                    for job in self.jobs.iter_mut().filter(|job| job.table.physical_id == *id) {
                        job.truncated_at = Some(position.clone());
                    }
                }
            }
            SourceEvent::Dropped(number) => {
                let id = self.numbers[&number].physical_id.clone();
                self.state.tables.remove(&id);
                self.jobs.retain(|job| job.table.physical_id != id);
            }
            _ => {}
        }
    }

    /// Whether all tables were read, and the stream has come to where they were.
    pub(crate) fn is_consistent(&self) -> bool {
        self.jobs.is_empty() && self.pending.is_empty() && self.state.position >= self.barrier
    }

    /// Runs until everything that was written before is there.
    pub(crate) fn catch_up(&mut self, source: &dyn Source) -> Result<(), SourceError> {
        let head = source.head()?;
        while !self.jobs.is_empty() {
            self.chunk(source, 100)?;
        }
        for _ in 0..10_000 {
            let any = self.step()?;
            if self.is_consistent() && self.state.position.as_ref() >= Some(&head) {
                return Ok(());
            }
            assert!(any || self.state.position.is_some(), "the stream does not go on");
        }
        panic!("the stream does not come to the head: {:?} < {head:?}", self.state.position);
    }

    pub(crate) fn content(&self) -> Content {
        let mut content = Content::new();
        for table in self.state.tables.values() {
            let before = content.insert(table.table.name.clone(), table.rows.clone());
            assert!(before.is_none(), "two generations of {}", table.table.name);
        }
        content
    }
}

fn read_key(table: &SourceTable, values: &[SourceValue]) -> Vec<u8> {
    let value = |column: &usize| match &values[*column] {
        SourceValue::Value(value) => value.clone(),
        other => panic!("{other:?} in a key"),
    };
    RowKey::new(&table.key.iter().map(value).collect::<Vec<_>>()).0
}

fn read(table: &SourceTable, values: &[SourceValue]) -> (Vec<u8>, Row) {
    assert_eq!(values.len(), table.columns.len());
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let value = |value: &SourceValue| match value {
        SourceValue::Value(value) => value.clone(),
        other => panic!("{other:?}"),
    };
    let row = row(&columns, &values.iter().map(value).collect::<Vec<_>>());
    (read_key(table, values), row)
}
