//! Tables in memory, with the list of transactions that made them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sync_config::Value;
use sync_engine::row::{Column, RowKey, SourceTable, SourceValue};
use sync_engine::source::SourceError;

use crate::common::{key_of, physical_id};
use crate::error::configuration;

/// What a transaction does, in order.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Create(NewTable),
    /// Columns by their names; values of those that go are forgotten, new ones are NULL.
    Alter {
        table: String,
        columns: Vec<Column>,
        /// Whether streams give all rows again.
        rewrite: bool,
    },
    /// Writes a row. Values of `unsent` columns are stored, and left out of streams.
    Put {
        table: String,
        old_key: Option<Vec<Value>>,
        row: Vec<Value>,
        unsent: Vec<usize>,
    },
    Delete {
        table: String,
        key: Vec<Value>,
    },
    Truncate(Vec<String>),
    Drop(String),
}

/// A table to be created.
#[derive(Clone, Debug)]
pub(crate) struct NewTable {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// Numbers of columns.
    pub(crate) key: Vec<usize>,
    pub(crate) is_schemaless: bool,
}

/// A transaction as streams give it.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) position: u64,
    pub(crate) changes: Vec<Change>,
}

#[derive(Debug)]
pub(crate) enum Change {
    Defined(Arc<SourceTable>),
    Put { table: Arc<SourceTable>, old_key: Option<Vec<Value>>, row: Vec<SourceValue> },
    Delete { table: Arc<SourceTable>, key: Vec<Value> },
    Truncate(Vec<Arc<SourceTable>>),
    Dropped(Arc<SourceTable>),
}

/// A table and its rows.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) definition: Arc<SourceTable>,
    /// A value for each column.
    pub(crate) rows: BTreeMap<RowKey, Arc<Vec<Value>>>,
}

/// All tables, and the transactions since the position that everybody has seen.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) schema: String,
    pub(crate) tables: BTreeMap<String, Table>,
    generations: BTreeMap<String, u32>,
    /// Nobody continues from an earlier position.
    pub(crate) forgotten: u64,
    pub(crate) head: u64,
    transactions: VecDeque<Arc<Committed>>,
}

impl Database {
    pub(crate) fn new(schema: &str, start: u64) -> Self {
        Self {
            schema: schema.to_owned(),
            tables: BTreeMap::new(),
            generations: BTreeMap::new(),
            forgotten: start,
            head: start,
            transactions: VecDeque::new(),
        }
    }

    /// The transaction that follows a position.
    pub(crate) fn after(&self, position: u64) -> Option<&Arc<Committed>> {
        let at = self.transactions.partition_point(|transaction| transaction.position <= position);
        self.transactions.get(at)
    }

    /// Forgets what came up to a position.
    pub(crate) fn forget(&mut self, position: u64) {
        let position = position.min(self.head);
        self.forgotten = self.forgotten.max(position);
        while self.transactions.front().is_some_and(|transaction| transaction.position <= position) {
            self.transactions.pop_front();
        }
    }

    /// Does all of it, or nothing if something of it is wrong. An empty transaction is one, too.
    pub(crate) fn commit(&mut self, operations: Vec<Operation>) -> Result<u64, SourceError> {
        self.check(&operations)?;
        let mut changes = Vec::new();
        for operation in operations {
            self.apply(operation, &mut changes);
        }
        self.head = self.head.saturating_add(1);
        self.transactions.push_back(Arc::new(Committed { position: self.head, changes }));
        Ok(self.head)
    }

