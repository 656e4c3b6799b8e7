//! Connections, borrowed for the length of a call.

use alloc::rc::Rc;
use alloc::string::String;
use core::ffi::{CStr, c_int};
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use crate::api;
use crate::bindings::{SQLITE_OK, SQLITE_PREPARE_PERSISTENT, sqlite3};
use crate::error::{FunctionError, Result};
use crate::function::{self, Context, FunctionFlags};
use crate::vtab;
use crate::{EponymousTable, ResultCode, SqliteError, Statement, Value};

/// An open connection, valid for `'c`.
#[derive(Clone, Copy)]
pub struct Connection<'c> {
    raw: NonNull<sqlite3>,
    borrow: PhantomData<&'c ()>,
}

impl<'c> Connection<'c> {
    pub(crate) fn new(raw: NonNull<sqlite3>) -> Self {
        Self { raw, borrow: PhantomData }
    }

    pub(crate) fn raw(self) -> *mut sqlite3 {
        self.raw.as_ptr()
    }

    /// Prepares one statement.
    pub fn prepare(self, sql: &str) -> Result<Statement> {
        self.prepare_with(sql, 0)?.0.ok_or_else(|| self.no_statement(sql))
    }

    /// Prepares one statement that will be kept for long.
    pub fn prepare_persistent(self, sql: &str) -> Result<Statement> {
        self.prepare_with(sql, SQLITE_PREPARE_PERSISTENT as u32)?.0.ok_or_else(|| self.no_statement(sql))
    }

    /// Runs all statements in `sql`, ignoring rows.
    pub fn execute_batch(self, sql: &str) -> Result<()> {
        let mut rest = sql;
        while !rest.is_empty() {
            let (statement, tail) = self.prepare_with(rest, 0)?;
            if let Some(mut statement) = statement {
                statement.execute(&[])?;
            }
            rest = tail;
        }
        Ok(())
    }

    /// Prepares the first statement in `sql` (None for blank text), and returns what follows it.
    fn prepare_with(self, sql: &str, flags: u32) -> Result<(Option<Statement>, &str)> {
        let Ok(size) = c_int::try_from(sql.len()) else {
            return Err(SqliteError::new(ResultCode::TOOBIG, "SQL text is too long"));
        };
        let mut raw = ptr::null_mut();
        let mut tail = ptr::null();
        // SAFETY: the connection is open; the text is valid for its size.
        let code = unsafe {
            api::sqlite3_prepare_v3(self.raw(), sql.as_ptr().cast(), size, flags, &raw mut raw, &raw mut tail)
        };
        if code != SQLITE_OK {
            return Err(self.error(code, Some(sql)));
        }
        let consumed = (tail as usize).saturating_sub(sql.as_ptr() as usize);
        let rest = if tail.is_null() { "" } else { sql.get(consumed..).unwrap_or("") };
        Ok((NonNull::new(raw).map(Statement::from_raw), rest))
    }

    fn no_statement(self, sql: &str) -> SqliteError {
        SqliteError { code: ResultCode::MISUSE, message: "no statement in SQL text".into(), sql: Some(sql.into()) }
    }

    fn error(self, code: c_int, sql: Option<&str>) -> SqliteError {
        // SAFETY: the connection is open, and a call on it has just failed.
        unsafe { SqliteError::last(self.raw(), code, sql) }
    }

    /// Whether no transaction is open.
    pub fn is_autocommit(self) -> bool {
        // SAFETY: the connection is open, here and below.
        unsafe { api::sqlite3_get_autocommit(self.raw()) != 0 }
    }

    /// Rows changed by the last statement.
    pub fn changes(self) -> i64 {
        // SAFETY: see above.
        i64::from(unsafe { api::sqlite3_changes(self.raw()) })
    }

    /// Rows changed since the connection was opened.
    pub fn total_changes(self) -> i64 {
        // SAFETY: see above.
        i64::from(unsafe { api::sqlite3_total_changes(self.raw()) })
    }

    /// The row id of the last insert.
    pub fn last_insert_rowid(self) -> i64 {
        // SAFETY: see above.
        unsafe { api::sqlite3_last_insert_rowid(self.raw()) }
    }

    /// The value of a run-time limit (`SQLITE_LIMIT_…`).
    pub fn limit(self, id: i32) -> i32 {
        // SAFETY: see above; a negative value only reads.
        unsafe { api::sqlite3_limit(self.raw(), id, -1) }
    }

    /// Whether the database `schema` was opened read-only.
    pub fn is_read_only(self, schema: &CStr) -> bool {
        // SAFETY: see above.
        unsafe { api::sqlite3_db_readonly(self.raw(), schema.as_ptr()) == 1 }
    }

    /// Whether `sqlite3_interrupt` is in effect; false before SQLite 3.41, which cannot tell.
    pub fn is_interrupted(self) -> bool {
        // SAFETY: see above; the entry exists from 3.41 on.
        sqlite_version_number() >= 3_041_000 && unsafe { api::sqlite3_is_interrupted(self.raw()) != 0 }
    }

    /// Registers an SQL function with `argument_count` arguments (-1: any number) and state of its own.
    pub fn create_scalar_function<T: 'static>(
        self,
        name: &str,
        argument_count: i32,
        flags: FunctionFlags,
        state: Rc<T>,
        function: fn(&T, &Context<'_>, &[&Value]) -> core::result::Result<(), FunctionError>,
    ) -> Result<()> {
        let code = function::register(self.raw(), &c_string(name)?, argument_count, flags, state, function);
        if code == SQLITE_OK { Ok(()) } else { Err(self.error(code, None)) }
    }

    /// Registers an eponymous virtual table.
    pub fn create_module<T: EponymousTable>(self, name: &str, state: Rc<T::State>) -> Result<()> {
        let code = vtab::register::<T>(self.raw(), &c_string(name)?, state);
        if code == SQLITE_OK { Ok(()) } else { Err(self.error(code, None)) }
    }
}

/// `text` with a NUL at its end.
pub(crate) fn c_string(text: &str) -> Result<alloc::vec::Vec<u8>> {
    let mut bytes = alloc::vec::Vec::new();
    let size = text.len().saturating_add(1);
    bytes.try_reserve_exact(size).map_err(|_| SqliteError::new(ResultCode::NOMEM, "out of memory"))?;
    bytes.extend(text.bytes().filter(|byte| *byte != 0));
    bytes.push(0);
    Ok(bytes)
}

/// The running SQLite's version as a number, 3038000 for 3.38.0.
pub fn sqlite_version_number() -> i32 {
    // SAFETY: has no conditions.
    unsafe { api::sqlite3_libversion_number() }
}

/// The running SQLite's version as text.
pub fn sqlite_version() -> String {
    // SAFETY: has no conditions.
    let version = unsafe { api::sqlite3_libversion() };
    if version.is_null() {
        return String::from("unknown");
    }
    // SAFETY: a C string that lives as long as the process.
    String::from_utf8_lossy(unsafe { CStr::from_ptr(version) }.to_bytes()).into_owned()
}

/// Fills `buffer` from SQLite's random number generator.
pub fn randomness(buffer: &mut [u8]) {
    if let Ok(size) = c_int::try_from(buffer.len()) {
        // SAFETY: the buffer is valid for its size.
        unsafe { api::sqlite3_randomness(size, buffer.as_mut_ptr().cast()) };
    }
}

/// Writes a message to SQLite's error log.
pub fn log(code: ResultCode, message: &str) {
    if let Ok(message) = c_string(message) {
        // SAFETY: a C string.
        unsafe { api::log(code.0, message.as_ptr().cast()) };
    }
}
