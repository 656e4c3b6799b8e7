//! An allocator for SQLite that fails on demand.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rusqlite::ffi;

/// How many more requests are served before one fails; negative when none is to fail.
static REMAINING: AtomicI64 = AtomicI64::new(-1);
/// Whether all requests fail after the first that does.
static GOES_ON: AtomicBool = AtomicBool::new(false);
/// Whether a request has failed.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

type Allocate = unsafe extern "C" fn(c_int) -> *mut c_void;
type Reallocate = unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void;

/// SQLite's own methods.
static ORIGINAL: OnceLock<(Allocate, Reallocate)> = OnceLock::new();

/// Puts the failing allocator into SQLite, which must not have been used.
pub fn install() {
    let mut methods = MaybeUninit::<ffi::sqlite3_mem_methods>::uninit();
    // SAFETY: SQLite fills in the methods of its own allocator.
    let methods = unsafe {
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, methods.as_mut_ptr()), ffi::SQLITE_OK);
        methods.assume_init()
    };
    ORIGINAL.set((methods.xMalloc.unwrap(), methods.xRealloc.unwrap())).unwrap();
    let failing = ffi::sqlite3_mem_methods { xMalloc: Some(allocate), xRealloc: Some(reallocate), ..methods };
    // SAFETY: a complete allocator.
    assert_eq!(unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const failing) }, ffi::SQLITE_OK);
}

/// Runs `work` while the request number `number` (from 0) fails, and with `goes_on` all that follow. Tells whether one
/// did.
pub fn failing<T>(number: i64, goes_on: bool, work: impl FnOnce() -> T) -> (T, bool) {
    HAS_FAILED.store(false, Ordering::Relaxed);
    GOES_ON.store(goes_on, Ordering::Relaxed);
    REMAINING.store(number, Ordering::Relaxed);
    let result = work();
    REMAINING.store(-1, Ordering::Relaxed);
    (result, HAS_FAILED.load(Ordering::Relaxed))
}

fn is_refused() -> bool {
    let remaining = REMAINING.load(Ordering::Relaxed);
    if remaining > 0 {
        REMAINING.store(remaining - 1, Ordering::Relaxed);
    }
    if remaining != 0 {
        return false;
    }
    if !GOES_ON.load(Ordering::Relaxed) {
        REMAINING.store(-1, Ordering::Relaxed);
    }
    HAS_FAILED.store(true, Ordering::Relaxed);
    true
}

unsafe extern "C" fn allocate(size: c_int) -> *mut c_void {
    match ORIGINAL.get() {
        // SAFETY: the original method, with what it is given.
        Some((method, _)) if !is_refused() => unsafe { method(size) },
        _ => ptr::null_mut(),
    }
}

unsafe extern "C" fn reallocate(block: *mut c_void, size: c_int) -> *mut c_void {
    match ORIGINAL.get() {
        // SAFETY: the original method, with what it is given.
        Some((_, method)) if !is_refused() => unsafe { method(block, size) },
        _ => ptr::null_mut(),
    }
}
