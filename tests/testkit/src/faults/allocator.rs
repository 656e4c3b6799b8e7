//! An allocator for SQLite that fails on demand.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;

use super::countdown::Countdown;

/// The requests for memory that fail, in the whole process.
pub static REQUESTS: Countdown = Countdown::new();

type Allocate = unsafe extern "C" fn(c_int) -> *mut c_void;
type Reallocate = unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void;

/// SQLite's own methods.
static ORIGINAL: OnceLock<(Allocate, Reallocate)> = OnceLock::new();

/// Puts the failing allocator into SQLite, which must not have been used before the first call.
///
/// # Panics
/// If SQLite is in use already.
pub fn install() {
    ORIGINAL.get_or_init(|| {
        let mut methods = MaybeUninit::<ffi::sqlite3_mem_methods>::uninit();
        // SAFETY: SQLite fills in the methods of its own allocator.
        let methods = unsafe {
            assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, methods.as_mut_ptr()), ffi::SQLITE_OK);
            methods.assume_init()
        };
        let failing = ffi::sqlite3_mem_methods { xMalloc: Some(allocate), xRealloc: Some(reallocate), ..methods };
        // SAFETY: a complete allocator.
        let code = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const failing) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite is in use");
        methods.xMalloc.zip(methods.xRealloc).expect("an allocator has these methods")
    });
}

/// Runs `work` while the request number `number` (from 0) fails, and with `goes_on` all that follow. Tells whether one
/// did.
pub fn failing<T>(number: u64, goes_on: bool, work: impl FnOnce() -> T) -> (T, bool) {
    REQUESTS.fail(number, goes_on);
    REQUESTS.set_active(true);
    let result = work();
    REQUESTS.heal();
    (result, REQUESTS.has_failed())
}

/// How much memory SQLite and the library have in use, in bytes.
pub fn memory_used() -> i64 {
    // SAFETY: has no conditions.
    unsafe { ffi::sqlite3_memory_used() }
}

unsafe extern "C" fn allocate(size: c_int) -> *mut c_void {
    match ORIGINAL.get() {
        // SAFETY: the original method, with what it is given.
        Some((method, _)) if !REQUESTS.is_due() => unsafe { method(size) },
        _ => ptr::null_mut(),
    }
}

unsafe extern "C" fn reallocate(block: *mut c_void, size: c_int) -> *mut c_void {
    match ORIGINAL.get() {
        // SAFETY: the original method, with what it is given.
        Some((_, method)) if !REQUESTS.is_due() => unsafe { method(block, size) },
        _ => ptr::null_mut(),
    }
}
