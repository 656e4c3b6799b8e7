//! The extension, linked into this program: SQLite calls its entry point for every connection that is opened.
//!
//! It reaches SQLite through the API table that SQLite passes to entry points, like the loadable library. So the core is
//! compiled here as it is for that one, and needs no feature that would change it for other crates of the workspace.

use rusqlite::auto_extension::{RawAutoExtension, register_auto_extension};
use sqlite_nostd::{Connection, EntryPoint, Extension, FunctionError, entry_point_of};

use crate::error::Error;

struct PowerSync;

impl Extension for PowerSync {
    fn load(connection: Connection<'_>) -> Result<(), FunctionError> {
        rowtide_core::sql_api::register(connection)
    }
}

/// Loads the extension into each connection that is opened from now on, by whatever part of this program. Calling it again
/// changes nothing. [`Client::open`](crate::Client::open) does it, too.
///
/// # Errors
/// SQLite does not take the extension: it is older than 3.38, or out of memory.
#[allow(unsafe_code)]
pub fn load_extension() -> Result<(), Error> {
    // SAFETY: both types are pointers to the same C function. They differ in who declares SQLite's opaque types. The entry
    // point opens and closes no connection, and leaves the list of extensions alone.
    unsafe {
        let entry_point = std::mem::transmute::<EntryPoint, RawAutoExtension>(entry_point_of::<PowerSync>);
        register_auto_extension(entry_point)
    }
    .map_err(Error::Extension)
}
