//! The end of a panic: logged, then aborted.

use core::fmt::Write;
use core::panic::PanicInfo;

use crate::api;
use crate::bindings::SQLITE_INTERNAL;

/// A message of bounded length that needs no allocation.
struct Message {
    bytes: [u8; 512],
    size: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        // The last byte stays the C string's NUL.
        for (place, byte) in self.bytes.iter_mut().take(511).skip(self.size).zip(text.bytes().filter(|byte| *byte != 0))
        {
            *place = byte;
            self.size += 1;
        }
        Ok(())
    }
}

/// Logs the panic through `sqlite3_log` and aborts the process: what a panic handler does.
pub fn abort_on_panic(info: &PanicInfo<'_>) -> ! {
    let mut message = Message { bytes: [0; 512], size: 0 };
    // A message that does not fit is cut.
    let _ = write!(message, "powersync: {info}");
    // SAFETY: a C string, because the last byte is never written.
    unsafe { api::log(SQLITE_INTERNAL, message.bytes.as_ptr().cast()) };
    abort()
}

/// Ends the process by an illegal instruction: there is no libc to ask.
fn abort() -> ! {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    // SAFETY: traps.
    unsafe {
        core::arch::asm!("ud2", options(noreturn, nomem, nostack))
    }
    #[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
    // SAFETY: traps.
    unsafe {
        core::arch::asm!("udf #0", options(noreturn, nomem, nostack))
    }
    #[cfg(any(target_arch = "riscv64", target_arch = "riscv32"))]
    // SAFETY: traps.
    unsafe {
        core::arch::asm!("unimp", options(noreturn, nomem, nostack))
    }
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
}
