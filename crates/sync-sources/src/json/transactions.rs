//! Transactions as lines of JSON: `{"put": {"lists": [{"id": "1"}]}, "delete": {"lists": ["2"]}, "truncate": ["items"],
//! "drop": ["old"]}`. In a line, tables are dropped first, then truncated, then rows are deleted, then written.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::object::{self, Object};
use super::problem::Problem;
use super::table::{Columns, id_of, key_name, new_table, untyped};
use crate::memory::database::{Database, Operation, key_names};

/// A line, as it is written. Rows are read later, when their table is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(default)]
    drop: Vec<String>,
    #[serde(default)]
    truncate: Vec<String>,
    #[serde(default, borrow)]
    delete: BTreeMap<String, Vec<&'l RawValue>>,
    #[serde(default, borrow)]
    put: BTreeMap<String, Vec<&'l RawValue>>,
}

/// Runs all transactions. A line that is wrong ends it.
pub(crate) fn run(text: &str, database: &mut Database) -> Result<(), Problem> {
    for line in text.lines() {
        run_line(text, line, &|_| false, database)?;
    }
    Ok(())
}

/// Runs the transaction of one line, which is a part of the text; blank lines are none. Returns the tables that it names,
/// and whether they exist after it.
pub(crate) fn run_line(
    text: &str,
    line: &str,
    has_other: &dyn Fn(&str) -> bool,
    database: &mut Database,
) -> Result<Vec<(String, bool)>, Problem> {
    let offset = Problem::offset(text, line);
    if line.trim().is_empty() {
        return Ok(Vec::new());
    }
    let read: Line<'_> = serde_json::from_str(line).map_err(|error| Problem::of(text, offset, &error))?;
    let named = read.drop.iter().chain(&read.truncate).chain(read.delete.keys()).chain(read.put.keys());
    let named: Vec<String> = named.cloned().collect();
    if let Some(table) = named.iter().find(|table| has_other(table)) {
        return Err(Problem::at(text, offset, format!("another file has a table {table}")));
    }
    let operations = operations_of(text, read, database)?;
    database.commit(operations).map_err(|error| Problem::at(text, offset, error.message))?;
    let exists = |table: String| (database.tables.contains_key(&table), table);
    Ok(named.into_iter().map(exists).map(|(exists, table)| (table, exists)).collect())
}

fn operations_of(text: &str, read: Line<'_>, database: &Database) -> Result<Vec<Operation>, Problem> {
    let mut operations = Vec::new();
    let dropped: HashSet<&String> = read.drop.iter().collect();
    operations.extend(read.drop.iter().map(|table| Operation::Drop(table.clone())));
    if !read.truncate.is_empty() {
        operations.push(Operation::Truncate(read.truncate));
    }
    for (table, keys) in read.delete {
        for key in keys {
            let value = object::value(key.get());
            let value = value.map_err(|message| Problem::at(text, Problem::offset(text, key.get()), message))?;
            operations.push(Operation::Delete { table: table.clone(), key: vec![value] });
        }
    }
    for (table, rows) in read.put {
        let stored = database.tables.get(&table).filter(|_| !dropped.contains(&table));
        let mut columns = Columns::default();
        for column in stored.iter().flat_map(|table| &table.definition.columns) {
            columns.add(&column.name);
        }
        let known = columns.names.len();
        let mut key = stored.and_then(|table| key_names(&table.definition).next().map(str::to_owned));
        let mut values = Vec::new();
        for row in rows {
            let offset = Problem::offset(text, row.get());
            let object: Object = serde_json::from_str(row.get()).map_err(|error| Problem::of(text, offset, &error))?;
            let key = &*key.get_or_insert_with(|| key_name(&object).to_owned());
            id_of(&object, key).map_err(|message| Problem::at(text, offset, message))?;
            values.push(columns.row(object));
        }
        let Some(key) = key else { continue };
        if stored.is_none() {
            operations.push(Operation::Create(new_table(&table, &columns.names, &key)));
        } else if columns.names.len() > known {
            let columns = untyped(&columns.names);
            operations.push(Operation::Alter { table: table.clone(), columns, rewrite: true });
        }
        operations.extend(values.into_iter().map(|row| Operation::Put {
            table: table.clone(),
            old_key: None,
            row,
            unsent: Vec::new(),
        }));
    }
    Ok(operations)
}
