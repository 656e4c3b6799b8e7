//! The columns that a table in the database has.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::collections::Names;
use crate::error::{Error, Result};

use crate::connection::Database;
use crate::schema::definition::RawTable;
use crate::text::identifier;

impl RawTable {
    /// The SQL table.
    ///
    /// # Errors
    /// The schema does not name it.
    pub(in crate::schema) fn local_name(&self) -> Result<&str> {
        let missing = || Error::argument(format!("Raw table {} has no local name (table_name)", self.name));
        self.table_name.as_deref().ok_or_else(missing)
    }
}

/// The columns of `table` but `id` and generated ones, in their order.
///
/// # Errors
/// There is no such table, or it has no column `id`; errors of SQLite.
pub(in crate::schema) fn table_columns(database: &Database<'_>, table: &str) -> Result<Vec<String>> {
    let mut statement = database.prepare(&format!("PRAGMA main.table_info({})", identifier(table)))?;
    let mut rows = statement.query(&[])?;
    let (mut columns, mut has_id) = (Vec::new(), false);
    while let Some(row) = rows.next()? {
        let name = row.text(1)?;
        if name.eq_ignore_ascii_case("id") { has_id = true } else { columns.push(String::from(name)) }
    }
    if has_id {
        return Ok(columns);
    }
    Err(Error::argument(if columns.is_empty() {
        format!("Could not find {table} in local schema.")
    } else {
        format!("Table {table} has no id column.")
    }))
}

/// The columns of a raw table that are synced.
///
/// # Errors
/// The table is not named; as for [`table_columns`].
pub(in crate::schema) fn synced_columns(database: &Database<'_>, table: &RawTable) -> Result<Vec<String>> {
    let mut columns = table_columns(database, table.local_name()?)?;
    if let Some(synced) = &table.synced_columns {
        let synced = Names::of(synced.iter().map(String::as_str));
        columns.retain(|column| synced.contains(column));
    }
    Ok(columns)
}