    /// Finds mistakes before anything is changed.
    fn check(&self, operations: &[Operation]) -> Result<(), SourceError> {
        // Columns and key columns of the tables that the operations change, by name; none of those that they drop.
        let mut changed: BTreeMap<&str, Option<(usize, usize)>> = BTreeMap::new();
        for operation in operations {
            let shape = |name: &str, changed: &BTreeMap<&str, Option<(usize, usize)>>| {
                let stored = || self.tables.get(name).map(|table| shape_of(&table.definition));
                let found = changed.get(name).copied().unwrap_or_else(stored);
                found.ok_or_else(|| configuration(format!("there is no table {name}")))
            };
            let wrong = |what: &str, table: &str| Err(configuration(format!("{what} of table {table}")));
            match operation {
                Operation::Create(table) => {
                    if shape(&table.name, &changed).is_ok() {
                        return Err(configuration(format!("there is a table {} already", table.name)));
                    }
                    if table.key.is_empty() || table.key.iter().any(|column| *column >= table.columns.len()) {
                        return wrong("the key is not among the columns", &table.name);
                    }
                    changed.insert(&table.name, Some((table.columns.len(), table.key.len())));
                }
                Operation::Alter { table, columns, .. } => {
                    let (_, key) = shape(table, &changed)?;
                    if let Some(stored) = self.tables.get(table)
                        && !key_names(&stored.definition).all(|name| columns.iter().any(|column| column.name == name))
                    {
                        return wrong("the new columns lack a key column", table);
                    }
                    changed.insert(table, Some((columns.len(), key)));
                }
                Operation::Put { table, old_key, row, .. } => {
                    let (columns, key) = shape(table, &changed)?;
                    if row.len() > columns {
                        return wrong("a row has more values than there are columns", table);
                    }
                    if old_key.as_ref().is_some_and(|old| old.len() != key) {
                        return wrong("a key has another number of values than the key", table);
                    }
                }
                Operation::Delete { table, key } => {
                    if key.len() != shape(table, &changed)?.1 {
                        return wrong("a key has another number of values than the key", table);
                    }
                }
                Operation::Truncate(tables) => {
                    tables.iter().try_for_each(|table| shape(table, &changed).map(|_| ()))?;
                }
                Operation::Drop(table) => {
                    shape(table, &changed)?;
                    changed.insert(table, None);
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, operation: Operation, changes: &mut Vec<Change>) {
        match operation {
            Operation::Create(table) => {
                let generation = self.generations.entry(table.name.clone()).or_insert(0);
                *generation = generation.saturating_add(1);
                let names = table.key.iter().filter_map(|column| table.columns.get(*column));
                let definition = Arc::new(SourceTable {
                    physical_id: physical_id(&table.name, names.map(|column| column.name.as_str()), *generation),
                    schema: self.schema.clone(),
                    name: table.name.clone(),
                    columns: table.columns,
                    key: table.key,
                    is_schemaless: table.is_schemaless,
                });
                changes.push(Change::Defined(Arc::clone(&definition)));
                self.tables.insert(table.name, Table { definition, rows: BTreeMap::new() });
            }
            Operation::Alter { table, columns, rewrite } => {
                let Some(table) = self.tables.get_mut(&table) else { return };
                table.alter(columns);
                changes.push(Change::Defined(Arc::clone(&table.definition)));
                if rewrite {
                    changes.extend(table.rows.values().map(|row| Change::Put {
                        table: Arc::clone(&table.definition),
                        old_key: None,
                        row: row.iter().cloned().map(SourceValue::Value).collect(),
                    }));
                }
            }
            Operation::Put { table, old_key, mut row, unsent } => {
                let Some(table) = self.tables.get_mut(&table) else { return };
                row.resize(table.definition.columns.len(), Value::Null);
                let key = RowKey::new(&key_of(&row, &table.definition.key));
                if let Some(old_key) = &old_key {
                    table.rows.remove(&RowKey::new(old_key));
                }
                let sent = row.iter().enumerate().map(|(column, value)| match unsent.contains(&column) {
                    true => SourceValue::Missing,
                    false => SourceValue::Value(value.clone()),
                });
                changes.push(Change::Put { table: Arc::clone(&table.definition), old_key, row: sent.collect() });
                table.rows.insert(key, Arc::new(row));
            }
            Operation::Delete { table, key } => {
                let Some(table) = self.tables.get_mut(&table) else { return };
                table.rows.remove(&RowKey::new(&key));
                changes.push(Change::Delete { table: Arc::clone(&table.definition), key });
            }
            Operation::Truncate(names) => {
                let mut truncated = Vec::new();
                for name in names {
                    if let Some(table) = self.tables.get_mut(&name) {
                        table.rows.clear();
                        truncated.push(Arc::clone(&table.definition));
                    }
                }
                changes.push(Change::Truncate(truncated));
            }
            Operation::Drop(name) => {
                if let Some(table) = self.tables.remove(&name) {
                    changes.push(Change::Dropped(table.definition));
                }
            }
        }
    }
}

impl Table {
    /// The rows after a key, at most so many.
    pub(crate) fn page(&self, after: Option<&RowKey>, limit: usize) -> Vec<Arc<Vec<Value>>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.rows.range((from, Unbounded)).take(limit).map(|(_, row)| Arc::clone(row)).collect()
    }

    fn alter(&mut self, columns: Vec<Column>) {
        let old = &self.definition;
        let place = |name: &str| old.columns.iter().position(|column| column.name == name);
        let places: Vec<Option<usize>> = columns.iter().map(|column| place(&column.name)).collect();
        let new_place = |name: &str| columns.iter().position(|column| column.name == name);
        let key = key_names(old).filter_map(new_place).collect();
        let definition = SourceTable { key, columns: columns.clone(), ..SourceTable::clone(old) };
        for row in self.rows.values_mut() {
            let value = |place: &Option<usize>| place.and_then(|at| row.get(at).cloned()).unwrap_or(Value::Null);
            *row = Arc::new(places.iter().map(value).collect());
        }
        self.definition = Arc::new(definition);
    }
}

/// The numbers of columns and of key columns.
fn shape_of(table: &SourceTable) -> (usize, usize) {
    (table.columns.len(), table.key.len())
}

pub(crate) fn key_names(table: &SourceTable) -> impl Iterator<Item = &str> {
    table.key.iter().filter_map(|column| table.columns.get(*column)).map(|column| column.name.as_str())
}
