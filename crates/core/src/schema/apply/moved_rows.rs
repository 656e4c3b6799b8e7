//! Moving rows when the schema changes: between JSON and direct tables, and to and from `ps_untyped`.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Result;

use crate::connection::Database;
use crate::packed_sql::{self, PackedSql};
use crate::schema::apply::StoredRows;
use crate::schema::objects::data_table::DataTable;
use crate::schema::objects::row_call::{ArgumentLimit, Row, RowFunction, row_call};
use crate::schema::objects::table_columns::table_columns;
use crate::schema::row_writer::{RowTable, RowWriter};
use crate::text::{identifier, literal};

/// Whether a row's data can be shown. A view over what is no JSON object fails as a whole.
const IS_READABLE: &str = "iif(json_valid(data), json_type(data) = 'object', FALSE)";

/// Copies the rows of one table to another, which is empty.
pub(in crate::schema) fn copy_rows(database: &Database<'_>, from: &DataTable, to: &DataTable) -> Result<()> {
    insert(database, &stored_rows(database, from)?, to).map(|_| ())
}

/// Copies the rows of a synced table to `ps_untyped`. They are newer than those there (docs/reliability.md#traps, trap
/// 24).
pub(in crate::schema) fn keep_rows(database: &Database<'_>, from: &DataTable) -> Result<()> {
    database.execute_batch(&format!(
        "INSERT OR REPLACE INTO main.ps_untyped(type, id, data) SELECT {}, id, data FROM ({})",
        literal(&from.row_type),
        stored_rows(database, from)?
    ))
}

/// Copies the rows of a table to one that is made for them, and gives its name.
pub(in crate::schema) fn stage_rows(database: &Database<'_>, from: &DataTable) -> Result<String> {
    let staged = format!("ps_staged_{}", from.name);
    let rows = stored_rows(database, from)?;
    database.execute_batch(&format!("CREATE TABLE main.{} AS {rows}", identifier(&staged)))?;
    Ok(staged)
}

/// Moves rows to a new table from where [`stage_rows`] has put them.
pub(in crate::schema) fn unstage_rows(database: &Database<'_>, staged: &str, to: &DataTable) -> Result<()> {
    let staged = identifier(staged);
    insert(database, &format!("SELECT id, data FROM main.{staged}"), to)?;
    database.execute_batch(&format!("DROP TABLE main.{staged}"))
}

/// Moves rows from `ps_untyped` to a new table. They are synced ones: in a local-only table they would be lost to the
/// sync.
///
/// Rows with damaged data become empty, because a view over what is no JSON fails as a whole. Publishing repairs them.
pub(in crate::schema) fn take_rows(database: &Database<'_>, to: &DataTable) -> Result<StoredRows> {
    const COUNT: &str = "SELECT count(*) FROM main.ps_untyped WHERE type = ?1";
    if to.local_only {
        return Ok(StoredRows::Complete);
    }
    let untyped = format!("FROM main.ps_untyped WHERE type = {}", literal(&to.row_type));
    let taken = insert(database, &format!("SELECT id, data {untyped} AND {IS_READABLE}"), to)?;
    let is_complete = database.integer(COUNT, &[to.row_type.as_str().into()])? == Some(taken);
    if !is_complete {
        insert(database, &format!("SELECT id, '{{}}' {untyped} AND NOT {IS_READABLE}"), to)?;
    }
    database.execute_batch(&format!("DELETE {untyped}"))?;
    Ok(if is_complete { StoredRows::Complete } else { StoredRows::Incomplete })
}

/// Moves rows from `ps_untyped` to a JSON table that has some already. Where rows of the type were downloaded, the next
/// full publish looks at those that the table had, of which some may have been removed meanwhile.
pub(in crate::schema) fn update_rows(database: &Database<'_>, to: &DataTable) -> Result<()> {
    let sql = PackedSql::unpack()?;
    let names = [("table", &*identifier(&to.name)), ("type", &*literal(&to.row_type))];
    database.execute_batch(&sql.filled(packed_sql::MOVE_UNTYPED_ROWS, &names))
}

/// Inserts the rows of `query`, id and JSON. Returns how many there were.
fn insert(database: &Database<'_>, query: &str, to: &DataTable) -> Result<i64> {
    if !to.is_direct {
        database.execute_batch(&format!("INSERT INTO main.{}(id, data) {query}", identifier(&to.name)))?;
        return Ok(database.connection().changes());
    }
    let mut writer = RowWriter::new(Rc::new(RowTable::direct(&to.name)));
    let mut statement = database.prepare(query)?;
    let mut rows = statement.query(&[])?;
    let mut count = 0_i64;
    while let Some(row) = rows.next()? {
        writer.put(database, row.text(0)?, row.text(1)?)?;
        count = count.saturating_add(1);
    }
    Ok(count)
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
