//! The glue of the C entry point.

use alloc::format;
use alloc::string::String;
use core::cell::RefCell;
use core::ffi::{c_char, c_int};
use core::ptr::NonNull;

use crate::bindings::{
    SQLITE_ERROR, SQLITE_MISUSE, SQLITE_NOMEM, SQLITE_OK, SQLITE_OK_LOAD_PERMANENTLY, sqlite3, sqlite3_api_routines,
};
use crate::error::FunctionError;
use crate::registry::{self, Loading, State};
use crate::vtab::copy_with_nul;
use crate::{Connection, ResultCode, api, connection, memory};

/// The oldest SQLite that we run on: 3.38.0.
const MINIMUM_VERSION: i32 = 3_038_000;

/// Stores SQLite's API table; nothing with the feature `static`.
///
/// # Safety
/// `api` is what SQLite passed to an extension's entry point. Nothing is left of connections of another SQLite.
pub unsafe fn initialize(api: *const sqlite3_api_routines) {
    api::set_table(api);
}

/// A connection given by C code; None for NULL.
///
/// # Safety
/// `db` is open for `'c`.
pub unsafe fn connection_from_raw<'c>(db: *mut sqlite3) -> Option<Connection<'c>> {
    NonNull::new(db).map(Connection::new)
}

/// All of `sqlite3_powersync_init`: stores the API table, refuses an SQLite that is too old, and calls `load` unless
/// the connection has the extension already. What `load` registered before it failed is removed; where that cannot be,
/// while a statement runs, the result is SQLITE_OK_LOAD_PERMANENTLY, and the failure is only logged.
///
/// # Safety
/// Called by SQLite as an extension's entry point, with its arguments.
pub unsafe fn entry_point(
    db: *mut sqlite3,
    error: *mut *mut c_char,
    api: *const sqlite3_api_routines,
    load: fn(Connection<'_>) -> Result<(), FunctionError>,
) -> c_int {
    let Some(db) = NonNull::new(db) else { return SQLITE_MISUSE };
    let loading = Loading::begin(api);
    if loading.is_some() && !api::is_available() {
        return SQLITE_MISUSE;
    }
    let result = match loading {
        Some(_) => load_once(db, load),
        None => Err((SQLITE_MISUSE, String::from("PowerSync is in use with another SQLite library in this process"))),
    };
    let Err((code, message)) = result else { return SQLITE_OK };
    if !error.is_null() {
        // SAFETY: SQLite passes a valid place, and frees the message with the allocator in its table.
        unsafe { *error = copy_with_nul(&message, |size| api::malloc64_of(api, size)) };
    }
    code
}

/// What SQLite calls to load an extension into a connection.
pub type EntryPoint = unsafe extern "C" fn(*mut sqlite3, *mut *mut c_char, *const sqlite3_api_routines) -> c_int;

/// Has SQLite call `entry_point` for each connection that is opened from now on; again is harmless. Gives SQLite's
/// result code.
///
/// # Safety
/// `entry_point` may be called by SQLite as an extension's entry point.
#[cfg(feature = "static")]
pub unsafe fn load_into_new_connections(entry_point: EntryPoint) -> c_int {
    // SAFETY: SQLite declares the argument as a function without arguments, and calls it with those of an entry point.
    unsafe {
        let declared = core::mem::transmute::<EntryPoint, unsafe extern "C" fn()>(entry_point);
        api::sqlite3_auto_extension(Some(declared))
    }
}

/// An extension as a type, for programs in Rust that have their own allocator and panic handler.
pub trait Extension {
    /// Registers the extension on a connection.
    ///
    /// # Errors
    /// What SQLite receives when the connection is opened.
    fn load(connection: Connection<'_>) -> Result<(), FunctionError>;
}

/// Like [`load_into_new_connections`], without an entry point of the program's own.
///
/// # Errors
/// SQLite's result code.
#[cfg(feature = "static")]
pub fn load_extension_into_new_connections<E: Extension>() -> Result<(), ResultCode> {
    // SAFETY: the function is an entry point.
    match unsafe { load_into_new_connections(entry_point_of::<E>) } {
        SQLITE_OK => Ok(()),
        code => Err(ResultCode(code)),
    }
}

/// The entry point of an extension.
///
/// # Safety
/// Called as SQLite calls entry points.
pub unsafe extern "C" fn entry_point_of<E: Extension>(
    db: *mut sqlite3,
    error: *mut *mut c_char,
    api: *const sqlite3_api_routines,
) -> c_int {
    // SAFETY: by contract.
    unsafe { entry_point(db, error, api, E::load) }
}

fn load_once(
    db: NonNull<sqlite3>,
    load: fn(Connection<'_>) -> Result<(), FunctionError>,
) -> Result<(), (c_int, String)> {
    if connection::sqlite_version_number() < MINIMUM_VERSION {
        let (ours, found) = (env!("CARGO_PKG_VERSION"), connection::sqlite_version());
        return Err((SQLITE_ERROR, format!("PowerSync {ours} needs SQLite 3.38.0 or newer, found {found}")));
    }
    let connection = Connection::new(db);
    match registry::state(db) {
        State::Loaded => return Ok(()),
        State::Unknown if has_another_copy(connection).unwrap_or(false) => return Ok(()),
        // What an application did not let go of after a failure is replaced.
        State::Begun | State::Unknown => {}
    }
    let registered = RefCell::default();
    let failure = match memory::guard(|| load(connection.with_list(&registered))) {
        Ok(Ok(())) => {
            registry::set_loaded(db);
            return Ok(());
        }
        Ok(Err(failure)) => (failure.raw_code(), failure.message),
        Err(memory::OutOfMemory) => (SQLITE_NOMEM, String::from("out of memory")),
    };
    // SQLite unloads a library whose entry point fails, with all the functions that it may still call.
    if connection.take_back(registered.into_inner()) || cfg!(feature = "static") {
        return Err(failure);
    }
    connection::log(ResultCode(failure.0), &failure.1);
    Err((SQLITE_OK_LOAD_PERMANENTLY, failure.1))
}

/// Whether another copy of the library (one linked statically, say) was loaded into the connection, which then has its
/// pre-close table.
///
/// Asked in the only way that reads no schema, because the database may be locked, or encrypted and not keyed yet:
/// SELECT reads it even without a table. Nor may the question fail: SQLite refuses to open a connection on which an
/// automatic extension left an error behind. Without the pragma (SQLITE_OMIT_INTROSPECTION_PRAGMAS) there is no answer.
fn has_another_copy(connection: Connection<'_>) -> crate::Result<bool> {
    let mut modules = connection.prepare("PRAGMA module_list")?;
    let mut rows = modules.query(&[])?;
    while let Some(row) = rows.next()? {
        if row.text(0)? == "powersync_internal_close" {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes a crate the extension: its allocator, its panic handler, and the entry point `sqlite3_powersync_init`, which
/// loads the extension into a connection with the given function.
#[macro_export]
macro_rules! extension {
    ($load:path) => {
        #[global_allocator]
        static ALLOCATOR: $crate::SqliteAllocator = $crate::SqliteAllocator;

        /// Registers the extension on a connection.
        ///
        /// # Safety
        /// Called as SQLite calls the entry point of an extension: with an open connection, a place for a message or
        /// NULL, and (loaded builds) SQLite's API table.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn sqlite3_powersync_init(
            db: *mut $crate::bindings::sqlite3,
            error: *mut *mut ::core::ffi::c_char,
            api: *const $crate::bindings::sqlite3_api_routines,
        ) -> ::core::ffi::c_int {
            // SAFETY: by contract.
            unsafe { $crate::entry_point(db, error, api, $load) }
        }

        #[cfg(not(test))]
        #[panic_handler]
        fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            $crate::abort_on_panic(info)
        }
    };
}
