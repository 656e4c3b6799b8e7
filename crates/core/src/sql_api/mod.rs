//! The SQL surface: one file per function family, one function per `powersync_control` command.

mod clear;
mod close;
mod control;
mod crud_tables;
mod identity;
mod json_functions;
mod migration;
mod offline_status;
mod raw_table_trigger;
mod replace_schema;
mod row_functions;
mod session;
mod sync_operation;
mod update_hooks;

use alloc::rc::Rc;

use sqlite_nostd::{Connection, FunctionError};

pub use session::Session;

/// Registers everything on a connection. Does not touch the database file.
pub fn register(connection: Connection<'_>) -> Result<(), FunctionError> {
    let session = Rc::new(Session::default());
    for family in [
        clear::register,
        close::register,
        control::register,
        crud_tables::register,
        identity::register,
        json_functions::register,
        migration::register,
        offline_status::register,
        raw_table_trigger::register,
        replace_schema::register,
        row_functions::register,
        sync_operation::register,
        update_hooks::register,
    ] {
        family(connection, &session)?;
    }
    Ok(())
}
