//! A source whose history is kept, so that every position can be looked at again.

use std::collections::BTreeMap;
use std::rc::Rc;

use sync_config::Value;

use crate::row::{Column, Position, RowKey, SourceTable, SourceValue};
use crate::source::{Refetched, RowChange, SnapshotChunk, SourceEvent};

/// Tables by their names, at one position.
pub(super) type State = BTreeMap<String, Rc<Table>>;

/// A table at one position.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) source: Rc<SourceTable>,
    pub(super) rows: BTreeMap<RowKey, Vec<Value>>,
}

/// What a transaction does.
#[derive(Clone, Debug)]
enum Change {
    Row { table: Rc<SourceTable>, old_key: Option<Vec<Value>>, row: Option<Vec<SourceValue>> },
    Truncate(Rc<SourceTable>),
    Dropped(Rc<SourceTable>),
    Relation(Rc<SourceTable>),
}

/// The source.
#[derive(Default)]
pub(super) struct World {
    head: u64,
    /// State after each position that may be asked for.
    states: BTreeMap<u64, State>,
    log: BTreeMap<u64, Vec<Change>>,
    open: Option<(State, Vec<Change>)>,
    generations: u64,
}

/// A place in the history from which events come.
#[derive(Default)]
pub(super) struct Stream {
    position: u64,
    /// Events of the transaction at `position + 1` that were given.
    given: usize,
    numbers: BTreeMap<String, (u32, Rc<SourceTable>)>,
    is_idle_told: bool,
}

