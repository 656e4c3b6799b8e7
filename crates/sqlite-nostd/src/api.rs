//! SQLite's functions, found through the API table of a loaded extension or linked (feature `static`).

use core::ffi::{c_char, c_int, c_void};

use crate::bindings::*;

#[cfg(not(feature = "static"))]
mod table {
    use core::sync::atomic::{AtomicPtr, Ordering};

    use crate::bindings::sqlite3_api_routines;

    static TABLE: AtomicPtr<sqlite3_api_routines> = AtomicPtr::new(core::ptr::null_mut());

    /// Remembers the table.
    pub(super) fn set(table: *const sqlite3_api_routines) {
        TABLE.store(table.cast_mut(), Ordering::Release);
    }

    /// The table, null before the first connection loaded the extension.
    pub(super) fn get() -> *const sqlite3_api_routines {
        TABLE.load(Ordering::Acquire)
    }
}

/// Remembers the API table (loaded builds).
pub(crate) fn set_table(table: *const sqlite3_api_routines) {
    #[cfg(not(feature = "static"))]
    table::set(table);
    #[cfg(feature = "static")]
    let _ = table;
}

/// Whether `table` is the one that is remembered (loaded builds).
pub(crate) fn is_table(table: *const sqlite3_api_routines) -> bool {
    #[cfg(not(feature = "static"))]
    return table::get() == table;
    #[cfg(feature = "static")]
    {
        let _ = table;
        true
    }
}

/// Whether SQLite's functions can be called.
pub(crate) fn is_available() -> bool {
    #[cfg(not(feature = "static"))]
    return !table::get().is_null();
    #[cfg(feature = "static")]
    true
}

/// `sqlite3_malloc64` of the SQLite that gave `table`, NULL without a table.
///
/// # Safety
/// `table` is NULL or was given by SQLite.
pub(crate) unsafe fn malloc64_of(table: *const sqlite3_api_routines, size: sqlite3_uint64) -> *mut c_void {
    #[cfg(feature = "static")]
    {
        let _ = table;
        // SAFETY: has no conditions.
        unsafe { sqlite3_malloc64(size) }
    }
    #[cfg(not(feature = "static"))]
    {
        if table.is_null() {
            return core::ptr::null_mut();
        }
        // SAFETY: by contract.
        match unsafe { (&raw const (*table).malloc64).read() } {
            // SAFETY: has no conditions.
            Some(function) => unsafe { function(size) },
            None => core::ptr::null_mut(),
        }
    }
}

/// Declares functions of SQLite under their C names. In the table, `field` is the function's entry; what is after
/// `=` is returned while there is no table.
macro_rules! functions {
    ($(fn $name:ident / $field:ident ( $($argument:ident : $type:ty),* ) $(-> $result:ty = $missing:expr)?;)*) => {
        #[cfg(feature = "static")]
        unsafe extern "C" {
            $(pub(crate) fn $name($($argument: $type),*) $(-> $result)?;)*
        }

        $(
            /// The function of SQLite of that name.
            ///
            /// # Safety
            /// As SQLite's documentation says. The entry exists in the running SQLite.
            #[cfg(not(feature = "static"))]
            #[inline]
            #[allow(clippy::too_many_arguments, reason = "SQLite's signatures")]
            pub(crate) unsafe fn $name($($argument: $type),*) $(-> $result)? {
                let table = table::get();
                if table.is_null() {
                    return $($missing)?;
                }
                // SAFETY: the table was given by SQLite and lives as long as the process. Only this entry is read, so
                // that a shorter table of an older SQLite is fine while callers check versions.
                let entry = unsafe { (&raw const (*table).$field).read() };
                match entry {
                    // SAFETY: the caller keeps the function's rules.
                    Some(function) => unsafe { function($($argument),*) },
                    None => ($($missing)?),
                }
            }
        )*
    };
}

pub(crate) type Destructor = Option<unsafe extern "C" fn(*mut c_void)>;
type Function = Option<unsafe extern "C" fn(*mut sqlite3_context, c_int, *mut *mut sqlite3_value)>;
type FinalFunction = Option<unsafe extern "C" fn(*mut sqlite3_context)>;

pub(crate) type UpdateHook =
    Option<unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *const c_char, sqlite3_int64)>;
pub(crate) type CommitHook = Option<unsafe extern "C" fn(*mut c_void) -> c_int>;
pub(crate) type RollbackHook = Option<unsafe extern "C" fn(*mut c_void)>;

