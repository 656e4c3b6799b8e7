//! The SQL surface: one file per function family, one function per `powersync_control` command.

mod clear;
mod close;
mod control;
mod identity;
mod migration;
mod offline_status;
mod session;
mod sync_operation;

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
        identity::register,
        migration::register,
        offline_status::register,
        sync_operation::register,
    ] {
        family(connection, &session)?;
    }
    Ok(())
}
