//! The extension, linked into this program: SQLite calls its entry point for every connection that is opened.
//!
//! It reaches SQLite through the API table that SQLite passes to entry points, like the loadable library. So the core is
//! compiled here as it is for that one, and needs no feature that would change it for other crates of the workspace.

use anyhow::{Context, Result};
use rusqlite::auto_extension::{RawAutoExtension, register_auto_extension};
use sqlite_nostd::{Connection, EntryPoint, Extension, FunctionError, entry_point_of};

struct PowerSync;

impl Extension for PowerSync {
    fn load(connection: Connection<'_>) -> Result<(), FunctionError> {
        rowtide_core::sql_api::register(connection)
    }
}

/// Loads the extension into each connection that is opened from now on. Calling it again changes nothing.
///
/// # Errors
/// SQLite's.
pub(crate) fn load_into_new_connections() -> Result<()> {
    // SAFETY: both types are pointers to the same C function. They differ in who declares SQLite's opaque types. The entry
    // point opens and closes no connection, and leaves the list of extensions alone.
    unsafe {
        let entry_point = std::mem::transmute::<EntryPoint, RawAutoExtension>(entry_point_of::<PowerSync>);
        register_auto_extension(entry_point)
    }
    .context("SQLite does not take the extension")
}
