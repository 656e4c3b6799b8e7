//! All behaviour of the PowerSync SQLite extension.
//!
//! The loadable and static libraries are thin shells around [`sql_api::register`]: they provide the C entry point, the
//! allocator and the panic handler. Programs in Rust that link SQLite turn the feature `static` on and call
//! `load_into_new_connections`. `docs/architecture.md` shows how the modules depend on each other.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bucket_storage;
mod cell;
mod collections;
mod connection;
mod crud;
mod diagnosis;
mod error;
mod in_place;
mod migrations;
mod packed_sql;
mod schema;
pub mod sql_api;
mod sync_client;
mod text;
mod updated_rows;
mod uuid;
pub mod version;

/// Registers the extension on each connection that is opened from now on; again does no harm. The program links SQLite,
/// for instance through rusqlite.
///
/// # Errors
/// SQLite's result code.
#[cfg(feature = "static")]
pub fn load_into_new_connections() -> Result<(), sqlite_nostd::ResultCode> {
    struct PowerSync;

    impl sqlite_nostd::Extension for PowerSync {
        fn load(connection: sqlite_nostd::Connection<'_>) -> sqlite_nostd::Result<(), sqlite_nostd::FunctionError> {
            sql_api::register(connection)
        }
    }

    sqlite_nostd::load_extension_into_new_connections::<PowerSync>()
}
