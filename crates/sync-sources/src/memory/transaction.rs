//! Writing to a source in memory.

use sync_config::Value;
use sync_engine::row::{Column, Position};
use sync_engine::source::SourceError;

use super::MemorySource;
use super::database::{NewTable, Operation};
use crate::error::configuration;
use crate::json::transactions;

/// Changes that are made together by [`Transaction::commit`]; dropping it makes none.
#[must_use = "nothing is written until it is committed"]
pub struct Transaction<'s> {
    source: &'s MemorySource,
    operations: Vec<Operation>,
}

impl MemorySource {
    /// Begins a transaction. Others may be open at the same time; they are in the order of their commits.
    pub fn begin(&self) -> Transaction<'_> {
        Transaction { source: self, operations: Vec::new() }
    }

    /// Creates a table in a transaction of its own: columns without types, and the names of those that are the key.
    ///
    /// # Errors
    /// There is such a table, or the key is not among the columns.
    pub fn create_table(&self, name: &str, columns: &[&str], key: &[&str]) -> Result<Position, SourceError> {
        self.begin().create_table(name, columns, key)?.commit()
    }

    /// Runs transactions in the form of the files of a JSON folder, one on each line: see [`crate::json`]. Lines before a
    /// wrong one have been run.
    ///
    /// # Errors
    /// A line is not a transaction.
    pub fn load(&self, lines: &str) -> Result<Position, SourceError> {
        let mut state = self.shared.lock();
        let result = transactions::run(lines, &mut state.database);
        let head = Position::from_number(state.database.head);
        drop(state);
        self.shared.notify();
        let result = result.map_err(|problem| configuration(problem.to_string()));
        result.map(|()| head)
    }
}

impl Transaction<'_> {
    /// Creates a table: columns without types, and the names of those that are the key.
    ///
    /// # Errors
    /// The key is not among the columns.
    pub fn create_table(mut self, name: &str, columns: &[&str], key: &[&str]) -> Result<Self, SourceError> {
        let place = |key: &&str| columns.iter().position(|column| column == key);
        let key: Option<Vec<usize>> = key.iter().map(place).collect();
        let key = key.ok_or_else(|| configuration(format!("the key of table {name} is not among its columns")))?;
        let columns = untyped(columns);
        let table = NewTable { name: name.to_owned(), columns, key, is_schemaless: false };
        self.operations.push(Operation::Create(table));
        Ok(self)
    }

    /// Gives a table other columns: those of the same name keep their values, and streams do not give rows again.
    pub fn alter_table(self, table: &str, columns: &[&str]) -> Self {
        self.with(Operation::Alter { table: table.to_owned(), columns: untyped(columns), rewrite: false })
    }

    /// Writes a row, a value for each column; NULL for those at the end that it lacks.
    pub fn put(self, table: &str, row: Vec<Value>) -> Self {
        self.put_unsent(table, row, Vec::new())
    }

    /// Writes a row, and leaves the values of these columns out of the stream, as databases do with large values that have
    /// not changed.
    pub fn put_unsent(self, table: &str, row: Vec<Value>, unsent: Vec<usize>) -> Self {
        self.with(Operation::Put { table: table.to_owned(), old_key: None, row, unsent })
    }

    /// Writes a row in the place of one with another key.
    pub fn rekey(self, table: &str, old_key: Vec<Value>, row: Vec<Value>) -> Self {
        self.with(Operation::Put { table: table.to_owned(), old_key: Some(old_key), row, unsent: Vec::new() })
    }

    /// Deletes a row by the values of its key columns.
    pub fn delete(self, table: &str, key: Vec<Value>) -> Self {
        self.with(Operation::Delete { table: table.to_owned(), key })
    }

    /// Deletes all rows of tables.
    pub fn truncate(self, tables: &[&str]) -> Self {
        self.with(Operation::Truncate(tables.iter().map(|table| (*table).to_owned()).collect()))
    }

    /// Removes a table.
    pub fn drop_table(self, table: &str) -> Self {
        self.with(Operation::Drop(table.to_owned()))
    }

    /// Makes the changes, and returns the position after them.
    ///
    /// # Errors
    /// A table is unknown or known already, or a row does not fit it; then nothing was changed.
    pub fn commit(self) -> Result<Position, SourceError> {
        let result = self.source.shared.lock().database.commit(self.operations);
        self.source.shared.notify();
        result.map(Position::from_number)
    }

    fn with(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }
}

fn untyped(names: &[&str]) -> Vec<Column> {
    names.iter().map(|name| Column { name: (*name).to_owned(), type_name: String::new() }).collect()
}
