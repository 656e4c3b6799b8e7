//! Giving a direct table the columns that the schema has.

use alloc::format;
use alloc::string::String;

use super::definition::Table;
use super::direct::column_definition;
use super::table_columns::table_columns;
use crate::connection::Database;
use crate::error::Result;
use crate::text::identifier;

/// Drops columns that the schema does not have, and adds those that are missing. Whether any was added.
///
/// # Errors
/// Errors of SQLite, for instance because an index of the application has a column that is to be dropped.
pub(super) fn change_columns(database: &Database<'_>, table: &Table) -> Result<bool> {
    let name = identifier(&table.name);
    let existing = table_columns(database, &table.name)?;
    let is_wanted = |column: &&String| table.columns.iter().any(|wanted| wanted.name == **column);
    let mut dropped = existing.iter().filter(|column| !is_wanted(column)).peekable();
    if dropped.peek().is_some() {
        let restore = forget_other_objects(database)?;
        let result = dropped.try_for_each(|column| {
            database.execute_batch(&format!("ALTER TABLE main.{name} DROP COLUMN {}", identifier(column)))
        });
        database.execute_batch(restore)?;
        result?;
    }
    let mut is_added = false;
    for column in table.columns.iter().filter(|column| !existing.contains(&column.name)) {
        is_added = true;
        let definition = column_definition(&column.name);
        database.execute_batch(&format!("ALTER TABLE main.{name} ADD COLUMN {definition}"))?;
    }
    Ok(is_added)
}

/// Keeps SQLite from refusing to drop a column because any view or trigger of the application, perhaps long broken, does
/// not fit the tables. Returns the statement that undoes this.
fn forget_other_objects(database: &Database<'_>) -> Result<&'static str> {
    let was_on = database.integer("PRAGMA legacy_alter_table", &[])? == Some(1);
    database.execute_batch("PRAGMA legacy_alter_table = ON")?;
    Ok(if was_on { "" } else { "PRAGMA legacy_alter_table = OFF" })
}
