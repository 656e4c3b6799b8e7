//! Errors: what SQLite reported, and what a function reports to SQLite.

use alloc::boxed::Box;
use alloc::string::String;
use core::ffi::CStr;
use core::fmt;
use core::str::Utf8Error;

use crate::ResultCode;
use crate::api;
use crate::bindings::sqlite3;

/// A result whose error is what SQLite reported.
pub type Result<T, E = SqliteError> = core::result::Result<T, E>;

/// How much of a statement an error names, in bytes; of long ones, the beginning identifies them.
const LONGEST_SQL: usize = 2000;

/// How much of a message is kept, in bytes. Messages may hold what a function was given.
const LONGEST_MESSAGE: usize = 20_000;

/// The beginning of `text`, of at most `size` bytes, and a mark if that is not all.
fn shortened(text: &str, size: usize) -> String {
    if text.len() <= size {
        return String::from(text);
    }
    let mut shortened = String::from(text.get(..text.floor_char_boundary(size)).unwrap_or_default());
    shortened.push('…');
    shortened
}

/// A failed call of SQLite.
///
/// It is no larger than an address, because nearly every function passes errors on, and what makes one is never
/// inlined: both keep code small and errors out of the way of what succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteError(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    code: ResultCode,
    message: String,
    sql: Option<String>,
    class: u8,
}

/// The class of errors of text that is not UTF-8.
const UNREADABLE_TEXT: u8 = 1;

impl SqliteError {
    /// An error found on our side of a call.
    #[cold]
    #[inline(never)]
    pub fn new(code: ResultCode, message: impl Into<String>) -> Self {
        Self::of_class(0, code, message.into())
    }

    /// An error that the user of this crate has found and tells by its class, from 2 on.
    #[cold]
    #[inline(never)]
    pub fn of_class(class: u8, code: ResultCode, message: String) -> Self {
        Self(Box::new(Details { code, message, sql: None, class }))
    }

    /// The class of an error made by [`Self::of_class`], less than 2 for others.
    pub fn class(&self) -> u8 {
        self.0.class
    }

    /// A row holds text that is not UTF-8 in the column called `column`: SQLITE_CORRUPT.
    #[cold]
    #[inline(never)]
    pub(crate) fn unreadable_text(column: &str, error: Utf8Error, sql: &str) -> Self {
        let message = alloc::format!("column {column} holds text that is not valid UTF-8: {error}");
        Self::of_class(UNREADABLE_TEXT, ResultCode::CORRUPT, message).with_sql(sql)
    }

    /// Whether SQLite has given a row with text that is not UTF-8, which it does not mind.
    pub fn is_unreadable_text(&self) -> bool {
        self.0.class == UNREADABLE_TEXT
    }

    /// The extended result code.
    pub fn code(&self) -> ResultCode {
        self.0.code
    }

    /// SQLite's message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The statement, where one was involved; the beginning of a long one.
    pub fn sql(&self) -> Option<&str> {
        self.0.sql.as_deref()
    }

    /// The same error, with the statement that it is about.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn with_sql(mut self, sql: &str) -> Self {
        self.0.sql = Some(shortened(sql, LONGEST_SQL));
        self
    }

    /// Memory ran out.
    #[cold]
    #[inline(never)]
    pub fn out_of_memory() -> Self {
        Self::new(ResultCode::NOMEM, "out of memory")
    }

    /// The connection's last error.
    ///
    /// # Safety
    /// `db` is open and a call on it has just failed with `code`.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn last(db: *mut sqlite3, code: i32, sql: Option<&str>) -> Self {
        // SAFETY: `db` is open.
        let extended = unsafe { api::sqlite3_extended_errcode(db) };
        // The connection may know nothing of it (SQLITE_MISUSE, for instance).
        let code = if extended & 0xff == code & 0xff { extended } else { code };
        // SAFETY: `db` is open; the text is copied before any other call on the connection.
        let message = unsafe { api::sqlite3_errmsg(db) };
        let message = if message.is_null() {
            String::new()
        } else {
            // SAFETY: SQLite's messages are C strings.
            let message = unsafe { CStr::from_ptr(message) }.to_bytes();
            let message = String::from_utf8_lossy(message.get(..LONGEST_MESSAGE).unwrap_or(message));
            message.into_owned()
        };
        let error = Self::new(ResultCode(code), message);
        match sql {
            Some(sql) => error.with_sql(sql),
            None => error,
        }
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { code, message, sql, .. } = &*self.0;
        write!(formatter, "{} ({}): {message}", code.name(), code.0)?;
        match sql {
            Some(sql) => write!(formatter, ", in: {sql}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for SqliteError {}

/// What an SQL function or virtual table reports to SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// The result code, extended where one fits.
    pub code: ResultCode,
    /// The message, which begins with the function's name.
    pub message: String,
}

impl FunctionError {
    /// The code as SQLite wants it from a failed call: never one that means success.
    pub(crate) fn raw_code(&self) -> i32 {
        match self.code {
            ResultCode::OK | ResultCode::ROW | ResultCode::DONE => ResultCode::ERROR.0,
            ResultCode(code) => code,
        }
    }
}

impl From<SqliteError> for FunctionError {
    fn from(error: SqliteError) -> Self {
        Self { code: error.code(), message: alloc::format!("{error}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_statements_are_cut_between_characters() {
        for (sql, kept) in [
            ("ü".repeat(1000), "ü".repeat(1000)),
            ("ü".repeat(1001), "ü".repeat(1000) + "…"),
            (String::from("x") + &"ü".repeat(1000), String::from("x") + &"ü".repeat(999) + "…"),
        ] {
            assert_eq!(SqliteError::new(ResultCode::ERROR, "").with_sql(&sql).sql(), Some(kept.as_str()));
        }
    }
}
