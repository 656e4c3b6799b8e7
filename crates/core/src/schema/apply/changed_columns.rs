//! Giving a direct table the columns that the schema has.
//!
//! The table is altered, never rebuilt: dropping it would carry out the foreign keys of the application's tables.
//! SQLite refuses to drop a column that an index of the application has, and any column while a view or trigger refers
//! to a missing table. Such a column stays, which does no harm, until a later schema finds it gone.

use alloc::format;
use alloc::string::String;

use sqlite_nostd::{ResultCode, log};

use crate::collections::Names;
use crate::connection::Database;
use crate::error::{ErrorKind, Result};
use crate::schema::definition::Table;
use crate::schema::objects::direct_table::column_definition;
use crate::schema::objects::table_columns::table_columns;
use crate::text::identifier;

/// Drops columns that the schema does not have, and adds those that are missing. Whether any was added.
///
/// # Errors
/// Errors of SQLite.
pub(in crate::schema) fn change_columns(database: &Database<'_>, table: &Table) -> Result<bool> {
    let name = identifier(&table.name);
    let existing = table_columns(database, &table.name)?;
    let wanted = Names::of(table.columns.iter().map(|column| column.name.as_str()));
    for column in existing.iter().filter(|column| !wanted.contains(column)) {
        let sql = format!("ALTER TABLE main.{name} DROP COLUMN {}", identifier(column));
        // Views and triggers of the application may use it.
        match database.with_legacy_alter_table(|| database.execute_batch(&sql)) {
            Err(error) if error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => {
                log(ResultCode::ERROR, &format!("powersync_replace_schema: column not dropped: {error}"));
            }
            result => result?,
        }
    }
    let existing = Names::of(existing.iter().map(String::as_str));
    let mut is_added = false;
    for column in table.columns.iter().filter(|column| !existing.contains(&column.name)) {
        is_added = true;
        let definition = column_definition(&column.name);
        database.execute_batch(&format!("ALTER TABLE main.{name} ADD COLUMN {definition}"))?;
    }
    Ok(is_added)
}
