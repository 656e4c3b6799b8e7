//! Connections, borrowed for the length of a call.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ffi::{CStr, c_int};
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use crate::api;
use crate::bindings::{SQLITE_OK, SQLITE_PREPARE_PERSISTENT, sqlite3};
use crate::error::{FunctionError, Result};
use crate::function::{self, Context, FunctionFlags};
use crate::hooks::{self, Hooks, InstalledHooks};
use crate::vtab;
use crate::{DataVersions, EponymousTable, ResultCode, SqliteError, Statement, Value};

/// An open connection, valid for `'c`.
///
/// Whatever is registered on it (functions, modules, hooks) is called and dropped on the thread that is using the
/// connection, one at a time, for SQLite either guards it with a mutex or leaves that to the application.
#[derive(Clone, Copy)]
pub struct Connection<'c> {
    raw: NonNull<sqlite3>,
    /// Takes note of what is registered, while the entry point runs.
    registered: Option<&'c RefCell<Vec<Registered>>>,
    borrow: PhantomData<&'c ()>,
}

/// A registered function or module.
pub(crate) struct Registered {
    /// The name, as a C string.
    name: Vec<u8>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Function { argument_count: c_int },
    Module,
}

impl<'c> Connection<'c> {
    pub(crate) fn new(raw: NonNull<sqlite3>) -> Self {
        Self { raw, registered: None, borrow: PhantomData }
    }

    /// The connection, with a list of what will be registered on it.
    pub(crate) fn with_list(self, registered: &'c RefCell<Vec<Registered>>) -> Self {
        Self { registered: Some(registered), ..self }
    }

    pub(crate) fn handle(self) -> NonNull<sqlite3> {
        self.raw
    }

    pub(crate) fn raw(self) -> *mut sqlite3 {
        self.raw.as_ptr()
    }

    /// Prepares one statement. White space, comments and semicolons may follow; SQLITE_MISUSE for anything else, and
    /// for no statement at all.
    pub fn prepare(self, sql: &str) -> Result<Statement> {
        self.prepare_one(sql, 0)
    }

    /// Prepares one statement that will be kept for long; see [`Self::prepare`].
    pub fn prepare_persistent(self, sql: &str) -> Result<Statement> {
        self.prepare_one(sql, SQLITE_PREPARE_PERSISTENT as u32)
    }

    fn prepare_one(self, sql: &str, flags: u32) -> Result<Statement> {
        let misuse = |message: &str| SqliteError::new(ResultCode::MISUSE, message).with_sql(sql);
        let (statement, mut rest) = self.prepare_first_with(sql, flags)?;
        let statement = statement.ok_or_else(|| misuse("there is no statement in the SQL text"))?;
        while !rest.is_empty() {
            let (another, tail) = self.prepare_first(rest)?;
            if another.is_some() {
                return Err(misuse("there is more than one statement in the SQL text"));
            }
            rest = tail;
        }
        Ok(statement)
    }

    /// Runs all statements in `sql`, ignoring rows.
    pub fn execute_batch(self, sql: &str) -> Result<()> {
        let mut rest = sql;
        while !rest.is_empty() {
            let (statement, tail) = self.prepare_first(rest)?;
            if let Some(mut statement) = statement {
                statement.execute(&[])?;
            }
            rest = tail;
        }
        Ok(())
    }

    /// Prepares the first statement in `sql` (None for blank text), and returns what follows it.
    pub fn prepare_first(self, sql: &str) -> Result<(Option<Statement>, &str)> {
        self.prepare_first_with(sql, 0)
    }

