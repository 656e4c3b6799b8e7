//! Functions that triggers and the view `ps_oplog` call to know or keep data of operations that are in the app's tables
//! (docs/reference/tables.md#data-in-place). They are ours alone, like those of [`row_functions`](super::row_functions).
//!
//! | function | does |
//! | --- | --- |
//! | `powersync_keep_row(type, id, rowid)` | keeps what was downloaded of a row that is about to change |
//! | `powersync_operation_data(type, id, operation)` | the data of an operation that has none of its own |

use sqlite_nostd::{Context, Value};

use crate::connection::Database;
use crate::error::Result;
use crate::in_place::{self, set_row_aside};
use crate::sql_api::session::Session;

pub(super) fn keep_row(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let [row_type, id, rowid] = arguments else { return Ok(()) };
    // What a publish does to its rows it knows by itself.
    if session.connection.in_sync_operation() {
        return Ok(());
    }
    let database = Database::new(context.connection(), &session.connection);
    // What is no text did not come with a download.
    let Ok(id) = id.text() else { return Ok(()) };
    set_row_aside(&database, row_type.text()?, id, rowid.integer())
}

pub(super) fn operation_data(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let [row_type, id, operation] = arguments else { return Ok(()) };
    let database = Database::new(context.connection(), &session.connection);
    match in_place::operation_data(&database, row_type.text()?, id.text()?, operation.integer())? {
        Some(data) => context.result_text(&data),
        None => context.result_null(),
    }
    Ok(())
}