impl Table {
    fn key_of(&self, row: &[Value]) -> Vec<Value> {
        self.source.key.iter().map(|column| row[*column].clone()).collect()
    }
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self::default();
        world.states.insert(0, State::new());
        world
    }

    pub(super) fn head(&self) -> Position {
        Position::from_number(self.head)
    }

    pub(super) fn state(&self, position: &Position) -> &State {
        let number = position.number().unwrap();
        self.states.range(..=number).next_back().unwrap().1
    }

    pub(super) fn now(&self) -> &State {
        self.states.values().next_back().unwrap()
    }

    /// The table, with the changes of the transaction that is open.
    pub(super) fn current(&self, name: &str) -> Option<&Table> {
        let state = self.open.as_ref().map_or_else(|| self.now(), |(state, _)| state);
        state.get(name).map(|table| &**table)
    }

    /// States and changes before this position are not asked for any more.
    pub(super) fn forget_before(&mut self, position: &Position) {
        let number = position.number().unwrap();
        let first = self.states.range(..=number).next_back().map_or(0, |(at, _)| *at);
        self.states = self.states.split_off(&first);
        self.log = self.log.split_off(&number);
    }

    fn open(&mut self) -> &mut (State, Vec<Change>) {
        if self.open.is_none() {
            self.open = Some((self.now().clone(), Vec::new()));
        }
        self.open.as_mut().unwrap()
    }

    /// Ends the transaction that earlier calls made.
    pub(super) fn commit(&mut self) {
        let Some((state, changes)) = self.open.take() else { return };
        self.head += 1;
        self.states.insert(self.head, state);
        self.log.insert(self.head, changes);
    }

    /// Moves the position without a change.
    pub(super) fn mark(&mut self) {
        self.head += 1;
    }

    pub(super) fn create(&mut self, name: &str, columns: &[&str], key: &[usize]) {
        self.generations += 1;
        let physical_id = format!("{name}-{}", self.generations);
        self.create_as(name, &physical_id, columns, key);
    }

    pub(super) fn create_as(&mut self, name: &str, physical_id: &str, columns: &[&str], key: &[usize]) {
        let column = |name: &&str| Column { name: (*name).to_owned(), type_name: String::new() };
        let source = Rc::new(SourceTable {
            physical_id: physical_id.to_owned(),
            schema: "main".to_owned(),
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
            key: key.to_vec(),
            is_schemaless: false,
        });
        let (state, changes) = self.open();
        changes.push(Change::Relation(Rc::clone(&source)));
        state.insert(name.to_owned(), Rc::new(Table { source, rows: BTreeMap::new() }));
    }

    /// Writes a row, and removes the one with `old_key` if it is another one. Columns that `unsent` names are not sent.
    pub(super) fn put_as(&mut self, table: &str, old_key: Option<&[Value]>, row: Vec<Value>, unsent: &[usize]) {
        let (state, changes) = self.open();
        let table = Rc::make_mut(state.get_mut(table).unwrap());
        let key = table.key_of(&row);
        let mut sent: Vec<SourceValue> = row.iter().cloned().map(SourceValue::Value).collect();
        unsent.iter().for_each(|column| sent[*column] = SourceValue::Missing);
        if let Some(old_key) = old_key {
            table.rows.remove(&RowKey::new(old_key));
        }
        table.rows.insert(RowKey::new(&key), row);
        let old_key = old_key.map(<[Value]>::to_vec);
        changes.push(Change::Row { table: Rc::clone(&table.source), old_key, row: Some(sent) });
    }

    pub(super) fn put(&mut self, table: &str, row: Vec<Value>) {
        self.put_as(table, None, row, &[]);
    }

    pub(super) fn delete(&mut self, table: &str, key: &[Value]) {
        let (state, changes) = self.open();
        let table = Rc::make_mut(state.get_mut(table).unwrap());
        table.rows.remove(&RowKey::new(key));
        changes.push(Change::Row { table: Rc::clone(&table.source), old_key: Some(key.to_vec()), row: None });
    }

    pub(super) fn truncate(&mut self, table: &str) {
        let (state, changes) = self.open();
        let table = Rc::make_mut(state.get_mut(table).unwrap());
        table.rows.clear();
        changes.push(Change::Truncate(Rc::clone(&table.source)));
    }

    pub(super) fn drop_table(&mut self, name: &str) {
        let (state, changes) = self.open();
        if let Some(table) = state.remove(name) {
            changes.push(Change::Dropped(Rc::clone(&table.source)));
        }
    }

    /// Other columns, or another key: with the same rows, but for `change`.
    pub(super) fn alter(
        &mut self,
        name: &str,
        physical_id: Option<&str>,
        columns: &[&str],
        key: &[usize],
        change: impl Fn(&mut Vec<Value>),
    ) {
        let (state, changes) = self.open();
        let table = Rc::make_mut(state.get_mut(name).unwrap());
        let column = |name: &&str| Column { name: (*name).to_owned(), type_name: String::new() };
        let mut source = (*table.source).clone();
        source.columns = columns.iter().map(column).collect();
        source.key = key.to_vec();
        if let Some(physical_id) = physical_id {
            source.physical_id = physical_id.to_owned();
        }
        table.source = Rc::new(source);
        for mut row in std::mem::take(&mut table.rows).into_values() {
            change(&mut row);
            table.rows.insert(RowKey::new(&table.key_of(&row)), row);
        }
        changes.push(Change::Relation(Rc::clone(&table.source)));
    }

    /// Another name for a table.
    pub(super) fn rename(&mut self, name: &str, to: &str) {
        let (state, changes) = self.open();
        let mut table = (*state.remove(name).unwrap()).clone();
        table.source = Rc::new(SourceTable { name: to.to_owned(), ..(*table.source).clone() });
        changes.push(Change::Relation(Rc::clone(&table.source)));
        state.insert(to.to_owned(), Rc::new(table));
    }

    /// Changes the newest state without telling anybody.
    pub(super) fn change_secretly(&mut self, table: &str, change: impl Fn(&mut BTreeMap<RowKey, Vec<Value>>)) {
        let mut newest = self.states.last_entry().unwrap();
        change(&mut Rc::make_mut(newest.get_mut().get_mut(table).unwrap()).rows);
    }

    /// The tables as they are now.
    pub(super) fn tables(&self) -> Vec<SourceTable> {
        self.now().values().map(|table| (*table.source).clone()).collect()
    }

    /// A chunk as it is now; none if the table is not what it was.
    pub(super) fn chunk(&self, table: &SourceTable, after: Option<&[Value]>, limit: usize) -> Option<SnapshotChunk> {
        let now = self.now().get(&table.name)?;
        if *now.source != *table {
            return None;
        }
        let after = after.map(RowKey::new);
        let mut rows = now.rows.iter().filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
        let chunk: Vec<Vec<Value>> = rows.by_ref().take(limit).map(|(_, row)| row.clone()).collect();
        let next = chunk.last().map(|row| now.key_of(row)).filter(|_| rows.next().is_some());
        let rows = chunk.into_iter().map(|row| row.into_iter().map(SourceValue::Value).collect()).collect();
        Some(SnapshotChunk { rows, next, read_at: self.head() })
    }

    /// Rows by their keys; none if the table is not what it was.
    pub(super) fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Option<Refetched> {
        let now = self.now().get(&table.name).filter(|now| now.source.physical_id == table.physical_id)?;
        let number = |column: &Column| now.source.columns.iter().position(|other| other.name == column.name);
        let columns: Vec<usize> = table.columns.iter().map(number).collect::<Option<_>>()?;
        let row = |key: &Vec<Value>| {
            let row = now.rows.get(&RowKey::new(key))?;
            Some(columns.iter().map(|column| SourceValue::Value(row[*column].clone())).collect())
        };
        Some(Refetched { rows: keys.iter().map(row).collect(), read_at: self.head() })
    }

    /// The next events, at most about `limit`; empty if there are none.
    pub(super) fn events(&self, stream: &mut Stream, limit: usize) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        while events.len() < limit && stream.position < self.head {
            let next = self.log.range(stream.position + 1..).next();
            let Some((position, changes)) = next else {
                stream.position = self.head;
                events.push(SourceEvent::Idle { position: self.head() });
                break;
            };
            if stream.given == 0 {
                events.push(SourceEvent::Begin);
            }
            while let Some(change) = changes.get(stream.given).filter(|_| events.len() < limit) {
                stream.given += 1;
                stream.give(change, &mut events);
            }
            if stream.given == changes.len() {
                let time = Some(i64::try_from(*position).unwrap() * 1000);
                events.push(SourceEvent::Commit { position: Position::from_number(*position), time });
                (stream.position, stream.given, stream.is_idle_told) = (*position, 0, false);
            }
        }
        if events.is_empty() && !stream.is_idle_told {
            stream.is_idle_told = true;
            events.push(SourceEvent::Idle { position: Position::from_number(stream.position) });
        }
        events
    }

    /// A transaction that the stream has given before, once more.
    pub(super) fn repeated(&self, stream: &mut Stream, position: u64) -> Vec<SourceEvent> {
        let Some(changes) = self.log.get(&position).filter(|_| position <= stream.position && stream.given == 0) else {
            return Vec::new();
        };
        let is_same = |table: &Rc<SourceTable>| {
            stream.numbers.get(&table.name).is_some_and(|(_, known)| known.physical_id == table.physical_id)
        };
        let rows_only = changes.iter().all(|change| match change {
            Change::Row { table, .. } | Change::Truncate(table) => is_same(table),
            Change::Dropped(_) | Change::Relation(_) => false,
        });
        if !rows_only {
            return Vec::new();
        }
        let mut events = vec![SourceEvent::Begin];
        for change in changes {
            stream.give(change, &mut events);
        }
        events.push(SourceEvent::Commit { position: Position::from_number(position), time: None });
        events
    }
}

