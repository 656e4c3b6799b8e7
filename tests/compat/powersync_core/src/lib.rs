//! This extension under the name of the published core crate, for `[patch.crates-io]` below the published Rust SDK.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::c_int;

/// Registers the extension on each connection that is opened from now on; again does no harm. Gives 0 or SQLite's result
/// code.
pub extern "C" fn powersync_init_static() -> c_int {
    match extension::load_into_new_connections() {
        Ok(()) => 0,
        Err(code) => code.0,
    }
}
