//! Names in statements for a source.

/// A name as SQLite and PostgreSQL take it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
