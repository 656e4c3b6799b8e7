//! What an error of PostgreSQL means for the service.

use std::error::Error;
use std::fmt;

use postgres::error::SqlState;

/// An error of a connection or statement. Its text is the server's primary message, without the detail, which can hold
/// values of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The SQLSTATE; none if the server has not answered.
    pub code: Option<String>,
    /// What has happened.
    pub message: String,
    /// Whether it may work later: the connection is broken, the server starts or stops, or others were faster.
    pub is_transient: bool,
    /// Whether the connection cannot be used any more.
    pub is_disconnected: bool,
}

impl Failure {
    /// What an error means.
    pub fn new(error: &postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            let mut message = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                message = format!("{message}: {error}");
                cause = error.source();
            }
            let is_disconnected = error.is_closed() || error.code().is_none();
            return Self { code: None, message, is_transient: true, is_disconnected };
        };
        let code = answer.code();
        let is_disconnected = matches!(*code, SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN)
            || code.code().starts_with("08")
            || error.is_closed();
        let is_transient = is_disconnected || is_transient_code(code.code());
        Self { code: Some(code.code().to_owned()), message: answer.message().to_owned(), is_transient, is_disconnected }
    }

    /// A mistake in how the connection was set up.
    pub(crate) fn setup(message: String) -> Self {
        Self { code: None, message, is_transient: false, is_disconnected: true }
    }
}

/// Whether an SQLSTATE says that the same may work later: classes 08, 40, 53, 57, 58, and locks that were not to be had.
pub fn is_transient_code(code: &str) -> bool {
    ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class)) || code == "55P03"
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(formatter, "{} (SQLSTATE {code})", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

impl Error for Failure {}
