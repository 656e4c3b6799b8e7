//! The extension as a static library: the C entry points, the allocator and the panic handler, nothing else.
//! `include/powersync.h` declares what C and C++ programs call.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

use core::ffi::c_int;

sqlite_nostd::extension!(rowtide_core::sql_api::register);

/// Registers the extension on each connection that is opened from now on. Gives 0, also when called again, or SQLite's
/// error code.
#[unsafe(no_mangle)]
pub extern "C" fn powersync_init_static() -> c_int {
    // SAFETY: the function is an entry point.
    unsafe { sqlite_nostd::load_into_new_connections(sqlite3_powersync_init) }
}

// The precompiled `core` and `alloc` mention the unwinder's personality function, which panics that abort never call. A
// weak definition lets programs link that have no Rust otherwise, and gives way to the real one in those that do.
#[cfg(any(target_os = "linux", target_os = "android"))]
core::arch::global_asm!(".weak rust_eh_personality", "rust_eh_personality:");
