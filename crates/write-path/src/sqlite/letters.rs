//! Dead letters in the file.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::dead_letter::{DeadLetter, Letters, State};
use crate::persister::Work;
use crate::result::Failure;

/// Creates the table.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS main._rowtide_dead_letter(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    \"user\" TEXT NOT NULL,
    client TEXT,
    transaction_id TEXT,
    \"transaction\" TEXT NOT NULL,
    claims TEXT NOT NULL,
    failed_index INTEGER,
    error_code TEXT NOT NULL,
    message TEXT NOT NULL,
    details TEXT,
    state TEXT NOT NULL DEFAULT 'open',
    note TEXT);";

const COLUMNS: &str =
    "id, at, \"user\", client, transaction_id, claims, failed_index, error_code, message, details, state, note";

/// Keeps a refused transaction; one that is a dead letter already gets the new error.
pub(crate) fn keep(connection: &Connection, work: &Work<'_>, failure: &Failure) -> rusqlite::Result<()> {
    let failed = &failure.failed_operation;
    let index = failed.operation_index.map(|index| i64::try_from(index).unwrap_or(i64::MAX));
    let message = failure.internal.as_deref().or(failed.message.as_deref()).unwrap_or_default();
    let details = failed.details.as_ref().map(ToString::to_string);
    if let Some(id) = work.replayed {
        let sql = "UPDATE main._rowtide_dead_letter SET failed_index = ?2, error_code = ?3, message = ?4, details = ?5
            WHERE id = ?1 AND state = 'open'";
        connection.prepare_cached(sql)?.execute(params![id, index, failed.error_code, message, details])?;
        return Ok(());
    }
    let sql = "INSERT INTO main._rowtide_dead_letter(at, \"user\", client, transaction_id, \"transaction\", claims,
        failed_index, error_code, message, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    connection.prepare_cached(sql)?.execute(params![
        work.now,
        work.user,
        work.client,
        work.transaction,
        work.json,
        work.kept_claims,
        index,
        failed.error_code,
        message,
        details
    ])?;
    Ok(())
}

/// Marks an open letter as applied. False if it is not open.
pub(crate) fn replayed(connection: &Connection, id: i64) -> rusqlite::Result<bool> {
    let sql = "UPDATE main._rowtide_dead_letter SET state = 'replayed' WHERE id = ?1 AND state = 'open'";
    Ok(connection.prepare_cached(sql)?.execute([id])? == 1)
}

/// Marks an open letter as discarded. False if it is not open.
pub(crate) fn discard(connection: &Connection, id: i64, note: Option<&str>) -> rusqlite::Result<bool> {
    let sql = "UPDATE main._rowtide_dead_letter SET state = 'discarded', note = coalesce(?2, note)
        WHERE id = ?1 AND state = 'open'";
    Ok(connection.prepare_cached(sql)?.execute((id, note))? == 1)
}

/// Letters without their transactions, the newest first.
pub(crate) fn list(connection: &Connection, which: &Letters) -> rusqlite::Result<Vec<DeadLetter>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM main._rowtide_dead_letter
        WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"
    );
    let limit = i64::try_from(which.limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&sql)?;
    let letters = statement.query_map((which.state.map(State::name), which.before, limit), letter)?;
    letters.collect()
}

/// A letter with its transaction.
pub(crate) fn get(connection: &Connection, id: i64) -> rusqlite::Result<Option<DeadLetter>> {
    let sql = format!("SELECT {COLUMNS}, \"transaction\" FROM main._rowtide_dead_letter WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    statement
        .query_row([id], |row| {
            let transaction = Some(json(row, 12)?);
            Ok(DeadLetter { transaction, ..letter(row)? })
        })
        .optional()
}

fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    let state: String = row.get(10)?;
    let details = row.get::<_, Option<String>>(9)?.map(|_| json(row, 9)).transpose()?;
    Ok(DeadLetter {
        id: row.get(0)?,
        at: row.get(1)?,
        user: row.get(2)?,
        client: row.get(3)?,
        transaction_id: row.get(4)?,
        transaction: None,
        claims: row.get(5)?,
        failed_index: row.get(6)?,
        error_code: row.get(7)?,
        message: row.get(8)?,
        details,
        state: State::from_name(&state).unwrap_or(State::Open),
        note: row.get(11)?,
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
