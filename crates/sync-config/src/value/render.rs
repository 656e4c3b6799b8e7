//! Values as JSON: members of synced rows, and the keys of buckets and lookups.

use std::fmt::Write;

use super::Value;
use super::number::json_real;

/// Appends a value as JSON. Infinite reals are written so that SQLite and JavaScript read them as infinite.
/// Gives false, and appends nothing, for a blob, which has no form in JSON.
pub(crate) fn write_json(value: &Value, out: &mut String) -> bool {
    match value {
        Value::Null => out.push_str("null"),
        Value::Integer(value) => push(out, format_args!("{value}")),
        Value::Real(value) if value.is_infinite() => out.push_str(if *value > 0.0 { "9e999" } else { "-9e999" }),
        Value::Real(value) => out.push_str(&json_real(*value)),
        Value::Text(text) => write_json_string(text, out),
        Value::Blob(_) => return false,
    }
    true
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(arguments);
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// Appends a text in quotes, escaped as `JSON.stringify` does.
pub(crate) fn write_json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(text.get(plain..at).unwrap_or_default());
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => push(out, format_args!("\\u{byte:04x}")),
        }
    }
    out.push_str(text.get(plain..).unwrap_or_default());
    out.push('"');
}

/// The JSON array that names a bucket, or a row of a parameter index. Equal numbers have equal texts.
/// None if a value cannot be part of a key: a blob, or NULL unless `nulls`.
pub fn key_text<'v>(values: impl IntoIterator<Item = &'v Value>, nulls: bool) -> Option<String> {
    let mut text = String::from("[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        match value {
            Value::Null if !nulls => return None,
            // -2^63 is an integer, 2^63 is not.
            Value::Real(real)
                if real.trunc() == *real
                    && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(real) =>
            {
                push(&mut text, format_args!("{}", *real as i64));
            }
            other => {
                if !write_json(other, &mut text) {
                    return None;
                }
            }
        }
    }
    text.push(']');
    Some(text)
}
