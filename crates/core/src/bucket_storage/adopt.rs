//! Making a copied database a new client, which downloads only what has changed since the copy was made: `powersync_adopt`
//! (docs/reference/functions.md#powersync_adopt), and the first `powersync_init` on an export.

use crate::bucket_storage::iteration::{Ended, end_iterations};
use crate::bucket_storage::now;
use crate::connection::Database;
use crate::error::Result;
use crate::packed_sql::{self, PackedSql};
use crate::updated_rows;
use crate::uuid::random_uuid;

/// Makes the database a new client, or changes nothing if that fails.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn adopt(database: &Database<'_>) -> Result<()> {
    database.in_savepoint(|| adopt_all(database))
}

fn adopt_all(database: &Database<'_>) -> Result<()> {
    // An export holds no times at which subscriptions expire: their time begins with the new client.
    const BEGIN_EXPIRY: &str = "UPDATE main.ps_stream_subscriptions \
        SET expires_at = ?1 + min(max(ttl, 0), 1000000000000) * 1000000 WHERE ttl IS NOT NULL AND expires_at IS NULL";
    database.execute_batch(PackedSql::unpack()?.text(packed_sql::FORGET_CLIENT))?;
    updated_rows::limit(database)?;
    make_client_id(database)?;
    let mut begin_expiry = database.prepare(BEGIN_EXPIRY)?;
    begin_expiry.execute(&[now(database)?.into()])?;
    end_iterations(database, Ended::ForOthers)
}

/// Makes an export a new client when it is opened for the first time. Of other files, this reads one row.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn adopt_export(database: &Database<'_>) -> Result<()> {
    match database.integer("SELECT 1 FROM main.ps_kv WHERE key = 'powersync_export'", &[])? {
        Some(_) => adopt(database),
        None => Ok(()),
    }
}

/// Stores a new client id.
///
/// # Errors
/// Errors of SQLite.
pub(super) fn make_client_id(database: &Database<'_>) -> Result<()> {
    const SQL: &str = "INSERT OR REPLACE INTO main.ps_kv(key, value) VALUES ('client_id', ?1)";
    database.execute(SQL, &[random_uuid().as_str().into()])
}
