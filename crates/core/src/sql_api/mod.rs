//! The SQL surface: one file per function family, one function per `powersync_control` command.

use sqlite_nostd::{Connection, FunctionError, FunctionFlags};

/// Registers everything on a connection. Does not touch the database file.
pub fn register(connection: Connection<'_>) -> Result<(), FunctionError> {
    connection.create_scalar_function(
        "powersync_rs_version",
        0,
        FunctionFlags::NONE,
        alloc::rc::Rc::new(()),
        |(), context, _| {
            context.result_text(concat!(env!("CARGO_PKG_VERSION"), "/unknown0"));
            Ok(())
        },
    )?;
    Ok(())
}