functions! {
    fn sqlite3_libversion_number / libversion_number() -> c_int = 0;
    fn sqlite3_libversion / libversion() -> *const c_char = core::ptr::null();
    fn sqlite3_malloc64 / malloc64(size: sqlite3_uint64) -> *mut c_void = core::ptr::null_mut();
    fn sqlite3_realloc64 / realloc64(memory: *mut c_void, size: sqlite3_uint64) -> *mut c_void = core::ptr::null_mut();
    fn sqlite3_free / free(memory: *mut c_void);
    fn sqlite3_msize / msize(memory: *mut c_void) -> sqlite3_uint64 = 0;
    fn sqlite3_randomness / randomness(size: c_int, buffer: *mut c_void);

    fn sqlite3_prepare_v3 / prepare_v3(db: *mut sqlite3, sql: *const c_char, size: c_int, flags: u32, statement: *mut *mut sqlite3_stmt, tail: *mut *const c_char) -> c_int = SQLITE_MISUSE;
    fn sqlite3_finalize / finalize(statement: *mut sqlite3_stmt) -> c_int = SQLITE_MISUSE;
    fn sqlite3_step / step(statement: *mut sqlite3_stmt) -> c_int = SQLITE_MISUSE;
    fn sqlite3_reset / reset(statement: *mut sqlite3_stmt) -> c_int = SQLITE_MISUSE;
    fn sqlite3_clear_bindings / clear_bindings(statement: *mut sqlite3_stmt) -> c_int = SQLITE_MISUSE;
    fn sqlite3_sql / sql(statement: *mut sqlite3_stmt) -> *const c_char = core::ptr::null();
    fn sqlite3_next_stmt / next_stmt(db: *mut sqlite3, statement: *mut sqlite3_stmt) -> *mut sqlite3_stmt = core::ptr::null_mut();
    fn sqlite3_db_handle / db_handle(statement: *mut sqlite3_stmt) -> *mut sqlite3 = core::ptr::null_mut();
    fn sqlite3_stmt_status / stmt_status(statement: *mut sqlite3_stmt, counter: c_int, reset: c_int) -> c_int = 0;
    fn sqlite3_stmt_readonly / stmt_readonly(statement: *mut sqlite3_stmt) -> c_int = 0;
    fn sqlite3_bind_parameter_count / bind_parameter_count(statement: *mut sqlite3_stmt) -> c_int = 0;
    fn sqlite3_bind_null / bind_null(statement: *mut sqlite3_stmt, index: c_int) -> c_int = SQLITE_MISUSE;
    fn sqlite3_bind_int64 / bind_int64(statement: *mut sqlite3_stmt, index: c_int, value: sqlite3_int64) -> c_int = SQLITE_MISUSE;
    fn sqlite3_bind_double / bind_double(statement: *mut sqlite3_stmt, index: c_int, value: f64) -> c_int = SQLITE_MISUSE;
    fn sqlite3_bind_value / bind_value(statement: *mut sqlite3_stmt, index: c_int, value: *const sqlite3_value) -> c_int = SQLITE_MISUSE;
    fn sqlite3_bind_text64 / bind_text64(statement: *mut sqlite3_stmt, index: c_int, text: *const c_char, size: sqlite3_uint64, destructor: Destructor, encoding: u8) -> c_int = SQLITE_MISUSE;
    fn sqlite3_bind_blob64 / bind_blob64(statement: *mut sqlite3_stmt, index: c_int, blob: *const c_void, size: sqlite3_uint64, destructor: Destructor) -> c_int = SQLITE_MISUSE;
    fn sqlite3_column_count / column_count(statement: *mut sqlite3_stmt) -> c_int = 0;
    fn sqlite3_column_name / column_name(statement: *mut sqlite3_stmt, index: c_int) -> *const c_char = core::ptr::null();
    fn sqlite3_column_type / column_type(statement: *mut sqlite3_stmt, index: c_int) -> c_int = SQLITE_NULL;
    fn sqlite3_column_int64 / column_int64(statement: *mut sqlite3_stmt, index: c_int) -> sqlite3_int64 = 0;
    fn sqlite3_column_double / column_double(statement: *mut sqlite3_stmt, index: c_int) -> f64 = 0.0;
    fn sqlite3_column_text / column_text(statement: *mut sqlite3_stmt, index: c_int) -> *const u8 = core::ptr::null();
    fn sqlite3_column_blob / column_blob(statement: *mut sqlite3_stmt, index: c_int) -> *const c_void = core::ptr::null();
    fn sqlite3_column_bytes / column_bytes(statement: *mut sqlite3_stmt, index: c_int) -> c_int = 0;

    fn sqlite3_value_type / value_type(value: *mut sqlite3_value) -> c_int = SQLITE_NULL;
    fn sqlite3_value_int64 / value_int64(value: *mut sqlite3_value) -> sqlite3_int64 = 0;
    fn sqlite3_value_double / value_double(value: *mut sqlite3_value) -> f64 = 0.0;
    fn sqlite3_value_text / value_text(value: *mut sqlite3_value) -> *const u8 = core::ptr::null();
    fn sqlite3_value_blob / value_blob(value: *mut sqlite3_value) -> *const c_void = core::ptr::null();
    fn sqlite3_value_bytes / value_bytes(value: *mut sqlite3_value) -> c_int = 0;
    fn sqlite3_value_encoding / value_encoding(value: *mut sqlite3_value) -> c_int = 0;
    fn sqlite3_value_subtype / value_subtype(value: *mut sqlite3_value) -> u32 = 0;

    fn sqlite3_user_data / user_data(context: *mut sqlite3_context) -> *mut c_void = core::ptr::null_mut();
    fn sqlite3_result_null / result_null(context: *mut sqlite3_context);
    fn sqlite3_result_int64 / result_int64(context: *mut sqlite3_context, value: sqlite3_int64);
    fn sqlite3_result_double / result_double(context: *mut sqlite3_context, value: f64);
    fn sqlite3_result_value / result_value(context: *mut sqlite3_context, value: *mut sqlite3_value);
    fn sqlite3_result_text / result_text(context: *mut sqlite3_context, text: *const c_char, size: c_int, destructor: Destructor);
    fn sqlite3_result_text64 / result_text64(context: *mut sqlite3_context, text: *const c_char, size: sqlite3_uint64, destructor: Destructor, encoding: u8);
    fn sqlite3_result_blob64 / result_blob64(context: *mut sqlite3_context, blob: *const c_void, size: sqlite3_uint64, destructor: Destructor);
    fn sqlite3_result_subtype / result_subtype(context: *mut sqlite3_context, subtype: u32);
    fn sqlite3_result_error / result_error(context: *mut sqlite3_context, message: *const c_char, size: c_int);
    fn sqlite3_result_error_code / result_error_code(context: *mut sqlite3_context, code: c_int);
    fn sqlite3_result_error_nomem / result_error_nomem(context: *mut sqlite3_context);

    fn sqlite3_create_function_v2 / create_function_v2(db: *mut sqlite3, name: *const c_char, arguments: c_int, flags: c_int, state: *mut c_void, function: Function, step: Function, last: FinalFunction, destroy: Destructor) -> c_int = SQLITE_MISUSE;
    fn sqlite3_create_module_v2 / create_module_v2(db: *mut sqlite3, name: *const c_char, module: *const sqlite3_module, state: *mut c_void, destroy: Destructor) -> c_int = SQLITE_MISUSE;
    fn sqlite3_declare_vtab / declare_vtab(db: *mut sqlite3, sql: *const c_char) -> c_int = SQLITE_MISUSE;

    fn sqlite3_errmsg / errmsg(db: *mut sqlite3) -> *const c_char = core::ptr::null();
    fn sqlite3_extended_errcode / extended_errcode(db: *mut sqlite3) -> c_int = SQLITE_MISUSE;
    fn sqlite3_update_hook / update_hook(db: *mut sqlite3, hook: UpdateHook, argument: *mut c_void) -> *mut c_void = core::ptr::null_mut();
    fn sqlite3_commit_hook / commit_hook(db: *mut sqlite3, hook: CommitHook, argument: *mut c_void) -> *mut c_void = core::ptr::null_mut();
    fn sqlite3_rollback_hook / rollback_hook(db: *mut sqlite3, hook: RollbackHook, argument: *mut c_void) -> *mut c_void = core::ptr::null_mut();
    fn sqlite3_get_autocommit / get_autocommit(db: *mut sqlite3) -> c_int = 1;
    fn sqlite3_changes / changes(db: *mut sqlite3) -> c_int = 0;
    fn sqlite3_total_changes / total_changes(db: *mut sqlite3) -> c_int = 0;
    fn sqlite3_last_insert_rowid / last_insert_rowid(db: *mut sqlite3) -> sqlite3_int64 = 0;
    fn sqlite3_limit / limit(db: *mut sqlite3, id: c_int, value: c_int) -> c_int = -1;
    fn sqlite3_file_control / file_control(db: *mut sqlite3, schema: *const c_char, operation: c_int, argument: *mut c_void) -> c_int = SQLITE_MISUSE;
    fn sqlite3_db_readonly / db_readonly(db: *mut sqlite3, schema: *const c_char) -> c_int = -1;
    fn sqlite3_is_interrupted / is_interrupted(db: *mut sqlite3) -> c_int = 0;

    fn sqlite3_open_v2 / open_v2(name: *const c_char, db: *mut *mut sqlite3, flags: c_int, vfs: *const c_char) -> c_int = SQLITE_MISUSE;
    fn sqlite3_close_v2 / close_v2(db: *mut sqlite3) -> c_int = SQLITE_MISUSE;
    fn sqlite3_backup_init / backup_init(target: *mut sqlite3, target_name: *const c_char, source: *mut sqlite3, source_name: *const c_char) -> *mut sqlite3_backup = core::ptr::null_mut();
    fn sqlite3_backup_step / backup_step(backup: *mut sqlite3_backup, pages: c_int) -> c_int = SQLITE_MISUSE;
    fn sqlite3_backup_finish / backup_finish(backup: *mut sqlite3_backup) -> c_int = SQLITE_MISUSE;
}

