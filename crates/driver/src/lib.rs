//! The little that the project's own programs (shell, test hosts) need of an SDK: loading the library into a
//! connection, reading the lines of a recorded sync stream, and asking SQLite how much memory it uses
//! and how much it writes.
//!
//! Not an SDK: it opens no network connection and keeps no state.

pub mod library;
pub mod memory;
pub mod pages;
pub mod stream;
