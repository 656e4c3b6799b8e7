//! Getting memory in ways that can fail, for what grows with the number of buckets or has a size that others decide.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Result;

use crate::text;
pub(super) use crate::text::{append, format};

/// A copy of `text`.
pub(super) fn copy(text: &str) -> Result<Box<str>> {
    text::copy(text).map(String::into_boxed_str)
}

/// Adds `item` to a list.
pub(super) fn push<T>(list: &mut Vec<T>, item: T) -> Result<()> {
    list.try_reserve(1)?;
    list.push(item);
    Ok(())
}
