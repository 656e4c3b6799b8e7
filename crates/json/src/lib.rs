//! JSON text: scanning, comparing, merging and writing it without a tree.
//!
//! Everything here reads JSON as services and JavaScript write it: RFC 8259, and also the bare values `NaN`,
//! `Infinity` and `-Infinity` (read as null), raw control characters inside strings, and escapes of lone surrogates
//! (read as U+FFFD). What SQLite may be shown is stricter: see [`publishable`].
//!
//! Nothing recurses on the nesting of its input; where nothing else is said, nesting deeper than a bound is an error.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod canonical;
mod diff;
mod error;
mod lexer;
mod members;
mod merge;
mod nesting;
mod nonstandard;
mod number;
mod oplog_key;
mod real;
mod row_data;
mod row_object;
mod scan;
pub mod sort;
mod standard;
mod unescape;
pub mod writer;

pub use diff::diff;
pub use error::{Cause, Error, Result};
pub use lexer::{Lexer, Literal, SyntaxError};
pub use members::{ObjectMembers, RawValue};
pub use merge::merge;
pub use nesting::Nesting;
pub use nonstandard::rewrite_foreign;
pub use number::{Number, parse_integer, parse_number, whole_number};
pub use oplog_key::remove_duplicate_key_encoding;
pub use row_data::{RowData, UNREADABLE_ROW, publishable};
pub use row_object::{Infinite, RowObject, RowValue};
pub use scan::find_quote_backslash_or_control;
pub use standard::{STORED_NESTING_LIMIT, check_standard, check_stored};
pub use writer::Quoted;
