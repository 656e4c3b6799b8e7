//! A connection with the built library, through SQLite's C interface: safe wrappers of it do not expect to be out of
//! memory.

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;
use std::{ptr, slice};

use rusqlite::ffi;

/// A failed call: the extended code and the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: c_int,
    pub message: String,
}

impl Failure {
    pub fn is_out_of_memory(&self) -> bool {
        self.code == ffi::SQLITE_NOMEM || self.code == ffi::SQLITE_IOERR_NOMEM
    }
}

/// An open connection.
pub struct Database(*mut ffi::sqlite3);

impl Database {
    /// Opens a database in memory.
    pub fn open() -> Result<Self, Failure> {
        let mut db = ptr::null_mut();
        // SAFETY: the place is valid; a connection is made even on most failures, and closed by `drop`.
        let code = unsafe { ffi::sqlite3_open(c":memory:".as_ptr(), &raw mut db) };
        let database = Self(db);
        if code == ffi::SQLITE_OK { Ok(database) } else { Err(database.failure(code)) }
    }

    /// Loads the extension.
    pub fn load(&self, library: &Path) -> Result<(), Failure> {
        let library = CString::new(library.to_str().unwrap()).unwrap();
        let mut message: *mut c_char = ptr::null_mut();
        // SAFETY: the connection is open, the texts are C strings, and the message is SQLite's memory.
        unsafe {
            ffi::sqlite3_db_config(self.0, ffi::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, ptr::null_mut::<c_int>());
            let entry = c"sqlite3_powersync_init";
            let code = ffi::sqlite3_load_extension(self.0, library.as_ptr(), entry.as_ptr(), &raw mut message);
            let text = if message.is_null() { c"out of memory" } else { CStr::from_ptr(message) };
            let text = text.to_string_lossy().into_owned();
            ffi::sqlite3_free(message.cast());
            // SQLite says SQLITE_ERROR whatever the entry point returned.
            let is_out_of_memory = text.ends_with("out of memory");
            match code {
                ffi::SQLITE_OK => Ok(()),
                ffi::SQLITE_ERROR if is_out_of_memory => Err(Failure { code: ffi::SQLITE_NOMEM, message: text }),
                code => Err(Failure { code, message: text }),
            }
        }
    }

    fn failure(&self, code: c_int) -> Failure {
        // SAFETY: the connection is open or NULL, which has a message too.
        unsafe {
            let extended = if self.0.is_null() { code } else { ffi::sqlite3_extended_errcode(self.0) };
            let message = CStr::from_ptr(ffi::sqlite3_errmsg(self.0)).to_string_lossy().into_owned();
            Failure { code: if extended & 0xff == code & 0xff { extended } else { code }, message }
        }
    }

    /// Runs one statement and gives its rows, one line of values for each.
    pub fn run(&self, sql: &str, parameters: &[&str]) -> Result<Vec<String>, Failure> {
        let mut statement = ptr::null_mut();
        let size = c_int::try_from(sql.len()).unwrap();
        let size_of = |text: &str| u64::try_from(text.len()).unwrap();
        // SAFETY: the connection is open, texts outlive the statement, which is finalized.
        unsafe {
            let code = ffi::sqlite3_prepare_v2(self.0, sql.as_ptr().cast(), size, &raw mut statement, ptr::null_mut());
            if code != ffi::SQLITE_OK {
                return Err(self.failure(code));
            }
            let encoding = u8::try_from(ffi::SQLITE_UTF8).unwrap();
            for (index, text) in (1..).zip(parameters) {
                let text = (text.as_ptr().cast(), size_of(text));
                let code = ffi::sqlite3_bind_text64(statement, index, text.0, text.1, None, encoding);
                if code != ffi::SQLITE_OK {
                    let failure = self.failure(code);
                    ffi::sqlite3_finalize(statement);
                    return Err(failure);
                }
            }
            let rows = self.rows(statement);
            ffi::sqlite3_finalize(statement);
            rows
        }
    }

    /// Steps a statement to its end.
    ///
    /// # Safety
    /// A valid statement of this connection.
    unsafe fn rows(&self, statement: *mut ffi::sqlite3_stmt) -> Result<Vec<String>, Failure> {
        let mut rows = Vec::new();
        loop {
            // SAFETY: by contract, here and below.
            match unsafe { ffi::sqlite3_step(statement) } {
                ffi::SQLITE_DONE => return Ok(rows),
                ffi::SQLITE_ROW => {}
                code => return Err(self.failure(code)),
            }
            let mut line = Vec::new();
            // SAFETY: see above.
            let columns = unsafe { ffi::sqlite3_column_count(statement) };
            for column in 0..columns {
                // SAFETY: see above; the text lives until the next step.
                unsafe {
                    let kind = ffi::sqlite3_column_type(statement, column);
                    let text = ffi::sqlite3_column_text(statement, column);
                    let size = usize::try_from(ffi::sqlite3_column_bytes(statement, column)).unwrap();
                    line.push(match (kind, text.is_null()) {
                        (ffi::SQLITE_NULL, _) => "NULL".into(),
                        (_, true) => return Err(self.failure(ffi::SQLITE_NOMEM)),
                        (_, false) => String::from_utf8_lossy(slice::from_raw_parts(text, size)).into_owned(),
                    });
                }
            }
            rows.push(line.join("|"));
        }
    }

    /// Rolls back what a failed step has left open.
    pub fn roll_back(&self) {
        // SAFETY: the connection is open.
        if unsafe { ffi::sqlite3_get_autocommit(self.0) } == 0 {
            self.run("ROLLBACK", &[]).unwrap();
        }
    }

    /// Closes the connection, which must not find anything left open.
    pub fn close(mut self) {
        // SAFETY: open, and not used again.
        assert_eq!(unsafe { ffi::sqlite3_close(std::mem::replace(&mut self.0, ptr::null_mut())) }, ffi::SQLITE_OK);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: open or NULL, and not used again.
        unsafe { ffi::sqlite3_close(self.0) };
    }
}
