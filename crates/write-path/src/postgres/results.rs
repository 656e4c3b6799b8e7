//! Stored results, by which a transaction that comes again is known.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::classify::Trouble;
use super::connection::Connection;
use super::statement::Statement;
use crate::persister::{Key, Work};
use crate::result::TransactionResult;

/// How many results of a client are kept at least.
const KEPT: i64 = 1_000;

/// How long they are kept, in µs.
const KEPT_FOR: i64 = 30 * 24 * 3600 * 1_000_000;

/// Results are deleted after as many new ones.
const EVERY: i64 = 32;

/// What is known about a key.
pub(super) enum Found {
    /// The same transaction, and its result.
    Same(TransactionResult),
    /// Another transaction.
    Other,
}

/// A hash of texts, which is as long for long ones.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn user<'a>(user: &'a str, claims: &'a str) -> Statement<'a> {
    let statement = Statement::new("SELECT set_config('app.user_id', ").text(user);
    statement.sql(", true), set_config('request.jwt.claims', ").text(claims).sql(", true)")
}

/// Tells the database who the user is, until the end of the transaction.
pub(super) fn set_user(connection: &mut Connection, id: &str, claims: &str) -> Result<(), Trouble> {
    connection.rows(&user(id, claims)).map(|_| ())
}

/// Tells the database who the user is, until the end of the transaction, and looks up the key of the transaction.
pub(super) fn begin(connection: &mut Connection, work: &Work<'_>) -> Result<Option<Found>, Trouble> {
    connection.batch("BEGIN")?;
    let Some(key) = &work.key else { return set_user(connection, work.user, work.claims).map(|()| None) };
    let statement = user(work.user, work.claims);
    let (owner, key) = (digest(&[key.user, key.client]), digest(&[key.queue, key.transaction]));
    let statement =
        statement.sql(", stored.hash, stored.result FROM (SELECT) AS one LEFT JOIN rowtide_writes.result AS stored");
    let statement =
        statement.sql(" ON stored.owner = ").text(owner.as_str()).sql(" AND stored.key = ").text(key.as_str());
    let rows = connection.rows(&statement)?;
    let found = rows.first().and_then(|row| {
        let text = |column: usize| row.try_get::<_, Option<String>>(column).ok().flatten();
        Some((text(2)?, text(3)?))
    });
    let Some((hash, result)) = found else { return Ok(None) };
    if hash != hex(&work.hash) {
        return Ok(Some(Found::Other));
    }
    let result = serde_json::from_str(&result).map_err(|error| Trouble {
        code: None,
        message: format!("A stored result is not readable: {error}"),
        is_disconnected: false,
    })?;
    Ok(Some(Found::Same(result)))
}

/// Stores a result, and returns how many old ones were deleted for it.
pub(super) fn store(
    connection: &mut Connection,
    key: &Key<'_>,
    work: &Work<'_>,
    result: &TransactionResult,
) -> Result<u64, Trouble> {
    let owner = digest(&[key.user, key.client]);
    let (hashed, hash, at) = (digest(&[key.queue, key.transaction]), hex(&work.hash), work.now.to_string());
    let result = serde_json::to_string(result).unwrap_or_default();
    let mut statement = Statement::new(
        "INSERT INTO rowtide_writes.result(owner, key, \"user\", client, queue, transaction_id, hash, result, at) VALUES (",
    );
    for text in [&owner, &hashed, key.user, key.client, key.queue, key.transaction, &hash, &result] {
        statement = statement.text(text).sql(", ");
    }
    statement = statement.sql("CAST(").text(at.as_str()).sql(" AS bigint)) RETURNING seq");
    let rows = connection.rows(&statement)?;
    let seq = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok()).unwrap_or_default();
    if seq % EVERY == 0 { forget(connection, &owner, work.now) } else { Ok(0) }
}

/// Deletes what is too old, and what the client has too many of.
fn forget(connection: &mut Connection, owner: &str, now: i64) -> Result<u64, Trouble> {
    let oldest = now.saturating_sub(KEPT_FOR).to_string();
    // The oldest have the lowest numbers, so no index is needed. Several clients can do this at the same time.
    let statement = Statement::new(
        "DELETE FROM rowtide_writes.result WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM rowtide_writes.result
        ORDER BY seq LIMIT 1000 FOR UPDATE SKIP LOCKED) AS oldest WHERE at < CAST(",
    );
    let aged = connection.execute(&statement.text(oldest.as_str()).sql(" AS bigint))"))?;
    let kept = KEPT.to_string();
    let statement = Statement::new("DELETE FROM rowtide_writes.result WHERE owner = ").text(owner);
    let statement = statement.sql(" AND seq IN (SELECT seq FROM rowtide_writes.result WHERE owner = ").text(owner);
    let statement = statement.sql(" ORDER BY seq DESC OFFSET CAST(").text(kept.as_str()).sql(" AS bigint))");
    Ok(aged.saturating_add(connection.execute(&statement)?))
}
