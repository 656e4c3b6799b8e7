//! Safe `no_std` bindings to the SQLite extension API.
//!
//! This is the only crate with unsafe code on SQLite. It works loaded, through the API table that SQLite hands to an
//! extension, and linked (feature `static`); `api` is the one place that knows the difference.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

extern crate alloc;

mod api;
mod backup;
#[allow(missing_docs, non_camel_case_types, non_snake_case, clippy::all)]
pub mod bindings;
mod code;
mod connection;
mod data_version;
mod entry;
mod error;
mod function;
mod hooks;
pub mod memory;
mod panic;
mod registry;
mod reserve;
mod statement;
mod value;
mod vtab;

pub use backup::{Missing, OwnConnection};
pub use code::ResultCode;
pub use connection::{Connection, log, randomness, sqlite_version, sqlite_version_number};
pub use data_version::DataVersions;
pub use entry::{EntryPoint, Extension, connection_from_raw, entry_point, entry_point_of, initialize};
#[cfg(feature = "static")]
pub use entry::{load_extension_into_new_connections, load_into_new_connections};
pub use error::{FunctionError, Result, SqliteError};
pub use function::{Context, FunctionFlags};
pub use hooks::{Hooks, InstalledHooks};
pub use memory::SqliteAllocator;
pub use panic::abort_on_panic;
pub use statement::{Parameter, Row, Rows, Statement, StatementOwner};
pub use value::{Content, Value, ValueType, checked_text};
pub use vtab::{Cell, Definition, EponymousTable};

/// Whether SQLite's functions are linked symbols (the feature `static`) rather than entries of SQLite's API table.
pub const IS_STATIC: bool = cfg!(feature = "static");
