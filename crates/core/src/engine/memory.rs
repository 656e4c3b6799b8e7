//! Getting memory in ways that can fail, for what grows with the number of buckets.

use alloc::boxed::Box;
use alloc::string::String;

use crate::error::Result;

/// A copy of `text`.
pub(super) fn copy(text: &str) -> Result<Box<str>> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())?;
    copy.push_str(text);
    Ok(copy.into_boxed_str())
}
