//! Connections that this library opens itself, and copying whole databases between connections.

use core::ffi::c_int;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use crate::api;
use crate::bindings::{SQLITE_DONE, SQLITE_INTERRUPT, SQLITE_NOMEM, SQLITE_OK, sqlite3};
use crate::connection::c_string;
use crate::error::Result;
use crate::{Connection, ResultCode, SqliteError};

const SQLITE_OPEN_READWRITE: c_int = 0x2;
const SQLITE_OPEN_CREATE: c_int = 0x4;
const SQLITE_OPEN_URI: c_int = 0x40;

const SQLITE_DBCONFIG_ENABLE_TRIGGER: c_int = 1003;

/// Pages that are copied until an interrupt is noticed.
const PAGES: c_int = 1024;

/// What to do where there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Create it.
    Create,
    /// Fail with SQLITE_CANTOPEN.
    Fail,
}

/// A connection that is closed when dropped. No trigger of its database fires: they may need functions that only the
/// application's connections have.
#[derive(Debug)]
pub struct OwnConnection {
    raw: NonNull<sqlite3>,
    owned: PhantomData<sqlite3>,
}

impl OwnConnection {
    /// Opens the file `name`, which may be a URI.
    pub fn open(name: &str, missing: Missing) -> Result<Self> {
        let name = c_string(name)?;
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI;
        let flags = if missing == Missing::Create { flags | SQLITE_OPEN_CREATE } else { flags };
        let mut raw = ptr::null_mut();
        // SAFETY: the name is a C string, the place is valid, and NULL means the default file system.
        let code = unsafe { api::sqlite3_open_v2(name.as_ptr().cast(), &raw mut raw, flags, ptr::null()) };
        // There is a connection even after most failures.
        let Some(raw) = NonNull::new(raw) else { return Err(SqliteError::out_of_memory()) };
        let opened = Self { raw, owned: PhantomData };
        if code != SQLITE_OK {
            return Err(opened.connection().error(code, None));
        }
        // SAFETY: the connection is open, and this option takes an integer and a place or NULL.
        let code = unsafe { api::db_config(raw.as_ptr(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0) };
        if code != SQLITE_OK {
            return Err(SqliteError::new(ResultCode(code), "triggers cannot be disabled"));
        }
        Ok(opened)
    }

    /// Opens a new database that nobody else sees, and that is gone with the connection. Large ones are kept in a
    /// temporary file, unless SQLite was built not to use these.
    pub fn open_temporary() -> Result<Self> {
        Self::open("", Missing::Create)
    }

    /// The connection.
    pub fn connection(&self) -> Connection<'_> {
        Connection::new(self.raw)
    }
}

impl Drop for OwnConnection {
    fn drop(&mut self) {
        // SAFETY: opened by us, and not used afterwards; statements that are left would only delay the end.
        unsafe { api::sqlite3_close_v2(self.raw.as_ptr()) };
    }
}

impl Connection<'_> {
    /// Replaces the main database of `target` by that of this connection, as a whole or, if it fails, not at all.
    ///
    /// A write transaction of this connection makes it fail with SQLITE_BUSY. If `caller`, whose call this is about, is
    /// interrupted, it fails with SQLITE_INTERRUPT.
    pub fn copy_to(self, target: &OwnConnection, caller: Connection<'_>) -> Result<()> {
        let target = target.connection();
        let main = c"main".as_ptr();
        // SAFETY: both connections are open, and stay so until the end of this function.
        let backup = unsafe { api::sqlite3_backup_init(target.raw(), main, self.raw(), main) };
        if backup.is_null() {
            let code = target.last_code().0;
            return Err(target.error(if code == SQLITE_OK { SQLITE_NOMEM } else { code }, None));
        }
        let stepped = loop {
            if caller.is_interrupted() {
                break SQLITE_INTERRUPT;
            }
            // SAFETY: the backup was begun, and is not finished.
            match unsafe { api::sqlite3_backup_step(backup, PAGES) } {
                SQLITE_OK => {}
                code => break code,
            }
        };
        // SAFETY: as above; it is not used afterwards.
        let finished = unsafe { api::sqlite3_backup_finish(backup) };
        match (stepped, finished) {
            (SQLITE_DONE, SQLITE_OK) => Ok(()),
            (SQLITE_INTERRUPT, _) => Err(SqliteError::new(ResultCode::INTERRUPT, "interrupted")),
            (SQLITE_DONE, code) | (code, _) => Err(target.error(code, None)),
        }
    }
}
