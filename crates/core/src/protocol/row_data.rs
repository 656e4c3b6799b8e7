//! Whether the data of a row can be shown to SQLite's JSON functions, and what to show them instead.

use alloc::string::String;

/// The data of a row, as far as it can be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowData<'a> {
    /// A JSON object that every supported SQLite reads.
    AsIs(&'a str),
    /// The same object with what SQLite cannot read replaced.
    Rewritten(String),
    /// Nothing that can be published, and why, without any of the data.
    Unreadable(&'static str),
}
