//! Format 6: repairs rows that an earlier version left behind in data tables.
//!
//! A row that no operation stands for is put on the list of rows to look at again, and goes away with the next full
//! publish. A new file has no data tables, so that nothing happens there.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Migration, Up};
use crate::connection::Database;
use crate::error::Result;
use crate::text;

/// The step between formats 5 and 6.
pub(super) const MIGRATION: Migration = Migration { version: 6, up: Up::Code(up), down: Some(&DOWN) };

fn up(database: &Database<'_>) -> Result<()> {
    for table in data_tables(database)? {
        let sql = alloc::format!(
            "INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) \
             SELECT ?1, held.id FROM main.{} AS held WHERE NOT EXISTS (\
             SELECT 1 FROM main.ps_oplog AS oplog WHERE oplog.row_type = ?1 AND oplog.row_id = held.id)",
            text::identifier(&table.name)
        );
        database.prepare(&sql)?.execute(&[table.row_type.as_str().into()])?;
    }
    Ok(())
}

/// A table of synced rows.
struct DataTable {
    name: String,
    row_type: String,
}

/// The tables of synced rows; one that merely has such a name, without an id column, is not ours.
fn data_tables(database: &Database<'_>) -> Result<Vec<DataTable>> {
    const SQL: &str = "SELECT object.name, substr(object.name, length('ps_data__') + 1) FROM main.sqlite_schema AS object \
        WHERE object.type = 'table' AND object.name GLOB 'ps_data__*' \
        AND EXISTS (SELECT 1 FROM pragma_table_info(object.name, 'main') AS column WHERE column.name = 'id')";
    let mut tables = Vec::new();
    let mut statement = database.prepare(SQL)?;
    let mut rows = statement.query(&[])?;
    while let Some(row) = rows.next()? {
        tables.push(DataTable { name: String::from(row.text(0)?), row_type: String::from(row.text(1)?) });
    }
    Ok(tables)
}

const DOWN: [&str; 1] = ["DELETE FROM ps_migration WHERE id >= 6"];
