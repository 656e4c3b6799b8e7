//! Knowing that a database has a schema already without reading the schema or the database: a connection leaves behind
//! what it applied, and which version of the database's tables resulted.
//!
//! Any change of a table, view, index or trigger, on any connection, changes `PRAGMA schema_version`, and so do VACUUM
//! and migrations to other formats. Which SQL is made for a schema is decided by the library's sources, and by what the
//! connection allows. What was applied is known by a hash of 128 bits: a different schema has the same one by chance
//! only, once in 10³⁸ times.

use core::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};
use sqlite_nostd::ResultCode;

use crate::connection::Database;
use crate::error::{ErrorKind, Result};
use crate::schema::objects::row_call::ArgumentLimit;
use crate::version::SOURCES;

/// Stands for a schema, and for everything else that decides which objects are made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// That of the schema `json` on this connection.
    pub(in crate::schema) fn of(database: &Database<'_>, json: &str) -> Self {
        let limit = ArgumentLimit::of(database);
        Self::from_parts(SOURCES, sqlite_nostd::sqlite_version_number(), limit, json)
    }

    fn from_parts(library: &str, sqlite: i32, limit: ArgumentLimit, json: &str) -> Self {
        let mut hasher = SipHasher13::new();
        // No text holds the byte that ends the first one.
        let parts = [library.as_bytes(), &[0xff], &sqlite.to_le_bytes(), &limit.to_le_bytes(), json.as_bytes()];
        for part in parts {
            hasher.write(part);
        }
        Self(hasher.finish128().as_bytes())
    }

    /// Whether it was stored when the database's objects were in `schema_version`.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(in crate::schema) fn is_stored(self, database: &Database<'_>, schema_version: i64) -> Result<bool> {
        const SQL: &str = "SELECT 1 FROM main.ps_schema WHERE id = 1 AND fingerprint = ?1 AND schema_version = ?2";
        match database.integer(SQL, &[self.0.as_slice().into(), schema_version.into()]) {
            // In other formats the table does not exist.
            Err(error) if error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => Ok(false),
            result => Ok(result? == Some(1)),
        }
    }

    /// Stores it, for database objects in `schema_version`.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(in crate::schema) fn store(self, database: &Database<'_>, schema_version: i64) -> Result<()> {
        const SQL: &str = "INSERT INTO main.ps_schema(id, fingerprint, schema_version) VALUES (1, ?1, ?2) \
            ON CONFLICT(id) DO UPDATE SET fingerprint = excluded.fingerprint, schema_version = excluded.schema_version";
        database.execute(SQL, &[self.0.as_slice().into(), schema_version.into()])
    }
}
