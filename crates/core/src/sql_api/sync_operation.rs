//! `powersync_in_sync_operation()`.

use alloc::rc::Rc;

use sqlite_nostd::{Connection, FunctionFlags};

use crate::sql_api::session::Session;

/// Registers the function.
pub fn register(connection: Connection<'_>, session: &Rc<Session>) -> sqlite_nostd::Result<()> {
    // Triggers of raw tables ask it, so that it has to be usable with trusted_schema=OFF.
    connection.create_scalar_function(
        "powersync_in_sync_operation",
        0,
        FunctionFlags::INNOCUOUS,
        Rc::clone(session),
        |session, context, _| {
            context.result_integer(i64::from(session.connection.in_sync_operation()));
            Ok(())
        },
    )
}
