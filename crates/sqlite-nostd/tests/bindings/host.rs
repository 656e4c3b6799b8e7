//! Connections of the bundled SQLite for the bindings to work on.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;
use sqlite_nostd::Connection;
use sqlite_nostd::bindings::{sqlite3, sqlite3_api_routines};

/// A connection in memory.
pub(crate) struct Host(rusqlite::Connection);

impl Host {
    pub(crate) fn open() -> Self {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        // SAFETY: the table is SQLite's, and there is no other SQLite.
        unsafe { sqlite_nostd::initialize(api()) };
        Self(connection)
    }

    /// The connection as rusqlite sees it.
    pub(crate) fn rusqlite(&self) -> &rusqlite::Connection {
        &self.0
    }

    /// The connection as the bindings see it.
    pub(crate) fn connection(&self) -> Connection<'_> {
        // SAFETY: open as long as `self`.
        unsafe { sqlite_nostd::connection_from_raw(self.raw()) }.unwrap()
    }

    pub(crate) fn raw(&self) -> *mut sqlite3 {
        // SAFETY: the handle is used, not closed.
        unsafe { self.0.handle() }.cast()
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }

    /// Runs SQL that must fail, and gives the extended code and the message.
    pub(crate) fn error(&self, sql: &str) -> (i32, String) {
        let handle = self.raw().cast::<ffi::sqlite3>();
        self.0.execute_batch(sql).unwrap_err();
        // SAFETY: open, and not used since it failed.
        unsafe {
            let message = CStr::from_ptr(ffi::sqlite3_errmsg(handle)).to_string_lossy().into_owned();
            (ffi::sqlite3_extended_errcode(handle), message)
        }
    }

    /// The first value of a query as text, `NULL` for NULL.
    pub(crate) fn text(&self, sql: &str) -> String {
        let value: Option<String> =
            self.0.query_row(&format!("SELECT CAST(({sql}) AS TEXT)"), (), |row| row.get(0)).unwrap();
        value.unwrap_or_else(|| "NULL".into())
    }

    /// How many statements are between two steps.
    pub(crate) fn running_statements(&self) -> usize {
        let handle = self.raw().cast::<ffi::sqlite3>();
        let mut statement = ptr::null_mut();
        let mut count = 0;
        loop {
            // SAFETY: the connection is open and the statement its own.
            statement = unsafe { ffi::sqlite3_next_stmt(handle, statement) };
            if statement.is_null() {
                return count;
            }
            // SAFETY: a statement of the connection.
            count += usize::from(unsafe { ffi::sqlite3_stmt_busy(statement) } != 0);
        }
    }

    pub(crate) fn close(self) {
        self.0.close().map_err(|(_, error)| error).unwrap();
    }
}

/// The table that SQLite hands to extensions.
pub(crate) fn api() -> *const sqlite3_api_routines {
    thread_local!(static TABLE: RefCell<usize> = const { RefCell::new(0) });
    static API: OnceLock<usize> = OnceLock::new();
    unsafe extern "C" fn keep(
        _: *mut ffi::sqlite3,
        _: *mut *mut c_char,
        api: *const ffi::sqlite3_api_routines,
    ) -> c_int {
        TABLE.with(|table| *table.borrow_mut() = api.expose_provenance());
        ffi::SQLITE_OK
    }
    let table = API.get_or_init(|| {
        // SAFETY: the function is an entry point.
        unsafe {
            ffi::sqlite3_auto_extension(Some(keep));
            rusqlite::Connection::open_in_memory().unwrap();
            ffi::sqlite3_cancel_auto_extension(Some(keep));
        }
        TABLE.with(|table| *table.borrow())
    });
    ptr::with_exposed_provenance(*table)
}
