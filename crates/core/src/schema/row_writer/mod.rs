//! Writing and removing downloaded rows of raw and direct tables (docs/reference/schema.md#raw-tables).

pub(in crate::schema) mod statement;
pub(in crate::schema) mod values;

use alloc::format;
use alloc::rc::Rc;
use core::cell::RefCell;

use crate::cell;
use crate::error::{Error, Result};

use crate::connection::{CachedStatement, Database};
use crate::schema::definition::RawTable;
use crate::schema::row_writer::statement::RowStatement;
use crate::schema::row_writer::values::RowValues;

/// A raw or direct table, and what was found out about its statements. Good for as long as the database's tables stay
/// what they are.
pub(crate) struct RowTable {
    table: Rc<RawTable>,
    put: RefCell<Option<Rc<RowStatement>>>,
    delete: RefCell<Option<Rc<RowStatement>>>,
}

impl RowTable {
    /// A raw table.
    pub(crate) fn raw(table: Rc<RawTable>) -> Self {
        Self { table, put: RefCell::default(), delete: RefCell::default() }
    }

    /// A direct table: as a raw table of which nothing but the name is known.
    pub(crate) fn direct(name: &str) -> Self {
        Self::raw(Rc::new(RawTable { name: name.into(), table_name: Some(name.into()), ..RawTable::default() }))
    }

    /// The statement kept in `place`, made and prepared on first use. Only rows that come need it: a table may lack
    /// what is never asked of it.
    fn statement<'c>(
        &self,
        place: &RefCell<Option<Rc<RowStatement>>>,
        database: &Database<'c>,
        make: fn(&Database<'_>, &RawTable) -> Result<RowStatement>,
    ) -> Result<Prepared<'c>> {
        let in_table = |error: Error| error.with_context(format_args!("table of type {}", self.table.name));
        let kept = cell::read(place).clone();
        let statement = match kept {
            Some(statement) => statement,
            None => Rc::new(make(database, &self.table).map_err(in_table)?),
        };
        let prepared = statement.prepare(database).map_err(in_table)?;
        cell::replace(place, Some(Rc::clone(&statement)));
        Ok(Prepared { statement, prepared })
    }
}

struct Prepared<'c> {
    statement: Rc<RowStatement>,
    prepared: CachedStatement<'c>,
}

impl Prepared<'_> {
    fn execute(&mut self, values: &RowValues, id: &str, data: &str) -> Result<()> {
        let sources = &self.statement.sources;
        self.prepared.execute_with(sources.len(), &|parameter| {
            sources.get(parameter).and_then(|source| values.parameter(*source, id, data)).into()
        })
    }
}

/// Writes rows of one table, with its statements at hand.
pub(crate) struct RowWriter<'c> {
    table: Rc<RowTable>,
    put: Option<Prepared<'c>>,
    delete: Option<Prepared<'c>>,
    values: RowValues,
}

impl<'c> RowWriter<'c> {
    /// A writer for rows of `table`.
    pub(crate) fn new(table: Rc<RowTable>) -> Self {
        Self { table, put: None, delete: None, values: RowValues::default() }
    }

    /// Writes the row with JSON `data`.
    ///
    /// # Errors
    /// What is wrong with the table or its statement; what SQLite reports, with the row's id, and with its data for a
    /// statement that the application gave.
    pub(crate) fn put(&mut self, database: &Database<'c>, id: &str, data: &str) -> Result<()> {
        let table = &*self.table;
        let put = match &mut self.put {
            Some(put) => put,
            none => none.insert(table.statement(&table.put, database, RowStatement::put)?),
        };
        self.values.read(&put.statement, data)?;
        let written = put.execute(&self.values, id, data);
        let name = &table.table.name;
        match &table.table.put {
            Some(given) => written
                .and_then(|()| require_transaction(database, "put", name, &given.sql))
                .map_err(|error| error.with_context(format_args!("replacing into {name}, id = {id}, data = {data}"))),
            None => written.map_err(|error| error.with_context(format_args!("replacing into {name}, id = {id}"))),
        }
    }

    /// Removes the row.
    ///
    /// # Errors
    /// As for [`RowWriter::put`].
    pub(crate) fn delete(&mut self, database: &Database<'c>, id: &str) -> Result<()> {
        let table = &*self.table;
        let delete = match &mut self.delete {
            Some(delete) => delete,
            none => none.insert(table.statement(&table.delete, database, RowStatement::delete)?),
        };
        // Such a statement takes nothing but the id.
        let removed = delete.execute(&RowValues::default(), id, "");
        let name = &table.table.name;
        let result = match &table.table.delete {
            Some(given) => removed.and_then(|()| require_transaction(database, "delete", name, &given.sql)),
            None => removed,
        };
        result.map_err(|error| error.with_context(format_args!("deleting from {name}, id = {id}")))
    }
}

/// Compares rows of a direct table with what was downloaded.
pub(crate) struct RowComparison<'c> {
    query: Prepared<'c>,
    values: RowValues,
}

impl<'c> RowComparison<'c> {
    /// For the table `name`.
    ///
    /// # Errors
    /// The table does not exist or has no column `id`; errors of SQLite.
    pub(crate) fn new(database: &Database<'c>, name: &str) -> Result<Self> {
        let table = RowTable::direct(name);
        let query = table.statement(&table.put, database, RowStatement::comparison)?;
        Ok(Self { query, values: RowValues::default() })
    }

    /// Whether the table has exactly the row that is written for JSON `data`.
    ///
    /// # Errors
    /// Errors of SQLite; out of memory.
    pub(crate) fn is_same(&mut self, id: &str, data: &str) -> Result<bool> {
        let Prepared { statement, prepared } = &mut self.query;
        self.values.read(statement, data)?;
        let (sources, values) = (&statement.sources, &self.values);
        let mut rows = prepared.query_with(sources.len(), &|parameter| {
            sources.get(parameter).and_then(|source| values.parameter(*source, id, data)).into()
        })?;
        Ok(rows.next()?.is_some())
    }
}

/// Fails if the transaction has ended in a statement of the application: functions that it calls can do that.
///
/// # Errors
/// An argument error that names the raw table and the statement.
pub(crate) fn require_transaction(database: &Database<'_>, use_: &str, table: &str, sql: &str) -> Result<()> {
    if database.connection().is_autocommit() {
        return Err(Error::argument(format!(
            "the {use_} statement of raw table {table} has ended the transaction that it is a part of: {sql}"
        )));
    }
    Ok(())
}
