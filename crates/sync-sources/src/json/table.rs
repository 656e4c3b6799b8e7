//! The content of a file that holds a table: an array of objects.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sync_config::Value;
use sync_engine::row::{Column, RowKey};

use super::object::Object;
use super::problem::Problem;
use crate::memory::database::{Database, NewTable, Operation, key_names};

/// Columns in the order in which the rows first have them, and rows by their keys.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) columns: Vec<String>,
    pub(crate) key: String,
    pub(crate) rows: BTreeMap<RowKey, Vec<Value>>,
}

/// The members that can be the key.
pub(crate) const KEYS: [&str; 2] = ["id", "_id"];

impl Content {
    /// Reads an array of objects.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let rows: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| Problem::of(text, 0, &error))?;
        let mut key = None;
        let mut columns = Columns::default();
        let mut content = BTreeMap::new();
        for row in rows {
            let offset = Problem::offset(text, row.get());
            let wrong = |message: String| Problem::at(text, offset, message);
            let object: Object = serde_json::from_str(row.get()).map_err(|error| Problem::of(text, offset, &error))?;
            let key = *key.get_or_insert_with(|| key_name(&object));
            let id = id_of(&object, key).map_err(&wrong)?;
            if content.insert(RowKey::new(&[id]), columns.row(object)).is_some() {
                return Err(wrong(format!("another row has the same `{key}`")));
            }
        }
        if columns.names.is_empty() {
            columns.names.push(KEYS[0].to_owned());
        }
        for row in content.values_mut() {
            row.resize(columns.names.len(), Value::Null);
        }
        Ok(Self { columns: columns.names, key: key.unwrap_or(KEYS[0]).to_owned(), rows: content })
    }

    /// What makes this of the table as it is.
    pub(crate) fn changes(&self, name: &str, database: &Database) -> Vec<Operation> {
        let mut operations = Vec::new();
        let stored = database.tables.get(name);
        let same_key = stored.filter(|table| key_names(&table.definition).eq([self.key.as_str()]));
        if stored.is_some() && same_key.is_none() {
            operations.push(Operation::Drop(name.to_owned()));
        }
        match same_key {
            None => operations.push(Operation::Create(new_table(name, &self.columns, &self.key))),
            Some(table) => {
                let same = table.definition.columns.iter().map(|column| &column.name).eq(&self.columns);
                if !same {
                    let columns = untyped(&self.columns);
                    operations.push(Operation::Alter { table: name.to_owned(), columns, rewrite: true });
                }
            }
        }
        // Where the columns are, in the order of the table as it is.
        let places: Option<Vec<Option<usize>>> = same_key.map(|table| {
            let place = |name: &String| table.definition.columns.iter().position(|column| column.name == *name);
            self.columns.iter().map(place).collect()
        });
        let is_same = |old: &[Value], new: &[Value]| {
            let mut pairs = places.iter().flatten().zip(new);
            pairs.all(|(place, new)| is_equal(place.and_then(|at| old.get(at)).unwrap_or(&Value::Null), new))
        };
        if let Some(table) = same_key {
            for (key, row) in &table.rows {
                if !self.rows.contains_key(key) {
                    let key = crate::common::key_of(row, &table.definition.key);
                    operations.push(Operation::Delete { table: name.to_owned(), key });
                }
            }
        }
        for (key, row) in &self.rows {
            let old = same_key.and_then(|table| table.rows.get(key));
            if !old.is_some_and(|old| is_same(old, row)) {
                let (table, row) = (name.to_owned(), row.clone());
                operations.push(Operation::Put { table, old_key: None, row, unsent: Vec::new() });
            }
        }
        operations
    }
}

/// Columns as they come up.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
    places: std::collections::HashMap<String, usize>,
}

impl Columns {
    /// Adds what is new.
    pub(crate) fn add(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.names.len();
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }

    /// The values of an object; columns that are new are added.
    pub(crate) fn row(&mut self, object: Object) -> Vec<Value> {
        let mut row = vec![Value::Null; self.names.len()];
        for (name, value) in object.0 {
            let place = self.add(&name);
            if row.len() <= place {
                row.resize(place.saturating_add(1), Value::Null);
            }
            if let Some(slot) = row.get_mut(place) {
                *slot = value;
            }
        }
        row
    }
}

/// The name of the member that is the key.
pub(crate) fn key_name(object: &Object) -> &'static str {
    KEYS.into_iter().find(|key| object.get(key).is_some()).unwrap_or(KEYS[0])
}

/// The key of a row.
pub(crate) fn id_of(object: &Object, key: &str) -> Result<Value, String> {
    match object.get(key) {
        None => Err(format!("the row has no `{key}`")),
        Some(Value::Null) => Err(format!("`{key}` is null")),
        Some(value) => Ok(value.clone()),
    }
}

pub(crate) fn new_table(name: &str, columns: &[String], key: &str) -> NewTable {
    let place = columns.iter().position(|column| column == key).unwrap_or(0);
    NewTable { name: name.to_owned(), columns: untyped(columns), key: vec![place], is_schemaless: true }
}

pub(crate) fn untyped(names: &[String]) -> Vec<Column> {
    names.iter().map(|name| Column { name: name.clone(), type_name: String::new() }).collect()
}

/// Of the same type, too.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
        (Value::Integer(_), Value::Real(_)) | (Value::Real(_), Value::Integer(_)) => false,
        _ => a.order(b).is_eq(),
    }
}
