//! Values of SQLite as text.

use rusqlite::types::ValueRef;

/// A value as text.
pub(crate) fn cell(value: ValueRef<'_>, null: &str) -> String {
    match value {
        ValueRef::Null => null.to_owned(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => super::text::real(real),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(blob) => format!("x'{}'", super::text::hexadecimal(blob)),
    }
}
