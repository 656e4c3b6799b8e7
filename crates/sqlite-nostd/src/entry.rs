//! The glue of the C entry point.

use core::ffi::{c_char, c_int};
use core::ptr::NonNull;

use crate::bindings::{SQLITE_ERROR, SQLITE_MISUSE, SQLITE_OK, sqlite3, sqlite3_api_routines};
use crate::error::FunctionError;
use crate::vtab::sqlite_message;
use crate::{Connection, api, connection, memory};

/// The oldest SQLite that we run on: 3.38.0.
const MINIMUM_VERSION: i32 = 3_038_000;

/// Stores SQLite's API table; nothing with the feature `static`.
///
/// # Safety
/// `api` is what SQLite passed to an extension's entry point.
pub unsafe fn initialize(api: *const sqlite3_api_routines) {
    api::set_table(api);
}

/// A connection given by C code.
///
/// # Safety
/// `db` is open for `'c`.
pub unsafe fn connection_from_raw<'c>(db: *mut sqlite3) -> Option<Connection<'c>> {
    NonNull::new(db).map(Connection::new)
}

/// All of `sqlite3_powersync_init`: stores the API table, refuses an SQLite that is too old, and calls `load` unless
/// the connection has the extension already.
///
/// # Safety
/// Called by SQLite as an extension's entry point, with its arguments.
pub unsafe fn entry_point(
    db: *mut sqlite3,
    error: *mut *mut c_char,
    api: *const sqlite3_api_routines,
    load: fn(Connection<'_>) -> Result<(), FunctionError>,
) -> c_int {
    // SAFETY: by contract.
    unsafe { initialize(api) };
    if !api::is_available() {
        return SQLITE_ERROR;
    }
    let Some(db) = NonNull::new(db) else { return SQLITE_MISUSE };
    let connection = Connection::new(db);
    let (code, message) = if connection::sqlite_version_number() < MINIMUM_VERSION {
        let message = alloc::format!(
            "PowerSync {} needs SQLite 3.38.0 or newer, found {}",
            env!("CARGO_PKG_VERSION"),
            connection::sqlite_version()
        );
        (SQLITE_ERROR, message)
    } else {
        // Without the pragma (SQLITE_OMIT_INTROSPECTION_PRAGMAS) a second load registers everything again.
        if is_loaded(connection).unwrap_or(false) {
            return SQLITE_OK;
        }
        match memory::guard(|| load(connection)) {
            Ok(Ok(())) => return SQLITE_OK,
            Ok(Err(failure)) => (failure.code.0, failure.message),
            Err(memory::OutOfMemory) => (crate::bindings::SQLITE_NOMEM, "out of memory".into()),
        }
    };
    if !error.is_null() {
        // SAFETY: SQLite passes a valid place and frees the message.
        unsafe { *error = sqlite_message(&message) };
    }
    code
}

/// Whether the connection has the extension already: its pre-close table is there.
///
/// Asked in the only way that reads no schema, for the database may be locked, or encrypted and not keyed yet: SELECT
/// reads it even without a table. Nor may the question fail: SQLite refuses to open a connection on which an automatic
/// extension left an error behind.
fn is_loaded(connection: Connection<'_>) -> crate::Result<bool> {
    let mut modules = connection.prepare("PRAGMA module_list")?;
    let mut rows = modules.query(&[])?;
    while let Some(row) = rows.next()? {
        if row.text(0)? == "powersync_internal_close" {
            return Ok(true);
        }
    }
    Ok(false)
}
