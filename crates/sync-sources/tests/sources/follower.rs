//! What a service does with a source, without buckets: it keeps the rows of all tables, by snapshots and the stream.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use sync_config::{Settings, TablePattern, Value};
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
    /// As [`Follower::numbers`], at the end of what was applied: a number can get another table within a transaction.
    applied: HashMap<u32, SourceTable>,
    pending: Vec<SourceEvent>,
    jobs: Vec<Job>,
    /// Largest position of a chunk.
    barrier: Option<Position>,
    patterns: Vec<TablePattern>,
    /// Rows of which the source has left out values that nobody has.
    incomplete: Vec<(SourceTable, Vec<Value>)>,
    /// How long a step waits for events.
    pub(crate) wait: Duration,
    /// Whether tables that appear in the stream are read; else the stream has all of their rows.
    pub(crate) reads_new_tables: bool,
    pub(crate) lost: usize,
}

/// Patterns of tables, in this schema if they name none.
pub(crate) fn patterns_in(default: &str, names: &[&str]) -> Vec<TablePattern> {
    let pattern = |name: &&str| {
        let (schema, table) = name.split_once('.').unwrap_or((default, name));
        TablePattern { connection: None, schema: schema.into(), table: table.into() }
    };
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
            applied: HashMap::new(),
            pending: Vec::new(),
            jobs: Vec::new(),
            barrier: None,
            patterns,
            incomplete: Vec::new(),
            wait: Duration::ZERO,
            reads_new_tables: false,
            lost: 0,
        }
    }

    /// Begins a stream where the state ends. Reads all tables if there is none, or if the position is lost.
    pub(crate) fn start(&mut self, source: &dyn Source) -> Result<(), SourceError> {
        self.stream = None;
        self.numbers.clear();
        self.applied.clear();
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

    /// A table that the stream describes. Another generation of a table takes its place.
    fn relation(&mut self, table: &SourceTable) {
        if self.reads_new_tables && !self.state.tables.contains_key(&table.physical_id) {
            let oid = |id: &str| id.split('(').next().map(str::to_owned);
            let is_other = |known: &Table| {
                (&known.table.schema, &known.table.name) != (&table.schema, &table.name)
                    && oid(&known.table.physical_id) != oid(&table.physical_id)
            };
            self.state.tables.retain(|_, known| is_other(known));
            let live = &self.state.tables;
            self.jobs.retain(|job| live.contains_key(&job.table.physical_id));
            self.jobs.push(Job::new(table.clone()));
        }
        self.know(table);
        let rows = &mut self.state.tables.get_mut(&table.physical_id).expect("a known table").rows;
        if self.reads_new_tables {
            let has = |name: &String| table.columns.iter().any(|column| column.name == *name);
            rows.values_mut().for_each(|row| row.retain(|name, _| has(name)));
        }
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
            let (key, row, _) = read(&job.table, values, &[]);
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
        let events = self.stream.as_mut().expect("a stream").next(self.wait)?;
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
            SourceEvent::Relation { number, table } => {
                self.relation(&table);
                self.applied.insert(number, table);
            }
            SourceEvent::Row(change) => {
                let table = &self.applied[&change.table];
                let known = self.state.tables.get_mut(&table.physical_id).expect("a known table");
                let mut before = None;
                if let Some(key) = change.old_key {
                    assert_eq!(key.len(), table.key.len());
                    before = known.rows.remove(&RowKey::new(&key).0);
                }
                if let Some(values) = change.row {
                    let before = before.or_else(|| known.rows.get(&read_key(&known.table, &values)).cloned());
                    let (key, row, missing) = read(&known.table, &values, before.as_slice());
                    known.rows.insert(key, row);
                    self.incomplete.extend(missing.map(|key| (known.table.clone(), key)));
                }
            }
            SourceEvent::Truncate(tables) => {
                for number in tables {
                    let id = &self.applied[&number].physical_id;
                    self.state.tables.get_mut(id).expect("a known table").rows.clear();
                    for job in self.jobs.iter_mut().filter(|job| job.table.physical_id == *id) {
                        job.truncated_at = Some(position.clone());
                    }
                }
            }
            SourceEvent::Dropped(number) => {
                let id = self.applied[&number].physical_id.clone();
                self.state.tables.remove(&id);
                self.jobs.retain(|job| job.table.physical_id != id);
            }
            _ => {}
        }
    }

    /// Whether all tables were read, and the stream has come to where they were.
    pub(crate) fn is_consistent(&self) -> bool {
        self.jobs.is_empty()
            && self.pending.is_empty()
            && self.incomplete.is_empty()
            && self.state.position >= self.barrier
    }

    /// Runs until everything that was written before is there.
    pub(crate) fn catch_up(&mut self, source: &dyn Source) -> Result<(), SourceError> {
        let head = source.head()?;
        while !self.jobs.is_empty() {
            self.chunk(source, 100)?;
        }
        let mut rests = 0;
        while rests < 10_000 {
            let any = self.step()?;
            while !self.jobs.is_empty() {
                self.chunk(source, 100)?;
            }
            self.complete(source)?;
            if self.is_consistent() && self.state.position.as_ref() >= Some(&head) {
                return Ok(());
            }
            rests += usize::from(!any);
        }
        panic!("the stream does not come to the head: {:?} < {head:?}", self.state.position);
    }

    /// Reads rows again of which the source has left out values.
    fn complete(&mut self, source: &dyn Source) -> Result<(), SourceError> {
        for (table, key) in std::mem::take(&mut self.incomplete) {
            let refetched = source.refetch(&table, std::slice::from_ref(&key))?;
            self.barrier = self.barrier.take().max(Some(refetched.read_at));
            let known = self.state.tables.get_mut(&table.physical_id);
            let Some(row) = known.and_then(|known| known.rows.get_mut(&RowKey::new(&key).0)) else { continue };
            if let Some(values) = refetched.rows.into_iter().next().flatten() {
                *row = read(&table, &values, &[]).1;
            }
        }
        Ok(())
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
    RowKey::new(&key_values(table, values)).0
}

fn key_values(table: &SourceTable, values: &[SourceValue]) -> Vec<Value> {
    let value = |column: &usize| values[*column].to_value(&Settings::default()).expect("keys are complete");
    table.key.iter().map(value).collect()
}

/// A row with its key, and again its key if values are missing that the row had not before either.
fn read(table: &SourceTable, values: &[SourceValue], before: &[Row]) -> (Vec<u8>, Row, Option<Vec<Value>>) {
    assert_eq!(values.len(), table.columns.len());
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let value = |value: &SourceValue| value.to_value(&Settings::of_edition(3));
    let given: Vec<Value> = values.iter().map(|source| value(source).unwrap_or(Value::Null)).collect();
    let mut row = row(&columns, &given);
    let mut is_incomplete = false;
    for (column, _) in columns.iter().zip(values).filter(|(_, source)| value(source).is_none()) {
        match before.first().and_then(|before| before.get(column)) {
            Some(shown) => drop(row.insert(column.clone(), shown.clone())),
            None => is_incomplete = true,
        }
    }
    (read_key(table, values), row, is_incomplete.then(|| key_values(table, values)))
}
