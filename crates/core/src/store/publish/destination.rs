//! Finding where the rows of a type live, and remembering it (sync client, Publishing).

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::connection::Database;
use crate::error::Result;
use crate::schema::{
    DataTableName, KnownSchemas, RowTable, Schema, is_json_table, is_local_only_direct_table, is_same_schema,
    object_texts, schema_version,
};
use crate::text;

/// Where the rows of a type live.
#[derive(Clone)]
pub enum Destination {
    /// A raw or direct table.
    Rows(Rc<RowTable>),
    /// A `ps_data__` table, with the statements for it.
    Json { put: Rc<String>, delete: Rc<String> },
    /// `ps_untyped`.
    Untyped,
}

/// What a connection has found. Kept between publishes, so that a small one does not begin by reading the schema.
#[derive(Default)]
pub struct Destinations {
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    circumstances: Option<Circumstances>,
    by_type: Vec<(String, Destination)>,
}

/// What decides where rows live.
struct Circumstances {
    /// The tables of the database.
    schema_version: Option<i64>,
    /// After a rollback, other tables can come to have the same version.
    rollbacks: u64,
    /// The raw tables.
    schemas: [Option<Rc<Schema>>; 2],
}

impl Circumstances {
    fn are_same(&self, other: &Self) -> bool {
        self.schema_version == other.schema_version
            && self.rollbacks == other.rollbacks
            && self.schemas.iter().zip(&other.schemas).all(|(one, other)| is_same_schema(one, other))
    }
}

impl Destinations {
    /// Forgets what was found before the tables or schemas changed. To be called when a publish begins.
    pub fn refresh(&self, database: &Database<'_>, schemas: &KnownSchemas) -> Result<()> {
        let transaction = database.state().transaction();
        transaction.join(database)?;
        let now = Circumstances {
            schema_version: schema_version(database)?,
            rollbacks: transaction.rollbacks(),
            schemas: schemas.newest_first(database)?,
        };
        let mut found = self.found.borrow_mut();
        if !found.circumstances.as_ref().is_some_and(|before| before.are_same(&now)) {
            found.by_type.clear();
        }
        found.circumstances = Some(now);
        Ok(())
    }

    /// Where rows of a type live.
    pub fn find(&self, database: &Database<'_>, schemas: &KnownSchemas, row_type: &str) -> Result<Destination> {
        // Asked once per type and publish.
        if let Some((_, found)) = self.found.borrow().by_type.iter().find(|(found, _)| found == row_type) {
            return Ok(found.clone());
        }
        let destination = look_up(database, schemas, row_type)?;
        let row_type = text::copy(row_type)?;
        let by_type = &mut self.found.borrow_mut().by_type;
        by_type.try_reserve(1)?;
        by_type.push((row_type, destination.clone()));
        Ok(destination)
    }
}

fn look_up(database: &Database<'_>, schemas: &KnownSchemas, row_type: &str) -> Result<Destination> {
    if let Some(table) = schemas.raw_table(database, row_type)? {
        return Ok(Destination::Rows(Rc::new(RowTable::raw(table))));
    }
    // SQLite takes names that differ only in case for the same table, but such types are different ones.
    const SQL: &str = "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND name IN (?1, ?2)";
    let data_table = text::format(format_args!("{}", DataTableName { row_type, local_only: false }))?;
    let mut statement = database.cached(SQL)?;
    let mut rows = statement.query(&[row_type.into(), data_table.as_str().into()])?;
    let mut has_data_table = false;
    while let Some(row) = rows.next()? {
        let Some([name, sql]) = object_texts(&row)? else { continue };
        if name == row_type && is_local_only_direct_table(name, sql) == Some(false) {
            return Ok(Destination::Rows(Rc::new(RowTable::direct(name))));
        }
        has_data_table |= name == data_table && is_json_table(database, name, sql)?;
    }
    if !has_data_table {
        return Ok(Destination::Untyped);
    }
    let table = text::Identifier(&data_table);
    // An equal row is left alone, so that update hooks and watched queries stay quiet.
    let put = text::format(format_args!(
        "INSERT INTO main.{table}(id, data) VALUES (?1, ?2) \
        ON CONFLICT(id) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data"
    ))?;
    let delete = text::format(format_args!("DELETE FROM main.{table} WHERE id = ?1"))?;
    Ok(Destination::Json { put: Rc::new(put), delete: Rc::new(delete) })
}
