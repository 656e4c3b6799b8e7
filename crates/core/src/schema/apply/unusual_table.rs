//! Data tables in another form than ours: made by the application under the name of one, or ours with something added.
//!
//! While the schema has such a table it serves like any other. It is never dropped: when the schema no longer has it,
//! its rows are copied to `ps_untyped`, where downloads continue, and the table is left to the application.

use alloc::format;
use alloc::vec::Vec;

use rowtide_json::Quoted;
use sqlite_nostd::ResultCode;

use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::in_place::set_type_aside;
use crate::schema::apply::moved_rows::{keep_rows, update_rows};
use crate::schema::apply::plan::Plan;
use crate::schema::objects::Object;
use crate::schema::objects::data_table::{DataTable, shown_tables};
use crate::text::identifier;

/// The tables in another form that enter or leave the schema.
pub(in crate::schema) struct UnusualTables {
    released: Vec<DataTable>,
    adopted: Vec<DataTable>,
}

impl UnusualTables {
    /// Those of `plan`, which is not carried out yet: what the schema had before shows in the views.
    pub(in crate::schema) fn of(database: &Database<'_>, plan: &Plan<'_>) -> Result<Self> {
        let released = plan.unusual_tables();
        let wanted: Vec<DataTable> =
            plan.unknown_tables().filter_map(|table| DataTable::of_json(&table.name)).collect();
        if released.is_empty() && wanted.is_empty() {
            return Ok(Self { released: Vec::new(), adopted: Vec::new() });
        }
        let shown = shown_tables(database)?;
        let is_shown = |table: &DataTable| shown.contains(&table.name);
        let released = released.iter().filter(|table| !table.local_only && is_shown(table)).cloned().collect();
        let adopted = wanted.into_iter().filter(|table| !table.local_only && !is_shown(table)).collect();
        Ok(Self { released, adopted })
    }

    /// Keeps the rows of tables that leave the schema.
    pub(in crate::schema) fn release(&self, database: &Database<'_>) -> Result<()> {
        self.released.iter().try_for_each(|table| {
            if table.holds_operations {
                set_type_aside(database, &table.name, &table.row_type)?;
            }
            keep_rows(database, table)
        })
    }

    /// Gives tables that enter the schema the rows that were downloaded before.
    pub(in crate::schema) fn adopt(&self, database: &Database<'_>) -> Result<()> {
        self.adopted.iter().try_for_each(|table| update_rows(database, table))
    }
}

/// A table in another form serves if rows can be written to it as to one of ours.
///
/// # Errors
/// An argument error if it does not; errors of SQLite.
pub(in crate::schema) fn check_unusual_table(database: &Database<'_>, table: &Object) -> Result<()> {
    let name = identifier(&table.name);
    let is_synced = DataTable::of_json(&table.name).is_some_and(|table| !table.local_only);
    let conflict = if is_synced { " ON CONFLICT(id) DO UPDATE SET data = excluded.data" } else { "" };
    let put = format!("INSERT INTO main.{name}(id, data) VALUES (?1, ?2){conflict}");
    let refusal = |problem: &str| {
        Error::argument(format!(
            "cannot use table {}: the database has one of that name that is not managed by PowerSync, {problem}",
            Quoted(&table.name)
        ))
    };
    match database.prepare(&put) {
        Err(error) if error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => {
            return Err(refusal("without the columns id, which must be a key, and data"));
        }
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    const NEEDS_MORE: &str = "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1, 'main') \
        WHERE \"notnull\" AND dflt_value IS NULL AND name NOT IN ('id', 'data'))";
    if database.integer(NEEDS_MORE, &[table.name.as_str().into()])? == Some(1) {
        return Err(refusal("with a further column that needs a value"));
    }
    Ok(())
}
