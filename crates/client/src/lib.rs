//! The little that the project's own programs (shell, test hosts) need of an SDK: loading the library into a
//! connection, and reading the lines of a recorded sync stream.
//!
//! Not an SDK: it opens no network connection and keeps no state.

pub mod library;
pub mod stream;
