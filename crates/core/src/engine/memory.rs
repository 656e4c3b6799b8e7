//! Getting memory in ways that can fail, for what grows with the number of buckets.

use alloc::boxed::Box;
use alloc::string::String;

use hashbrown::TryReserveError;

use crate::error::{Error, ErrorKind, Result};

/// The error for a hash map that could not grow.
#[cold]
#[inline(never)]
pub(super) fn out_of_memory(_: TryReserveError) -> Error {
    Error::new(ErrorKind::OutOfMemory, "out of memory")
}

/// A copy of `text`.
pub(super) fn copy(text: &str) -> Result<Box<str>> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())?;
    copy.push_str(text);
    Ok(copy.into_boxed_str())
}
