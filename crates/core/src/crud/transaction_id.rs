//! Ids for transactions with local writes: `ps_tx.next_tx` counts them.

use crate::error::{Error, Result};

use crate::connection::Database;

/// Takes the next transaction id.
///
/// # Errors
/// Errors of SQLite; local data that leaves no id.
pub(super) fn take(database: &Database<'_>) -> Result<i64> {
    // In a damaged row, next_tx may be anything; and something else may have set it back, below ids in use.
    const SQL: &str = "UPDATE main.ps_tx SET next_tx = 1 + max(next_tx, coalesce((SELECT tx_id + 1 FROM main.ps_crud \
            WHERE typeof(tx_id) = 'integer' AND tx_id < 9223372036854775805 ORDER BY id DESC LIMIT 1), 1)) \
        WHERE id = 1 AND typeof(next_tx) = 'integer' AND next_tx BETWEEN 1 AND 9223372036854775806 \
        RETURNING next_tx - 1";
    let mut statement = database.cached(SQL)?;
    let mut rows = statement.query(&[])?;
    let id = rows.next()?.map(|row| row.integer(0));
    // The change is complete when the statement is.
    while rows.next()?.is_some() {}
    match id {
        Some(id) => Ok(id),
        None => repair(database),
    }
}

/// Restores the row of `ps_tx` if it is absent or damaged, above all ids in use (docs/reliability.md#traps, trap 16).
/// The id taken is returned.
fn repair(database: &Database<'_>) -> Result<i64> {
    const NEWEST: &str = "SELECT max(tx_id) FROM main.ps_crud WHERE typeof(tx_id) = 'integer'";
    const REPAIR: &str = "INSERT INTO main.ps_tx(id, next_tx) VALUES (1, ?1) \
        ON CONFLICT(id) DO UPDATE SET next_tx = excluded.next_tx";
    let exhausted = || Error::local_data("ps_tx: no transaction id is left");
    let id = database.integer(NEWEST, &[])?.unwrap_or(0).max(0).checked_add(1).ok_or_else(exhausted)?;
    let next = id.checked_add(1).ok_or_else(exhausted)?;
    database.execute(REPAIR, &[next.into()])?;
    Ok(id)
}
