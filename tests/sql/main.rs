//! Integration tests: the built library, loaded into a real SQLite, driven through SQL alone. One module per subject.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod diagnosis;
mod hostile;
mod lifecycle;
mod local_writes;
mod migrations;
mod schema;
mod sync;
mod tables;
