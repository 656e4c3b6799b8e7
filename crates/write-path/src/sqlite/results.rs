//! Stored results, by which a transaction that comes again is known.

use rusqlite::{Connection, OptionalExtension, params};

use crate::persister::{Key, Work};
use crate::result::TransactionResult;

/// Creates the table.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS main._rowtide_write_result(
    seq INTEGER PRIMARY KEY,
    \"user\" TEXT NOT NULL,
    client TEXT NOT NULL,
    queue TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    result TEXT NOT NULL,
    UNIQUE(\"user\", client, queue, transaction_id));";

/// How many results of a client are kept at least.
const KEPT: i64 = 1_000;

/// How long they are kept, in µs.
const KEPT_FOR: i64 = 30 * 24 * 3600 * 1_000_000;

/// Results are deleted after as many new ones.
const EVERY: i64 = 32;

/// What is known about a key.
pub(crate) enum Found {
    /// The same transaction, and its result.
    Same(TransactionResult),
    /// Another transaction.
    Other,
}

/// Looks up the key of a transaction.
pub(crate) fn find(connection: &Connection, key: &Key<'_>, hash: &[u8; 32]) -> rusqlite::Result<Option<Found>> {
    let sql = "SELECT hash, result FROM main._rowtide_write_result
        WHERE \"user\" = ?1 AND client = ?2 AND queue = ?3 AND transaction_id = ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row((key.user, key.client, key.queue, key.transaction), |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    let Some((stored, result)) = found else { return Ok(None) };
    if stored != hash {
        return Ok(Some(Found::Other));
    }
    let result = serde_json::from_str(&result)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(Some(Found::Same(result)))
}

/// Stores a result, and returns how many old ones were deleted for it.
pub(crate) fn store(
    connection: &Connection,
    key: &Key<'_>,
    work: &Work<'_>,
    result: &TransactionResult,
) -> rusqlite::Result<u64> {
    let result =
        serde_json::to_string(result).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let sql = "INSERT INTO main._rowtide_write_result(\"user\", client, queue, transaction_id, hash, at, result)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = connection.prepare_cached(sql)?;
    let seq = statement.insert(params![
        key.user,
        key.client,
        key.queue,
        key.transaction,
        work.hash.as_slice(),
        work.now,
        result
    ])?;
    if seq % EVERY == 0 { forget(connection, key, work.now) } else { Ok(0) }
}

/// Deletes what is too old, and what the client has too many of.
fn forget(connection: &Connection, key: &Key<'_>, now: i64) -> rusqlite::Result<u64> {
    // The oldest have the lowest numbers, so no index is needed.
    let sql = "DELETE FROM main._rowtide_write_result WHERE at < ?1
        AND seq IN (SELECT seq FROM main._rowtide_write_result ORDER BY seq LIMIT 1000)";
    let aged = connection.prepare_cached(sql)?.execute([now.saturating_sub(KEPT_FOR)])?;
    let sql = "DELETE FROM main._rowtide_write_result WHERE seq IN (SELECT seq FROM main._rowtide_write_result
        WHERE \"user\" = ?1 AND client = ?2 ORDER BY seq DESC LIMIT -1 OFFSET ?3)";
    let surplus = connection.prepare_cached(sql)?.execute((key.user, key.client, KEPT))?;
    Ok(u64::try_from(aged.saturating_add(surplus)).unwrap_or(u64::MAX))
}
