//! Interrupts at a certain step of SQLite's virtual machine, as `sqlite3_interrupt` of another thread would cause.

use std::ffi::{c_int, c_void};

use super::countdown::Countdown;

/// The step that is interrupted, on connections that were opened with `Database::open`.
pub static STEPS: Countdown = Countdown::new();

/// A progress handler.
pub(super) unsafe extern "C" fn is_interrupted(_: *mut c_void) -> c_int {
    c_int::from(STEPS.is_due())
}