#[cfg(feature = "static")]
unsafe extern "C" {
    fn sqlite3_log(code: c_int, format: *const c_char, ...);
    fn sqlite3_vtab_config(db: *mut sqlite3, option: c_int, ...) -> c_int;
    fn sqlite3_db_config(db: *mut sqlite3, option: c_int, ...) -> c_int;
    /// Has SQLite call an entry point for each new connection.
    ///
    /// # Safety
    /// The function is an extension's entry point, declared as SQLite declares this argument.
    pub(crate) fn sqlite3_auto_extension(entry_point: Option<unsafe extern "C" fn()>) -> c_int;
}

/// `sqlite3_log` with a message that is taken as it is.
///
/// # Safety
/// `message` is a C string.
pub(crate) unsafe fn log(code: c_int, message: *const c_char) {
    // SAFETY: the format takes the one string that it is given.
    #[cfg(feature = "static")]
    unsafe {
        sqlite3_log(code, c"%s".as_ptr(), message)
    }
    #[cfg(not(feature = "static"))]
    {
        let table = table::get();
        if !table.is_null() {
            // SAFETY: as in `functions!`.
            if let Some(function) = unsafe { (&raw const (*table).log).read() } {
                // SAFETY: the format takes the one string that it is given.
                unsafe { function(code, c"%s".as_ptr(), message) }
            }
        }
    }
}

