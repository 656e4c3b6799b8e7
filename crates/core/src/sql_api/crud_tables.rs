//! `powersync_crud` and `powersync_crud_`, through which triggers record local writes
//! (docs/reference/functions.md#powersync_crud).
//!
//! An `op` or `type` that no SDK can read is an error, because an entry that cannot be uploaded would block all later
//! ones. An `id` is read as published versions read it: NULL is the empty text, and a blob the text of its bytes.
//! Tables of the application may hold such ids, and writes to them must not begin to fail.

use sqlite_nostd::{Value, ValueType};

use super::row_functions::{json_text, optional_text};
use crate::connection::Database;
use crate::crud::{Entry, Operation, is_empty_update};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::TableOptions;
use crate::sql_api::session::Session;

/// Records a write: the columns of an inserted row.
pub(super) type Record = fn(&Session, &Database<'_>, &[&Value]) -> Result<()>;

/// An inserted row of `powersync_crud`: builds an entry from its parts.
pub(super) fn record_parts(session: &Session, database: &Database<'_>, columns: &[&Value]) -> Result<()> {
    let [op, id, row_type, data, old_values, metadata, options] = columns else {
        return Err(unexpected_columns());
    };
    let named = |column: &'static str| move |error: Error| error.with_context(format_args!("column {column}"));
    let required = || Error::argument("a value is required");
    let entry = Entry {
        operation: optional_text(op).and_then(|op| Operation::parse(op.unwrap_or_default())).map_err(named("op"))?,
        id: id.text().map_err(Error::from).map_err(named("id"))?,
        row_type: optional_text(row_type).and_then(|name| name.ok_or_else(required)).map_err(named("type"))?,
        data: json_text(data).map_err(named("data"))?,
        old_values: json_text(old_values).map_err(named("old_values"))?,
        metadata: optional_text(metadata).map_err(named("metadata"))?,
    };
    if ignores_empty_updates(options) && entry.is_empty_update() {
        // The update has rewritten the row nevertheless, without the members that are no columns.
        return session.local_writes.mark(database, entry.row_type, entry.id);
    }
    session.local_writes.record(database, &entry)
}

/// An inserted row of `powersync_crud_`: appends a finished entry.
pub(super) fn record_entry(session: &Session, database: &Database<'_>, columns: &[&Value]) -> Result<()> {
    let [data, options] = columns else {
        return Err(unexpected_columns());
    };
    let entry = match data.value_type() {
        ValueType::Null => None,
        _ => Some(data.text()?),
    };
    if ignores_empty_updates(options) && entry.is_some_and(is_empty_update) {
        return Ok(());
    }
    session.local_writes.append(database, entry)
}

/// Whether an update that changes nothing is not to be recorded. No other option matters here.
fn ignores_empty_updates(options: &Value) -> bool {
    options.integer() & TableOptions::IGNORE_EMPTY_UPDATE != 0
}

fn unexpected_columns() -> Error {
    debug_assert!(false, "SQLite inserts as many columns as were declared");
    Error::new(ErrorKind::Internal, "unexpected number of columns")
}
