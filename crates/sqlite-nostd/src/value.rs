//! Values that SQLite passes to functions and virtual tables.

use core::str;

use crate::api;
use crate::bindings::{self, sqlite3_value};
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

/// An argument of a function: a protected `sqlite3_value`. Exists only behind references, for the length of a call.
#[repr(transparent)]
pub struct Value(sqlite3_value);

impl Value {
    pub(crate) fn as_raw(&self) -> *mut sqlite3_value {
        (&raw const self.0).cast_mut()
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

    /// The text, or a conversion to text. Empty for NULL. An error if it is not UTF-8 or memory ran out.
    pub fn text(&self) -> Result<&str, SqliteError> {
        let is_null = self.value_type() == ValueType::Null;
        // SAFETY: see `value_type`. The text is asked for before its size, as SQLite wants it.
        let text = unsafe { api::sqlite3_value_text(self.as_raw()) };
        // SAFETY: see `value_type`.
        let size = unsafe { api::sqlite3_value_bytes(self.as_raw()) };
        // SAFETY: SQLite keeps the text as long as the value is not converted to another encoding, which no method
        // here does after the first text.
        unsafe { checked_text(text, size, is_null) }
    }

    /// The bytes of a blob or text. Empty for NULL.
    pub fn blob(&self) -> Result<&[u8], SqliteError> {
        let is_text = self.value_type() == ValueType::Text;
        if is_text {
            return Ok(self.text()?.as_bytes());
        }
        // SAFETY: see `value_type`.
        let blob = unsafe { api::sqlite3_value_blob(self.as_raw()) };
        // SAFETY: see `value_type`.
        let size = unsafe { api::sqlite3_value_bytes(self.as_raw()) };
        // SAFETY: as for `text`.
        Ok(unsafe { bytes(blob.cast(), size) })
    }

    /// The subtype that a function gave to the value; 0 without.
    pub fn subtype(&self) -> u32 {
        // SAFETY: see `value_type`.
        unsafe { api::sqlite3_value_subtype(self.as_raw()) }
    }
}

/// `size` bytes at `start`; none for NULL.
///
/// # Safety
/// `start` is NULL or valid for `size` bytes for `'a`.
pub unsafe fn bytes<'a>(start: *const u8, size: i32) -> &'a [u8] {
    match usize::try_from(size) {
        // SAFETY: by contract.
        Ok(size) if !start.is_null() => unsafe { core::slice::from_raw_parts(start, size) },
        _ => &[],
    }
}

/// Text that SQLite returned for a value: checked to be there and to be UTF-8.
///
/// # Safety
/// As for [`bytes`].
pub unsafe fn checked_text<'a>(start: *const u8, size: i32, is_null: bool) -> Result<&'a str, SqliteError> {
    if start.is_null() && !is_null {
        return Err(SqliteError::new(ResultCode::NOMEM, "out of memory"));
    }
    // SAFETY: by contract.
    str::from_utf8(unsafe { bytes(start, size) })
        .map_err(|error| SqliteError::new(ResultCode::MISMATCH, alloc::format!("text is not valid UTF-8: {error}")))
}
