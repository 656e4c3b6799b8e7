//! Operations whose data are in the app's table, and nowhere else (docs/reference/tables.md#data-in-place).
//!
//! A downloaded row of a JSON table is stored once. The operation that it shows has no data of its own: they are in the
//! row whose rowid is the operation's id. Before that row changes for another reason than the operation itself, its data
//! are copied to the operation, which is then like any other: it has data, and an entry in `ps_row_operations`.
//!
//! A row may have the rowid of an operation that is gone, or has data of its own. Then nothing is in place.

use alloc::string::String;
use alloc::vec::Vec;

use const_format::formatcp;
use sqlite_nostd::ResultCode;

use crate::connection::Database;
use crate::error::{ErrorKind, Result};
use crate::packed_sql::{self, PackedSql};
use crate::text::{self, Identifier, identifier, literal};

/// The least id of an operation. Rows that were inserted without one have lower rowids, or some of a table that has
/// higher ones.
pub(crate) const FIRST_OPERATION: i64 = 1 << 34;

/// The condition under which the data of operation `held` are in the row `shown` of the table for its type, but for the
/// type. An operation that is pending is in no row yet.
pub(crate) const IS_IN_PLACE: &str = include_str!("../sql/fragments/in_place.sql");

/// SQL that copies the data of all operations in the rows of a table to the operations, so that the table may change in
/// any way: statements separated by NUL characters.
pub(crate) fn set_aside_sql(sql: &PackedSql, table: &str, row_type: &str) -> String {
    sql.filled(packed_sql::SET_TABLE_ASIDE, &[("table", &identifier(table)), ("type", &literal(row_type))])
}

/// Copies the data of all operations in the rows of a table to the operations.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn set_table_aside(database: &Database<'_>, table: &str, row_type: &str) -> Result<()> {
    execute_each(database, &set_aside_sql(&PackedSql::unpack()?, table, row_type))
}

/// Runs statements that NUL characters separate.
fn execute_each(database: &Database<'_>, statements: &str) -> Result<()> {
    statements.split('\0').try_for_each(|sql| database.execute_batch(sql))
}

/// Copies the data of the row with that `rowid` to its operation if they are in place. To be called before an application
/// changes the row.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn set_row_aside(database: &Database<'_>, row_type: &str, row_id: &str, rowid: i64) -> Result<()> {
    if rowid < FIRST_OPERATION || !is_in_place(database, row_type, row_id, rowid)? {
        return Ok(());
    }
    // What is no text did not come with a download.
    let sql = text::format(format_args!(
        "UPDATE main.ps_operations SET data = shown.data FROM (SELECT data FROM main.{} \
        WHERE rowid = ?1 AND typeof(data) = 'text') AS shown WHERE id = ?1",
        Identifier(&data_table(row_type)?)
    ))?;
    database.cached_text(&sql)?.execute(&[rowid.into()])?;
    if database.connection().changes() > 0 { enter(database, row_type, row_id, rowid) } else { Ok(()) }
}

/// Whether the data of an operation are in the row with that `rowid`, and nowhere else.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn is_in_place(database: &Database<'_>, row_type: &str, row_id: &str, rowid: i64) -> Result<bool> {
    const SQL: &str = formatcp!(
        "SELECT 1 FROM (SELECT +?3 AS rowid, +?2 AS id) AS shown CROSS JOIN main.ps_operations AS held ON {IS_IN_PLACE} \
        WHERE held.row_type = +?1"
    );
    Ok(database.integer(SQL, &[row_type.into(), row_id.into(), rowid.into()])?.is_some())
}

/// Enters an operation of a row, which has data of its own, in `ps_row_operations`.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn enter(database: &Database<'_>, row_type: &str, row_id: &str, operation: i64) -> Result<()> {
    const ENTER: &str = "INSERT OR IGNORE INTO main.ps_row_operations(row_type, row_id, operation) VALUES (?1, ?2, ?3)";
    database.execute(ENTER, &[row_type.into(), row_id.into(), operation.into()])
}

/// The name of the table that the data of published operations of a type are in.
fn data_table(row_type: &str) -> Result<String> {
    text::format(format_args!("ps_data__{row_type}"))
}

/// The name of the table that the data of pending operations of a type wait in.
///
/// # Errors
/// Out of memory.
pub(crate) fn pending_table(row_type: &str) -> Result<String> {
    text::format(format_args!("{PENDING_PREFIX}{row_type}"))
}

/// How the names of such tables begin.
const PENDING_PREFIX: &str = "ps_pending__";

/// The types for which there is such a table.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn pending_types(database: &Database<'_>) -> Result<Vec<String>> {
    const SQL: &str = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name GLOB 'ps_pending__*'";
    let mut types = Vec::new();
    let mut rows = database.query(SQL, &[])?;
    while let Some(row) = rows.next()? {
        if let Some(row_type) = row.text(0)?.strip_prefix(PENDING_PREFIX) {
            types.try_reserve(1)?;
            types.push(text::copy(row_type)?);
        }
    }
    Ok(types)
}

/// SQL that gives pending operations of a type their data, from the table that these wait in, and drops the table:
/// statements separated by NUL characters.
///
/// # Errors
/// Out of memory.
pub(crate) fn set_pending_aside_sql(sql: &PackedSql, row_type: &str) -> Result<String> {
    Ok(sql.filled(packed_sql::SET_PENDING_ASIDE, &[("table", &identifier(&pending_table(row_type)?))]))
}

/// Copies the data of all operations of a type to the operations: those in the rows of its table, and those that wait.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn set_type_aside(database: &Database<'_>, table: &str, row_type: &str) -> Result<()> {
    let sql = PackedSql::unpack()?;
    execute_each(database, &set_aside_sql(&sql, table, row_type))?;
    if !pending_types(database)?.iter().any(|waiting| waiting == row_type) {
        return Ok(());
    }
    execute_each(database, &set_pending_aside_sql(&sql, row_type)?)
}

/// The data of an operation that has none of its own: those of its row, or those that wait until they are published. None
/// if they are in neither.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn operation_data(
    database: &Database<'_>,
    row_type: &str,
    row_id: &str,
    operation: i64,
) -> Result<Option<String>> {
    const IS_SETTLED: &str =
        "SELECT 1 FROM main.ps_buckets WHERE id = (?1 >> 34) & 4194303 AND settled >= ?1 & 17179869183";
    let table = match database.integer(IS_SETTLED, &[operation.into()])? {
        Some(_) => data_table(row_type)?,
        None => pending_table(row_type)?,
    };
    let sql = text::format(format_args!("SELECT data FROM main.{} WHERE rowid = ?1 AND id = ?2", Identifier(&table)))?;
    let mut statement = match database.cached_text(&sql) {
        // There is no such table.
        Err(error) if error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => return Ok(None),
        statement => statement?,
    };
    let mut rows = statement.query(&[operation.into(), row_id.into()])?;
    match rows.next()? {
        Some(row) => row.optional_text(0)?.map(text::copy).transpose(),
        None => Ok(None),
    }
}
