//! All behaviour of the PowerSync SQLite extension.
//!
//! The loadable and static libraries are thin shells around [`sql_api::register`]: they provide the C entry point, the
//! allocator and the panic handler. `docs/architecture.md` shows how the modules depend on each other.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod connection;
pub mod crud;
pub mod engine;
pub mod migrations;
pub mod schema;
pub mod sql_api;
pub mod storage;
pub mod store;
pub mod text;
pub mod uuid;

pub use powersync_protocol::{self as protocol, collections, error, json};
