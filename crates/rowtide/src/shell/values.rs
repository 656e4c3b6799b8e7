//! SQL values as text.

use rusqlite::types::ValueRef;

use crate::output::{hexadecimal, real};

/// A value as SQL has it.
pub(super) fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(value) if value.is_finite() => real(value),
        ValueRef::Real(value) => if value > 0.0 { "9e999" } else { "-9e999" }.to_owned(),
        ValueRef::Blob(blob) => format!("X'{}'", hexadecimal(blob)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            // SQLite ends SQL at a zero.
            Ok(text) if !text.contains('\0') => format!("'{}'", text.replace('\'', "''")),
            _ => format!("CAST(X'{}' AS TEXT)", hexadecimal(text)),
        },
    }
}

/// A name in double quotes.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as JSON has it. Blobs are text of the form `x'00ff'`.
pub(super) fn json(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(value) if value.is_finite() => real(value),
        ValueRef::Real(value) => if value > 0.0 { "9.0e999" } else { "-9.0e999" }.to_owned(),
        ValueRef::Blob(_) => json_text(&crate::output::cell(value, "")),
        ValueRef::Text(text) => json_text(&String::from_utf8_lossy(text)),
    }
}

pub(super) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value of a file of comma-separated values: NULL is nothing, and text without characters a pair of quotes.
pub(super) fn csv(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(b"") => "\"\"".to_owned(),
        value => csv_text(&crate::output::cell(value, "")),
    }
}

pub(super) fn csv_text(text: &str) -> String {
    let needs_quotes = text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ');
    if needs_quotes { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
