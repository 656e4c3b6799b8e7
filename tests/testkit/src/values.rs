//! Turns SQLite values into JSON, so that tests can compare whole results with `json!([[1, "a"]])`.
//!
//! NULL, integers, text and finite reals become the JSON value of the same kind. What JSON lacks becomes an object: a
//! blob `{"blob": "<hex>"}`, an infinite real `{"real": "inf"}`, text that is not UTF-8 `{"text": "<hex>"}`.

use rusqlite::types::ValueRef;
use serde_json::{Value, json};

/// One SQLite value as JSON.
pub fn to_json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => integer.into(),
        ValueRef::Real(real) if real.is_finite() => real.into(),
        ValueRef::Real(real) => json!({ "real": real.to_string() }),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => text.into(),
            Err(_) => json!({ "text": hex(text) }),
        },
        ValueRef::Blob(blob) => json!({ "blob": hex(blob) }),
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