/// `sqlite3_vtab_config` for options without further arguments.
///
/// # Safety
/// Called from within xConnect of a virtual table on `db`.
pub(crate) unsafe fn vtab_config(db: *mut sqlite3, option: c_int) -> c_int {
    #[cfg(feature = "static")]
    // SAFETY: the options used take no further argument.
    return unsafe { sqlite3_vtab_config(db, option) };
    #[cfg(not(feature = "static"))]
    {
        let table = table::get();
        if table.is_null() {
            return SQLITE_MISUSE;
        }
        // SAFETY: as in `functions!`; the options used take no further argument.
        match unsafe { (&raw const (*table).vtab_config).read() } {
            // SAFETY: see above.
            Some(function) => unsafe { function(db, option) },
            None => SQLITE_MISUSE,
        }
    }
}

/// `sqlite3_db_config` for options that take an integer, and a place for the outcome, of which none is given.
///
/// # Safety
/// The connection is open, and `option` is of that kind.
pub(crate) unsafe fn db_config(db: *mut sqlite3, option: c_int, value: c_int) -> c_int {
    let outcome = core::ptr::null_mut::<c_int>();
    #[cfg(feature = "static")]
    // SAFETY: by contract.
    return unsafe { sqlite3_db_config(db, option, value, outcome) };
    #[cfg(not(feature = "static"))]
    {
        let table = table::get();
        if table.is_null() {
            return SQLITE_MISUSE;
        }
        // SAFETY: as in `functions!`.
        match unsafe { (&raw const (*table).db_config).read() } {
            // SAFETY: by contract.
            Some(function) => unsafe { function(db, option, value, outcome) },
            None => SQLITE_MISUSE,
        }
    }
}
