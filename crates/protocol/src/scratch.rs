//! The memory into which a line's escaped strings are unescaped.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Memory for the unescaped strings of one line.
///
/// Decoding allocates it only when a string of the line holds an escape, once, with at most as many bytes as the line
/// has. It can be used for the next line again when the decoded line is gone, and is then allocated only to grow.
#[derive(Debug, Default)]
pub struct Scratch {
    buffer: Vec<u8>,
}

const ZEROS: [u8; 1024] = [0; 1024];

impl Scratch {
    /// Memory that holds nothing yet.
    pub const fn new() -> Self {
        Self { buffer: Vec::new() }
    }

    /// Gives the memory back if it is more than `most` bytes.
    pub fn trim(&mut self, most: usize) {
        if self.buffer.capacity() > most {
            self.buffer = Vec::new();
        }
    }

    /// At least `length` bytes.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn reserve(&mut self, length: usize) -> Result<&mut [u8], TryReserveError> {
        if let Some(missing) = length.checked_sub(self.buffer.len()) {
            self.buffer.try_reserve_exact(missing)?;
            // Resizing writes byte by byte where code is compiled for size.
            while let Some(missing) = length.checked_sub(self.buffer.len()).filter(|missing| *missing > 0) {
                self.buffer.extend_from_slice(ZEROS.get(..missing).unwrap_or(&ZEROS));
            }
        }
        Ok(&mut self.buffer)
    }
}
