//! Finds out whether a transaction was committed, where the connection itself cannot be used.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use crate::api;
use crate::bindings::{SQLITE_OK, sqlite3};
use crate::connection::c_string;
use crate::registry::{self, State};

/// `SQLITE_FCNTL_DATA_VERSION`: a number that changes with each commit to a database, also of the same connection.
const SQLITE_FCNTL_DATA_VERSION: c_int = 35;

/// Reads the data versions of a connection's databases. May be used from hooks.
#[derive(Debug, Clone, Copy)]
pub struct DataVersions {
    db: NonNull<sqlite3>,
}

impl DataVersions {
    pub(crate) fn new(db: NonNull<sqlite3>) -> Self {
        Self { db }
    }

    /// The version of the database `name` ("main", "temp" or an attached one); None if there is none, or if the
    /// connection is closed.
    pub fn read(&self, name: &str) -> Option<u32> {
        if registry::state(self.db) == State::Unknown {
            return None;
        }
        let name = c_string(name).ok()?;
        let mut version = 0u32;
        // SAFETY: the connection is open, because it has something of ours; the name is a C string, and this operation
        // writes an unsigned integer.
        let code = unsafe {
            api::sqlite3_file_control(
                self.db.as_ptr(),
                name.as_ptr().cast(),
                SQLITE_FCNTL_DATA_VERSION,
                (&raw mut version).cast::<c_void>(),
            )
        };
        (code == SQLITE_OK).then_some(version)
    }
}