impl Stream {
    pub(super) fn new(from: &Position) -> Self {
        Self { position: from.number().unwrap(), ..Self::default() }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    fn number(&mut self, table: &Rc<SourceTable>, events: &mut Vec<SourceEvent>) -> u32 {
        let count = u32::try_from(self.numbers.len()).unwrap();
        let known = self.numbers.get(&table.name).cloned();
        match known {
            Some((number, known)) if known == *table => number,
            known => {
                let number = known.map_or(count, |(number, _)| number);
                self.numbers.insert(table.name.clone(), (number, Rc::clone(table)));
                events.push(SourceEvent::Relation { number, table: (**table).clone() });
                number
            }
        }
    }

    fn give(&mut self, change: &Change, events: &mut Vec<SourceEvent>) {
        let event = match change {
            Change::Relation(table) => {
                self.number(table, events);
                return;
            }
            Change::Row { table, old_key, row } => {
                let table = self.number(table, events);
                SourceEvent::Row(RowChange { table, old_key: old_key.clone(), row: row.clone() })
            }
            Change::Truncate(table) => SourceEvent::Truncate(vec![self.number(table, events)]),
            Change::Dropped(table) => {
                let number = self.number(table, events);
                // The same number names another table from now on.
                if let Some((_, known)) = self.numbers.get_mut(&table.name) {
                    let mut gone = (**known).clone();
                    gone.physical_id.push_str(" (gone)");
                    *known = Rc::new(gone);
                }
                SourceEvent::Dropped(number)
            }
        };
        events.push(event);
    }
}
