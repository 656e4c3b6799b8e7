//! Moving rows when the schema changes: between JSON and direct tables, and to and from `ps_untyped`.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::data_table::DataTable;
use super::row_call::{ArgumentLimit, Row, RowFunction, row_call};
use super::row_table::{RowTable, RowWriter};
use super::table_columns::table_columns;
use crate::connection::Database;
use crate::error::Result;
use crate::text::{identifier, literal};

/// Copies the rows of one table to another, which is empty.
pub(super) fn copy_rows(database: &Database<'_>, from: &DataTable, to: &DataTable) -> Result<()> {
    insert(database, &stored_rows(database, from)?, to)
}

/// Copies the rows of a synced table to `ps_untyped`. They are newer than those there (trap 24).
pub(super) fn keep_rows(database: &Database<'_>, from: &DataTable) -> Result<()> {
    database.execute_batch(&format!(
        "INSERT OR REPLACE INTO main.ps_untyped(type, id, data) SELECT {}, id, data FROM ({})",
        literal(&from.row_type),
        stored_rows(database, from)?
    ))
}

/// Moves rows from `ps_untyped` to a new table. They are synced ones: in a local-only table they would be lost to the
/// sync.
pub(super) fn take_rows(database: &Database<'_>, to: &DataTable) -> Result<()> {
    if to.local_only {
        return Ok(());
    }
    let untyped = format!("FROM main.ps_untyped WHERE type = {}", literal(&to.row_type));
    insert(database, &format!("SELECT id, data {untyped}"), to)?;
    database.execute_batch(&format!("DELETE {untyped}"))
}

/// Inserts the rows of `query`, id and JSON.
fn insert(database: &Database<'_>, query: &str, to: &DataTable) -> Result<()> {
    if !to.is_direct {
        return database.execute_batch(&format!("INSERT INTO main.{}(id, data) {query}", identifier(&to.name)));
    }
    let mut writer = RowWriter::new(Rc::new(RowTable::direct(&to.name)));
    let mut statement = database.prepare(query)?;
    let mut rows = statement.query(&[])?;
    while let Some(row) = rows.next()? {
        writer.put(database, row.text(0)?, row.text(1)?)?;
    }
    Ok(())
}

/// A query for the rows of a table: `id` and their JSON as `data`.
fn stored_rows(database: &Database<'_>, table: &DataTable) -> Result<String> {
    let name = identifier(&table.name);
    if !table.is_direct {
        return Ok(format!("SELECT id, data FROM main.{name}"));
    }
    let columns = table_columns(database, &table.name)?;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let json = row_call(RowFunction::Json, &[Row::Stored], &columns, ArgumentLimit::of(database))?;
    // JSON cannot hold blobs. Local writes of them are refused where they would have to be uploaded.
    let values: String = columns
        .iter()
        .map(|column| identifier(column))
        .map(|column| format!(", iif(typeof({column}) = 'blob', hex({column}), {column}) AS {column}"))
        .collect();
    Ok(format!("SELECT id, {json} AS data FROM (SELECT id{values} FROM main.{name})"))
}
