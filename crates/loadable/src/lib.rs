//! The loadable extension `libpowersync`: the C entry point, the allocator and the panic handler, nothing else.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

use core::ffi::{c_char, c_int};

use sqlite_nostd::SqliteAllocator;
use sqlite_nostd::bindings::{sqlite3, sqlite3_api_routines};

#[global_allocator]
static ALLOCATOR: SqliteAllocator = SqliteAllocator;

/// Registers the extension on a connection.
///
/// # Safety
/// Called by SQLite as the entry point of a loadable extension.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_powersync_init(
    db: *mut sqlite3,
    error: *mut *mut c_char,
    api: *const sqlite3_api_routines,
) -> c_int {
    // SAFETY: the arguments are SQLite's.
    unsafe { sqlite_nostd::entry_point(db, error, api, powersync_core::sql_api::register) }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    sqlite_nostd::abort_on_panic(info)
}
