//! Databases to be written by a test, and read through a source.

use std::collections::BTreeMap;

use fastrand::Rng;
use sync_config::Value;
use sync_engine::row::RowKey;
use sync_engine::source::Source;

use crate::follower::{Content, row};

/// A table of a world: `v` and `w` are values, all other columns are its key.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) key: Vec<usize>,
    pub(crate) keys: Keys,
}

/// What keys of a table are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Keys {
    Text,
    Integer,
    Any,
}

/// What values of other columns are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Values {
    All,
    /// No blobs, and no infinite reals.
    Json,
    /// The same without integers, and with texts of integers and of arrays.
    #[allow(dead_code, reason = "for sources with tests of their own")]
    Documents,
}

/// One write.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Put { table: usize, row: Vec<Value> },
    Rekey { table: usize, old: Vec<Value>, row: Vec<Value> },
    Delete { table: usize, key: Vec<Value> },
    Truncate { table: usize },
}

impl Write {
    pub(crate) fn table(&self) -> usize {
        match self {
            Self::Put { table, .. }
            | Self::Rekey { table, .. }
            | Self::Delete { table, .. }
            | Self::Truncate { table } => *table,
        }
    }
}

pub(crate) trait World {
    fn specs(&self) -> Vec<Spec>;
    /// Opens the source, as after a restart.
    fn open(&self) -> Box<dyn Source>;
    /// Makes a transaction, given the rows after it.
    fn write(&mut self, writes: &[Write], model: &Model);
    /// The schema of its tables.
    fn schema(&self) -> &'static str {
        "main"
    }
    /// Which values can be stored, and come out as they are.
    fn values(&self) -> Values {
        Values::All
    }
    /// Whether a transaction is of one table.
    fn is_by_table(&self) -> bool {
        false
    }
    /// Whether a stream goes on after a restart.
    fn keeps_positions(&self) -> bool {
        true
    }
}

/// What a world holds.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) specs: Vec<Spec>,
    pub(crate) rows: Vec<BTreeMap<Vec<u8>, Vec<Value>>>,
}

impl Model {
    pub(crate) fn new(specs: Vec<Spec>) -> Self {
        let rows = specs.iter().map(|_| BTreeMap::new()).collect();
        Self { specs, rows }
    }

    pub(crate) fn content(&self) -> Content {
        let mut content = Content::new();
        for (spec, rows) in self.specs.iter().zip(&self.rows) {
            let columns: Vec<String> = spec.columns.iter().map(|column| (*column).to_owned()).collect();
            let rows = rows.iter().map(|(key, values)| (key.clone(), row(&columns, values)));
            content.insert(spec.name.to_owned(), rows.collect());
        }
        content
    }

    fn key(&self, table: usize, row: &[Value]) -> Vec<Value> {
        self.specs[table].key.iter().map(|column| row[*column].clone()).collect()
    }

    /// A random transaction, which is applied here.
    pub(crate) fn random(&mut self, rng: &mut Rng, values: Values, by_table: bool) -> Vec<Write> {
        let only = rng.usize(..self.specs.len());
        let mut writes = Vec::new();
        for _ in 0..rng.usize(1..6) {
            let table = if by_table { only } else { rng.usize(..self.specs.len()) };
            let existing: Vec<Vec<Value>> = self.rows[table].values().cloned().collect();
            let pick = |rng: &mut Rng| existing[rng.usize(..existing.len())].clone();
            let new = self.random_row(rng, table, values);
            let write = match rng.u8(..20) {
                0..=9 => Write::Put { table, row: new },
                10..=12 if !existing.is_empty() => {
                    let mut row = pick(rng);
                    for (column, value) in row.iter_mut().enumerate() {
                        if !self.specs[table].key.contains(&column) {
                            *value = random_value(rng, values);
                        }
                    }
                    Write::Put { table, row }
                }
                13..=14 if !existing.is_empty() => {
                    let old = self.key(table, &pick(rng));
                    // Onto a key that is free: what happens else is each database's own matter.
                    if self.rows[table].contains_key(&RowKey::new(&self.key(table, &new)).0) {
                        continue;
                    }
                    Write::Rekey { table, old, row: new }
                }
                15..=18 if !existing.is_empty() => Write::Delete { table, key: self.key(table, &pick(rng)) },
                19 if rng.u8(..4) == 0 => Write::Truncate { table },
                _ => Write::Put { table, row: new },
            };
            self.apply(&write);
            writes.push(write);
        }
        writes
    }

    fn apply(&mut self, write: &Write) {
        let rows = &mut self.rows[write.table()];
        match write {
            Write::Delete { key, .. } => {
                rows.remove(&RowKey::new(key).0);
            }
            Write::Truncate { .. } => rows.clear(),
            Write::Rekey { old, .. } => {
                rows.remove(&RowKey::new(old).0);
            }
            Write::Put { .. } => {}
        }
        if let Write::Put { table, row } | Write::Rekey { table, row, .. } = write {
            let key = RowKey::new(&self.key(*table, row)).0;
            self.rows[*table].insert(key, row.clone());
        }
    }

    fn random_row(&self, rng: &mut Rng, table: usize, values: Values) -> Vec<Value> {
        let spec = &self.specs[table];
        let value = |column: usize, rng: &mut Rng| match (spec.key.contains(&column), spec.keys) {
            (false, _) => random_value(rng, values),
            (true, Keys::Integer) => Value::Integer(rng.i64(-8..8)),
            (true, Keys::Text) => Value::Text(random_key(rng)),
            (true, Keys::Any) => match rng.u8(..4) {
                0 => Value::Integer(rng.i64(-3..3)),
                1 => Value::Real(rng.i64(-3..3) as f64 + 0.5),
                2 => Value::Text(random_key(rng)),
                _ => Value::Blob(vec![rng.u8(..3); rng.usize(..3)]),
            },
        };
        (0..spec.columns.len()).map(|column| value(column, rng)).collect()
    }
}

fn random_key(rng: &mut Rng) -> String {
    let parts = ["a", "A", "b", "ä", "\u{0}", "'", "\"", "\u{1f980}", " "];
    (0..rng.usize(1..3)).map(|_| parts[rng.usize(..parts.len())]).collect()
}

pub(crate) fn random_value(rng: &mut Rng, values: Values) -> Value {
    match rng.u8(..if values == Values::All { 6 } else { 4 }) {
        0 => Value::Null,
        1 if values == Values::Documents => {
            Value::text(["-9223372036854775808", "9007199254740993", r#"["9",{"a":1.0}]"#][rng.usize(..3)])
        }
        1 => [i64::MAX, i64::MIN, 0, 1 << 53, (1 << 53) + 1, -1].map(Value::Integer)[rng.usize(..6)].clone(),
        2 => Value::Text((0..rng.usize(..6)).map(|_| rng.char(..)).collect()),
        3 => Value::Real([0.1, 1.0, -2.5e300, 1e-300, 5e-324, 123_456_789.125][rng.usize(..6)]),
        4 => Value::Real([f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2, f64::MAX][rng.usize(..4)]),
        _ => Value::Blob((0..rng.usize(..5)).map(|_| rng.u8(..)).collect()),
    }
}
