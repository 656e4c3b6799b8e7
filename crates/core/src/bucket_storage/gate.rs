//! The keys of `ps_kv` and the queue that decide whether downloads may be published
//! (docs/reference/sync-client.md#the-gate).

use alloc::format;
use alloc::string::String;

use rowtide_json::{parse_integer, whole_number};
use sqlite_nostd::ValueType;

use crate::bucket_storage::warnings::lines;
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::sync_client::storage::RequestId;

/// The key in `ps_kv` that holds a request id.
pub(super) const fn key(id: RequestId) -> &'static str {
    match id {
        RequestId::Target => "target_checkpoint_request_id",
        RequestId::LastSeen => "last_seen_checkpoint_request_id",
        RequestId::LastApplied => "last_applied_checkpoint_request_id",
        RequestId::LastRequested => "last_requested_checkpoint_request_id",
    }
}

/// Whether `ps_crud` has no entry.
pub(super) fn upload_queue_is_empty(database: &Database<'_>) -> Result<bool> {
    const SQL: &str = "SELECT 1 FROM main.ps_crud LIMIT 1";
    Ok(database.integer(SQL, &[])?.is_none())
}

/// See [`crate::sync_client::storage::Storage::explain_gate`].
pub(super) fn explain(database: &Database<'_>, event: &str) -> Result<String> {
    // Counting a long queue takes time.
    const SQL: &str = "SELECT ?1 || CASE WHEN queued > 0 \
            THEN 'local writes that wait for their upload: ' || queued || iif(queued < 100, '', ' or more') \
        WHEN target + 0 = 9223372036854775807 THEN 'no checkpoint request id is stored for the uploaded writes. Request a \
write checkpoint from the service and store it with target_checkpoint_request_id' \
        ELSE 'write checkpoint ' || target || ' is not acknowledged, last seen ' || seen END \
        FROM (SELECT (SELECT count(*) FROM (SELECT 1 FROM main.ps_crud LIMIT 100)) AS queued, \
            max(iif(key = 'target_checkpoint_request_id', value, NULL)) AS target, \
            max(iif(key = 'last_seen_checkpoint_request_id', value, 0)) AS seen FROM main.ps_kv)";
    Ok(lines(database, SQL, &[event.into()])?.pop().unwrap_or_default())
}

/// The stored id, None if not set.
///
/// # Errors
/// Local data if what is stored is no such id: taken for a small one, it would open the gate.
pub(super) fn request_id(database: &Database<'_>, id: RequestId) -> Result<Option<i64>> {
    const SQL: &str = "SELECT value FROM main.ps_kv WHERE key = ?1";
    let mut rows = database.query(SQL, &[key(id).into()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    // SDKs write these keys too, as they have numbers.
    let stored = match row.column_type(0) {
        ValueType::Null => return Ok(None),
        ValueType::Integer => Some(row.integer(0)),
        ValueType::Text => row.text(0).ok().and_then(parse_integer),
        ValueType::Real => whole_number(row.real(0)),
        ValueType::Blob => None,
    };
    let stored = stored.filter(|stored| *stored >= 0);
    stored.map(Some).ok_or_else(|| Error::local_data(format!("ps_kv: {} is no checkpoint request id", key(id))))
}

/// Stores or removes an id. An equal one is not written again.
pub(super) fn set_request_id(database: &Database<'_>, id: RequestId, value: Option<i64>) -> Result<()> {
    const SET: &str = "INSERT INTO main.ps_kv(key, value) VALUES (?1, ?2) \
        ON CONFLICT(key) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value";
    const REMOVE: &str = "DELETE FROM main.ps_kv WHERE key = ?1";
    match value {
        Some(value) => database.execute(SET, &[key(id).into(), value.into()]),
        None => database.execute(REMOVE, &[key(id).into()]),
    }
}
