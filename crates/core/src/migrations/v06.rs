//! Format 6: repairs rows that an earlier version left behind in data tables.
//!
//! A row without an operation is put on the list of rows to check again, and is deleted with the next full
//! publish. A new file has no data tables, so that nothing happens there.

use crate::error::Result;

use super::Journey;
use crate::connection::Database;
use crate::packed_sql::PackedSql;
use crate::schema::data_tables;
use crate::text;

/// The step between formats 5 and 6.
pub(super) fn up(database: &Database<'_>, _: &PackedSql, _: Journey) -> Result<()> {
    for table in data_tables(database)?.iter().filter(|table| !table.local_only && !table.is_direct) {
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
