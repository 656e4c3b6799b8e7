//! Finding the loadable library, and loading it into a rusqlite connection.
//!
//! Running foreign code is the one thing that these programs do that Rust cannot check. It is kept here, in one function,
//! so that all the rest of them can forbid unsafe code.

use std::path::Path;

use rusqlite::Connection;

/// The C entry point that every published PowerSync library exports (docs/reference/functions.md#loading).
pub const ENTRY_POINT: &str = "sqlite3_powersync_init";

/// The file name of the loadable library on this platform, such as `libpowersync.so`.
pub fn file_name() -> String {
    format!("{}powersync{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// Loads the library at `path` into `connection`; loading by SQL stays disabled.
///
/// # Errors
/// What SQLite reports: the file is missing or no shared library, has no such entry point, or the extension refused
/// (for instance because SQLite is too old).
pub fn load(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    // SAFETY: the caller names a PowerSync library, whose entry point keeps to SQLite's extension interface and
    // registers functions of matching signatures. Loading is enabled only for the life of this guard and only through
    // the C function, so no SQL text can make use of it.
    unsafe {
        let _enabled = rusqlite::LoadExtensionGuard::new(connection)?;
        connection.load_extension(path, Some(ENTRY_POINT))
    }
}
