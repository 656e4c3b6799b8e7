//! Getting memory in ways that can fail, for what grows with the number of buckets or has a size that others decide.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::error::{Error, ErrorKind, Result};

/// A copy of `text`.
pub(super) fn copy(text: &str) -> Result<Box<str>> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())?;
    copy.push_str(text);
    Ok(copy.into_boxed_str())
}

/// The text of `arguments`.
pub(super) fn format(arguments: fmt::Arguments<'_>) -> Result<String> {
    let mut text = String::new();
    append(&mut text, arguments)?;
    Ok(text)
}

/// Appends the text of `arguments`.
pub(super) fn append(text: &mut String, arguments: fmt::Arguments<'_>) -> Result<()> {
    let mut writer = FallibleWriter { text, error: None };
    match writer.write_fmt(arguments) {
        Ok(()) => Ok(()),
        Err(fmt::Error) => {
            let fallback = || Error::new(ErrorKind::Internal, "a value could not be written as text");
            Err(writer.error.unwrap_or_else(fallback))
        }
    }
}

/// Adds `item` to a list.
pub(super) fn push<T>(list: &mut Vec<T>, item: T) -> Result<()> {
    list.try_reserve(1)?;
    list.push(item);
    Ok(())
}

struct FallibleWriter<'t> {
    text: &'t mut String,
    error: Option<Error>,
}

impl Write for FallibleWriter<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        match self.text.try_reserve(part.len()) {
            Ok(()) => {
                self.text.push_str(part);
                Ok(())
            }
            Err(error) => {
                self.error = Some(error.into());
                Err(fmt::Error)
            }
        }
    }
}
