//! What the project's tests share: hosts that run the built library in a real SQLite, readers of recorded streams,
//! a small model of the sync service, and invariants of stored data.
//!
//! Nothing here ships. Helpers report a failed expectation by panicking at the caller's line, as assertions do; the
//! `try_*` forms give errors as values where a test is about the error.
#![deny(unsafe_code)]
#![allow(clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

pub mod bson;
pub mod counters;
pub mod expectation;
pub mod faults;
pub mod host;
pub mod invariants;
pub mod library;
pub mod random;
pub mod recordings;
pub mod scenario;
pub mod script;
pub mod service;
pub mod session;
pub mod sync_stream;
pub mod values;
pub mod versions;

pub use host::{Host, HostError};
