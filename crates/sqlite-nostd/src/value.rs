//! Values that SQLite passes to functions and virtual tables.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::{ptr, slice, str};

use crate::api;
use crate::bindings::{self, sqlite3_value};
use crate::connection::sqlite_version_number;
use crate::{ResultCode, SqliteError};

/// The storage class of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// SQLITE_INTEGER
    Integer,
    /// SQLITE_FLOAT
    Real,
    /// SQLITE_TEXT
    Text,
    /// SQLITE_BLOB
    Blob,
    /// SQLITE_NULL
    Null,
}

impl ValueType {
    pub(crate) fn from_raw(raw: i32) -> Self {
        match raw {
            bindings::SQLITE_INTEGER => Self::Integer,
            bindings::SQLITE_FLOAT => Self::Real,
            bindings::SQLITE_TEXT => Self::Text,
            bindings::SQLITE_BLOB => Self::Blob,
            _ => Self::Null,
        }
    }
}

/// A value in the form in which SQLite has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content<'v> {
    /// NULL
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(&'v str),
    /// A blob.
    Blob(&'v [u8]),
}

/// An argument of a function: a protected `sqlite3_value`. Exists only behind references, for the length of a call.
///
/// SQLite converts values in place when they are asked for in another form, which is why a value is opaque, changes
/// behind shared references, and stays on its thread. The methods only ask for conversions that keep the text or blob
/// handed out before where it is.
#[repr(transparent)]
pub struct Value(UnsafeCell<PhantomData<*mut sqlite3_value>>);

impl Value {
    pub(crate) fn as_raw(&self) -> *mut sqlite3_value {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// The storage class.
    pub fn value_type(&self) -> ValueType {
        // SAFETY: a reference to a value proves that it is valid and protected, here and below.
        ValueType::from_raw(unsafe { api::sqlite3_value_type(self.as_raw()) })
    }

    /// The value as an integer, converted as SQLite does.
    pub fn integer(&self) -> i64 {
        // SAFETY: see `value_type`.
        unsafe { api::sqlite3_value_int64(self.as_raw()) }
    }

    /// The value as a floating-point number, converted as SQLite does.
    pub fn real(&self) -> f64 {
        // SAFETY: see `value_type`.
        unsafe { api::sqlite3_value_double(self.as_raw()) }
    }

    /// The text, that of a number, or a blob's bytes read as UTF-8. Empty for NULL. SQLITE_MISMATCH if it is not UTF-8,
    /// SQLITE_NOMEM if memory ran out.
    pub fn text(&self) -> Result<&str, SqliteError> {
        checked_text(self.blob()?)
    }

    /// The bytes of a blob, or those of the text of anything else, in UTF-8 unless text holds something invalid. Empty
    /// for NULL. SQLITE_NOMEM if memory ran out.
    pub fn blob(&self) -> Result<&[u8], SqliteError> {
        self.bytes(self.value_type())
    }

    /// The bytes of the value, which is of type `value_type`.
    fn bytes(&self, value_type: ValueType) -> Result<&[u8], SqliteError> {
        // SAFETY: see `value_type`. SQLite keeps what it returned while the value is not converted to something else:
        // the text of text, integers and numbers is all that is ever asked of them, and blobs stay blobs.
        let bytes = unsafe {
            read(
                value_type,
                || api::sqlite3_value_blob(self.as_raw()).cast(),
                || api::sqlite3_value_text(self.as_raw()),
                || api::sqlite3_value_bytes(self.as_raw()),
            )
        };
        Ok(bytes?.unwrap_or_default())
    }

    /// The bytes of a value that is text, which need not be valid UTF-8. SQLITE_NOMEM if memory ran out.
    ///
    /// Text that is stored in UTF-8 stays as it is, while [`Self::text`] has SQLite copy it to add a NUL.
    pub fn text_bytes(&self) -> Result<&[u8], SqliteError> {
        // SAFETY: see `value_type`; the entry exists from 3.40 on.
        let is_utf8 = sqlite_version_number() >= 3_040_000
            && unsafe { api::sqlite3_value_encoding(self.as_raw()) } == bindings::SQLITE_UTF8;
        self.bytes(if is_utf8 { ValueType::Blob } else { ValueType::Text })
    }

    /// The value in the form in which SQLite has it. SQLITE_MISMATCH for text that is not UTF-8, SQLITE_NOMEM if memory
    /// ran out.
    pub fn content(&self) -> Result<Content<'_>, SqliteError> {
        Ok(match self.value_type() {
            ValueType::Null => Content::Null,
            ValueType::Integer => Content::Integer(self.integer()),
            ValueType::Real => Content::Real(self.real()),
            ValueType::Text => Content::Text(checked_text(self.bytes(ValueType::Text)?)?),
            ValueType::Blob => Content::Blob(self.bytes(ValueType::Blob)?),
        })
    }

    /// The subtype that a function gave to the value; 0 without.
    pub fn subtype(&self) -> u32 {
        // SAFETY: see `value_type`.
        unsafe { api::sqlite3_value_subtype(self.as_raw()) }
    }
}

/// The bytes of a value of type `value_type`, None for NULL, through the functions that give its blob, its text, and the size of what
/// was given last. Text comes before its size, as SQLite wants it. Blobs are not converted to text, for this would move
/// them.
///
/// # Safety
/// The functions belong to one value, and what they give lives unchanged for `'a`.
pub(crate) unsafe fn read<'a>(
    value_type: ValueType,
    blob: impl FnOnce() -> *const u8,
    text: impl FnOnce() -> *const u8,
    size: impl FnOnce() -> i32,
) -> Result<Option<&'a [u8]>, SqliteError> {
    let start = match value_type {
        ValueType::Null => return Ok(None),
        ValueType::Blob => blob(),
        ValueType::Integer | ValueType::Real | ValueType::Text => text(),
    };
    let size = usize::try_from(size()).unwrap_or(0);
    if !start.is_null() {
        // SAFETY: by contract.
        return Ok(Some(unsafe { slice::from_raw_parts(start, size) }));
    }
    // An empty blob has no address, everything else has one.
    if value_type == ValueType::Blob && size == 0 { Ok(Some(&[])) } else { Err(SqliteError::out_of_memory()) }
}

/// `bytes` as text, SQLITE_MISMATCH if they are not UTF-8.
pub fn checked_text(bytes: &[u8]) -> Result<&str, SqliteError> {
    str::from_utf8(bytes)
        .map_err(|error| SqliteError::new(ResultCode::MISMATCH, alloc::format!("text is not valid UTF-8: {error}")))
}
