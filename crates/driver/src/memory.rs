//! How much memory SQLite has taken from its allocator, all connections of the process together. The extension takes
//! its memory there too.

use rusqlite::ffi;

/// The bytes in use now.
pub fn used() -> i64 {
    // SAFETY: may be called at any time, from any thread; it reads one counter.
    unsafe { ffi::sqlite3_memory_used() }
}

/// The most bytes in use at any one time since the last [`reset_peak`].
pub fn peak() -> i64 {
    // SAFETY: may be called at any time, from any thread; it reads one counter.
    unsafe { ffi::sqlite3_memory_highwater(0) }
}

/// Starts again: the peak is what is in use now.
pub fn reset_peak() {
    // SAFETY: as above; it sets one counter.
    unsafe { ffi::sqlite3_memory_highwater(1) };
}
