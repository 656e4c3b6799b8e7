//! A connection with the built library, through SQLite's C interface: safe wrappers of it do not expect to be out of
//! memory.

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;
use std::{ptr, slice};

use rusqlite::ffi;

use super::interrupts;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The extended result code.
    pub code: c_int,
    /// SQLite's message.
    pub message: String,
}

impl Failure {
    /// Whether memory ran out.
    pub fn is_out_of_memory(&self) -> bool {
        self.code == ffi::SQLITE_NOMEM || self.code == ffi::SQLITE_IOERR_NOMEM
    }
}

/// An open connection. Unlike safe wrappers, it does not mind being out of memory.
#[derive(Debug)]
pub struct Database(*mut ffi::sqlite3);

impl Database {
    /// Opens a database in memory.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn open_in_memory() -> Result<Self, Failure> {
        Self::open(c":memory:", None)
    }

    /// Opens or creates a database in the file system `vfs`, or in the default one.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn open(name: &CStr, vfs: Option<&CStr>) -> Result<Self, Failure> {
        let mut db = ptr::null_mut();
        // Without whole codes, SQLite cuts those of reading the schema, which it does with sqlite3_exec.
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE | ffi::SQLITE_OPEN_EXRESCODE;
        let vfs = vfs.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: the place is valid; a connection is made even on most failures, and closed by `drop`.
        let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &raw mut db, flags, vfs) };
        let database = Self(db);
        if code != ffi::SQLITE_OK {
            return Err(database.failure(code));
        }
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_progress_handler(db, 1, Some(interrupts::is_interrupted), ptr::null_mut()) };
        Ok(database)
    }

    /// Loads the extension.
    ///
    /// # Errors
    /// What SQLite reports; SQLITE_NOMEM where it says SQLITE_ERROR because memory was refused.
    pub fn load(&self, library: &Path) -> Result<(), Failure> {
        let library = CString::new(library.as_os_str().as_encoded_bytes()).expect("a path without NUL");
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

    /// Gives the connection the function `run(sql)`, as an application may have one that uses the connection from
    /// within a statement.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn create_run_function(&self) -> Result<(), Failure> {
        // SAFETY: the connection is open, and the name a C string.
        let code = unsafe {
            let (none, flags) = (ptr::null_mut(), ffi::SQLITE_UTF8);
            ffi::sqlite3_create_function_v2(self.0, c"run".as_ptr(), 1, flags, none, Some(run), None, None, None)
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.failure(code)) }
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
    ///
    /// # Errors
    /// What SQLite reports, from preparing to the last step.
    pub fn run(&self, sql: &str, parameters: &[&str]) -> Result<Vec<String>, Failure> {
        let mut statement = ptr::null_mut();
        let size = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
        // SAFETY: the connection is open, texts outlive the statement, which is finalized.
        unsafe {
            let code = ffi::sqlite3_prepare_v2(self.0, sql.as_ptr().cast(), size, &raw mut statement, ptr::null_mut());
            if code != ffi::SQLITE_OK {
                return Err(self.failure(code));
            }
            let encoding = u8::try_from(ffi::SQLITE_UTF8).unwrap_or(1);
            for (index, text) in (1..).zip(parameters) {
                let text = (text.as_ptr().cast(), text.len() as u64);
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
                    let size = usize::try_from(ffi::sqlite3_column_bytes(statement, column)).unwrap_or(0);
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

    /// Whether a transaction is open.
    pub fn is_in_transaction(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_get_autocommit(self.0) == 0 }
    }

    /// Rolls back what a failed step has left open.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn roll_back(&self) -> Result<(), Failure> {
        if self.is_in_transaction() { self.run("ROLLBACK", &[]).map(|_| ()) } else { Ok(()) }
    }

    /// A statement of the application that has given its first row and stays open.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn open_statement(&self, sql: &str) -> Result<OpenStatement, Failure> {
        let mut statement = ptr::null_mut();
        let size = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
        // SAFETY: the connection is open, and the text is valid for its size. The statement is finalized on drop.
        unsafe {
            let code = ffi::sqlite3_prepare_v2(self.0, sql.as_ptr().cast(), size, &raw mut statement, ptr::null_mut());
            let statement = OpenStatement(statement);
            match code {
                ffi::SQLITE_OK => match ffi::sqlite3_step(statement.0) {
                    ffi::SQLITE_ROW | ffi::SQLITE_DONE => Ok(statement),
                    code => Err(self.failure(code)),
                },
                code => Err(self.failure(code)),
            }
        }
    }

    /// The SQL of all statements that are running.
    pub fn running_statements(&self) -> Vec<String> {
        let mut running = Vec::new();
        let mut statement = ptr::null_mut();
        loop {
            // SAFETY: the connection is open, and the statements are its own.
            unsafe {
                statement = ffi::sqlite3_next_stmt(self.0, statement);
                if statement.is_null() {
                    return running;
                }
                if ffi::sqlite3_stmt_busy(statement) != 0 {
                    running.push(CStr::from_ptr(ffi::sqlite3_sql(statement)).to_string_lossy().into_owned());
                }
            }
        }
    }

    /// Closes the connection with `sqlite3_close`; it lives on if that fails.
    ///
    /// # Errors
    /// SQLITE_BUSY while a statement is open.
    pub fn try_close(&mut self) -> Result<(), Failure> {
        // SAFETY: open or NULL, and not used again if it is closed.
        match unsafe { ffi::sqlite3_close(self.0) } {
            ffi::SQLITE_OK => {
                self.0 = ptr::null_mut();
                Ok(())
            }
            code => Err(self.failure(code)),
        }
    }

    /// Closes the connection, which must not find anything left open.
    ///
    /// # Panics
    /// If it does.
    pub fn close(mut self) {
        assert_eq!(self.try_close(), Ok(()));
    }
}

unsafe extern "C" fn run(context: *mut ffi::sqlite3_context, _: c_int, arguments: *mut *mut ffi::sqlite3_value) {
    // SAFETY: SQLite calls this with one argument; its text is a C string that lives during the call.
    unsafe {
        let sql = ffi::sqlite3_value_text(*arguments).cast();
        let code =
            ffi::sqlite3_exec(ffi::sqlite3_context_db_handle(context), sql, None, ptr::null_mut(), ptr::null_mut());
        if code != ffi::SQLITE_OK {
            ffi::sqlite3_result_error_code(context, code);
        }
    }
}

/// A statement that is open until this is dropped.
#[derive(Debug)]
pub struct OpenStatement(*mut ffi::sqlite3_stmt);

impl Drop for OpenStatement {
    fn drop(&mut self) {
        // SAFETY: a statement or NULL, and not used again.
        unsafe { ffi::sqlite3_finalize(self.0) };
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: open or NULL, and not used again.
        unsafe { ffi::sqlite3_close(self.0) };
    }
}
