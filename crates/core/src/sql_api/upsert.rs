//! `powersync_upsert(table, json)`: rows given as JSON are inserted or updated, as local writes
//! (docs/reference/functions.md#powersync_upsert).

use alloc::format;

use crate::error::{Error, Result};
use sqlite_nostd::{Context, Value, ValueType};

use crate::connection::Database;
use crate::crud::upsert::{RowUpserts, Tables};
use crate::migrations::require_latest;
use crate::sql_api::session::Session;

pub(super) fn upsert(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    require_latest(&database)?;
    let [table, json] = arguments else { return Err(Error::argument("expected a table and JSON")) };
    if table.value_type() != ValueType::Text || json.value_type() != ValueType::Text {
        return Err(Error::argument("the table and the JSON must be text"));
    }
    let (table, json) = (table.text()?, json.text()?);
    let written = database.in_savepoint(|| write_rows(&database, table, json)).map_err(Error::in_given_json)?;
    context.result_integer(written);
    Ok(())
}

/// Writes the object, or the objects of the array, and gives their number.
fn write_rows(database: &Database<'_>, table: &str, json: &str) -> Result<i64> {
    const TYPE: &str =
        "SELECT iif(json_valid(?1), json_type(?1) IN ('object', 'array') + (json_type(?1) = 'array'), 0)";
    const ROWS: &str = "SELECT value, type FROM json_each(?1)";
    let mut tables = Tables::new(database);
    let mut upserts = RowUpserts::new(database, tables.find(table)?);
    match database.integer(TYPE, &[json.into()])? {
        Some(1) => {
            upserts.upsert(None, json, None)?;
            return Ok(1);
        }
        Some(2) => {}
        _ => return Err(Error::argument("the rows must be a JSON object or an array of objects")),
    }
    let mut rows = database.query(ROWS, &[json.into()])?;
    let mut written = 0_i64;
    while let Some(row) = rows.next()? {
        if row.text(1)? != "object" {
            return Err(Error::argument(format!("element {written} of the rows is no object")));
        }
        upserts.upsert(None, row.text(0)?, None)?;
        written = written.saturating_add(1);
    }
    Ok(written)
}
