//! Values as SQLite has them, and how they compare and convert.

pub(crate) mod json;
mod number;
mod render;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub(crate) use number::{Numeric, format_real, integer_prefix, numeric_prefix, real_to_integer, well_formed};
pub use render::key_text;
pub(crate) use render::{write_json, write_json_string};

/// A value of SQLite. A real is never NaN: make reals with [`Value::real`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Value {
    /// NULL
    Null,
    /// INTEGER, 64 bit
    Integer(i64),
    /// REAL
    Real(f64),
    /// TEXT
    Text(String),
    /// BLOB
    Blob(Vec<u8>),
}

impl Value {
    /// A real; NaN is NULL, as in SQLite.
    pub fn real(value: f64) -> Self {
        if value.is_nan() { Value::Null } else { Value::Real(value) }
    }

    /// 1 or 0.
    pub fn boolean(value: bool) -> Self {
        Value::Integer(i64::from(value))
    }

    /// 1, 0, or NULL when unknown.
    pub fn truth(value: Option<bool>) -> Self {
        value.map_or(Value::Null, Value::boolean)
    }

    /// A text.
    pub fn text(value: impl Into<String>) -> Self {
        Value::Text(value.into())
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// What a condition with this value is: unknown for NULL, else whether the number is other than 0.
    pub fn truthy(&self) -> Option<bool> {
        match self {
            Value::Null => None,
            Value::Integer(value) => Some(*value != 0),
            Value::Real(value) => Some(*value != 0.0),
            Value::Text(text) => Some(numeric_prefix(text).as_real() != 0.0),
            Value::Blob(bytes) => Some(numeric_prefix(&String::from_utf8_lossy(bytes)).as_real() != 0.0),
        }
    }

    /// The number that arithmetic uses; none for NULL.
    pub fn numeric(&self) -> Option<Numeric> {
        match self {
            Value::Null => None,
            Value::Integer(value) => Some(Numeric::Integer(*value)),
            Value::Real(value) => Some(Numeric::Real(*value)),
            Value::Text(text) => Some(numeric_prefix(text)),
            Value::Blob(bytes) => Some(numeric_prefix(&String::from_utf8_lossy(bytes))),
        }
    }

    /// The integer that `CAST(… AS INTEGER)` gives; none for NULL.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Null => None,
            Value::Integer(value) => Some(*value),
            Value::Real(value) => Some(real_to_integer(*value)),
            Value::Text(text) => Some(integer_prefix(text)),
            Value::Blob(bytes) => Some(integer_prefix(&String::from_utf8_lossy(bytes))),
        }
    }

    /// The text that `CAST(… AS TEXT)` gives; none for NULL. Bytes that are no UTF-8 are replaced.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Null => None,
            Value::Integer(value) => Some(Cow::Owned(value.to_string())),
            Value::Real(value) => Some(Cow::Owned(format_real(*value))),
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
        }
    }

    /// SQLite's order: NULL, numbers, texts by their bytes, blobs by their bytes.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Real(a), Value::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Value::Integer(a), Value::Real(b)) => number::compare(*a, *b),
            (Value::Real(a), Value::Integer(b)) => number::compare(*b, *a).reverse(),
            (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
            _ => self.class().cmp(&other.class()),
        }
    }

    /// The order, unknown if one is NULL.
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        (!self.is_null() && !other.is_null()).then(|| self.order(other))
    }

    fn class(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Integer(_) | Value::Real(_) => 1,
            Value::Text(_) => 2,
            Value::Blob(_) => 3,
        }
    }

    /// What `typeof` gives.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Integer(_) => "integer",
            Value::Real(_) => "real",
            Value::Text(_) => "text",
            Value::Blob(_) => "blob",
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}