    fn prepare_first_with(self, sql: &str, flags: u32) -> Result<(Option<Statement>, &str)> {
        let Ok(size) = c_int::try_from(sql.len()) else {
            return Err(SqliteError::new(ResultCode::TOOBIG, "the SQL text is too long"));
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
        let statement = NonNull::new(raw).map(Statement::from_raw);
        let consumed = tail.addr().checked_sub(sql.as_ptr().addr()).filter(|_| !tail.is_null());
        debug_assert!(consumed.is_some_and(|consumed| sql.is_char_boundary(consumed)), "SQLite read beyond the text");
        let rest = consumed.and_then(|consumed| sql.get(consumed..)).unwrap_or("");
        // SQLite reads up to a NUL, and would never come to the end.
        if rest.starts_with('\0') {
            let message = "there is a NUL character in the SQL text";
            return Err(SqliteError::new(ResultCode::MISUSE, message).with_sql(sql));
        }
        Ok((statement, rest))
    }

    pub(crate) fn error(self, code: c_int, sql: Option<&str>) -> SqliteError {
        // SAFETY: the connection is open, and a call on it has just failed.
        unsafe { SqliteError::last(self.raw(), code, sql) }
    }

    /// The code of the last call on this connection; SQLITE_NOMEM from when memory was refused in a running statement
    /// to the statement's end.
    pub fn last_code(self) -> ResultCode {
        // SAFETY: the connection is open.
        ResultCode(unsafe { api::sqlite3_extended_errcode(self.raw()) })
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

    /// Whether `sqlite3_interrupt` is in effect; false before SQLite 3.41, which does not say.
    pub fn is_interrupted(self) -> bool {
        // SAFETY: see above; the entry exists from 3.41 on.
        sqlite_version_number() >= 3_041_000 && unsafe { api::sqlite3_is_interrupted(self.raw()) != 0 }
    }

    /// Registers an SQL function with `argument_count` arguments (-1: any number) and its own state.
    pub fn create_scalar_function<T: 'static>(
        self,
        name: &str,
        argument_count: i32,
        flags: FunctionFlags,
        state: Rc<T>,
        function: fn(&T, &Context<'_>, &[&Value]) -> core::result::Result<(), FunctionError>,
    ) -> Result<()> {
        let name = c_string(name)?;
        let code = function::register(self.raw, &name, argument_count, flags, state, function);
        self.note(code, name, Kind::Function { argument_count })
    }

    /// The outcome of a registration, which is noted if it succeeded.
    fn note(self, code: c_int, name: Vec<u8>, kind: Kind) -> Result<()> {
        if code != SQLITE_OK {
            return Err(self.error(code, None));
        }
        if let Some(registered) = self.registered {
            registered.borrow_mut().push(Registered { name, kind });
        }
        Ok(())
    }

    /// Takes back what was registered; false if SQLite refuses that, as it does for functions while a statement runs.
    pub(crate) fn take_back(self, registered: Vec<Registered>) -> bool {
        registered.into_iter().rev().fold(true, |is_done, Registered { name, kind }| {
            let code = match kind {
                Kind::Function { argument_count } => function::remove(self.raw, &name, argument_count),
                Kind::Module => vtab::remove(self.raw, &name),
            };
            is_done && code == SQLITE_OK
        })
    }

    /// Installs an update, a commit and a rollback hook.
    ///
    /// Fails with SQLITE_MISUSE, and changes nothing, if the application has one of them installed, or if no function
    /// or module of ours is registered on the connection.
    pub fn install_hooks<H: Hooks>(self, hooks: Rc<H>) -> Result<InstalledHooks> {
        hooks::install(self, hooks)
    }

    /// Reads the data versions of this connection, also later and from hooks.
    pub fn data_versions(self) -> DataVersions {
        DataVersions::new(self.raw)
    }

    /// Registers an eponymous virtual table.
    pub fn create_module<T: EponymousTable>(self, name: &str, state: Rc<T::State>) -> Result<()> {
        let name = c_string(name)?;
        let code = vtab::register::<T>(self.raw, &name, state);
        self.note(code, name, Kind::Module)
    }
}

/// `text` with a NUL at its end, without those within.
pub(crate) fn c_string(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let size = text.len().saturating_add(1);
    bytes.try_reserve_exact(size).map_err(|_| SqliteError::out_of_memory())?;
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
