//! The keys of `ps_kv` and the queue that decide whether downloads may be published (sync client, The gate).

use crate::connection::Database;
use crate::error::Result;
use crate::storage::RequestId;

/// The key in `ps_kv` that holds a request id.
pub const fn key(id: RequestId) -> &'static str {
    match id {
        RequestId::Target => "target_checkpoint_request_id",
        RequestId::LastSeen => "last_seen_checkpoint_request_id",
        RequestId::LastApplied => "last_applied_checkpoint_request_id",
        RequestId::LastRequested => "last_requested_checkpoint_request_id",
    }
}

/// Whether `ps_crud` has no entry.
pub fn upload_queue_is_empty(database: &Database<'_>) -> Result<bool> {
    const SQL: &str = "SELECT 1 FROM main.ps_crud LIMIT 1";
    Ok(database.integer(SQL, &[])?.is_none())
}

/// The stored id, None if not set.
pub fn request_id(database: &Database<'_>, id: RequestId) -> Result<Option<i64>> {
    // SDKs write these keys too, as text or integer.
    const SQL: &str = "SELECT CAST(value AS INTEGER) FROM main.ps_kv WHERE key = ?1";
    database.integer(SQL, &[key(id).into()])
}

/// Stores or removes an id. An equal one is not written again.
pub fn set_request_id(database: &Database<'_>, id: RequestId, value: Option<i64>) -> Result<()> {
    const SET: &str = "INSERT INTO main.ps_kv(key, value) VALUES (?1, ?2) \
        ON CONFLICT(key) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value";
    const REMOVE: &str = "DELETE FROM main.ps_kv WHERE key = ?1";
    match value {
        Some(value) => database.execute(SET, &[key(id).into(), value.into()]),
        None => database.execute(REMOVE, &[key(id).into()]),
    }
}
