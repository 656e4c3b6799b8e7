//! Dead letters in the database.

use pg_connect::postgres::Row;

use super::classify::Trouble;
use super::connection::Connection;
use super::statement::Statement;
use crate::dead_letter::{DeadLetter, Letters, State};
use crate::persister::Work;
use crate::result::Failure;

const COLUMNS: &str =
    "id, at, \"user\", client, transaction_id, claims, failed_index, error_code, message, details, state, note";

/// Keeps a refused transaction; one that is a dead letter already gets the new error.
pub(super) fn keep(connection: &mut Connection, work: &Work<'_>, failure: &Failure) -> Result<(), Trouble> {
    let failed = &failure.failed_operation;
    let index = failed.operation_index.map(|index| index.to_string());
    let message = failure.internal.as_deref().or(failed.message.as_deref()).unwrap_or_default();
    let details = failed.details.as_ref().map(ToString::to_string);
    let (id, at) = (work.replayed.map(|id| id.to_string()), work.now.to_string());
    let statement = match &id {
        Some(id) => Statement::new("UPDATE rowtide_writes.dead_letter SET failed_index = CAST(")
            .text(index.as_deref())
            .sql(" AS bigint), error_code = ")
            .text(failed.error_code.as_str())
            .sql(", message = ")
            .text(message)
            .sql(", details = ")
            .text(details.as_deref())
            .sql(" WHERE state = 'open' AND id = CAST(")
            .text(id.as_str())
            .sql(" AS bigint)"),
        None => {
            let mut statement = Statement::new(
                "INSERT INTO rowtide_writes.dead_letter(\"user\", client, transaction_id, \"transaction\", claims,
                error_code, message, details, failed_index, at) VALUES (",
            );
            let code = failed.error_code.as_str();
            for text in [Some(work.user), work.client, work.transaction, Some(work.json), Some(work.kept_claims)] {
                statement = statement.text(text).sql(", ");
            }
            statement = statement.text(code).sql(", ").text(message).sql(", ").text(details.as_deref());
            statement = statement.sql(", CAST(").text(index.as_deref()).sql(" AS bigint), CAST(");
            statement.text(at.as_str()).sql(" AS bigint))")
        }
    };
    connection.execute(&statement).map(|_| ())
}

/// Marks an open letter as applied. False if it is not open.
pub(super) fn replayed(connection: &mut Connection, id: i64) -> Result<bool, Trouble> {
    let id = id.to_string();
    let statement =
        Statement::new("UPDATE rowtide_writes.dead_letter SET state = 'replayed' WHERE state = 'open' AND id = ");
    Ok(connection.execute(&statement.sql("CAST(").text(id.as_str()).sql(" AS bigint)"))? == 1)
}

/// Marks an open letter as discarded. False if it is not open.
pub(super) fn discard(connection: &mut Connection, id: i64, note: Option<&str>) -> Result<bool, Trouble> {
    let id = id.to_string();
    let statement = Statement::new("UPDATE rowtide_writes.dead_letter SET state = 'discarded', note = coalesce(");
    let statement = statement.text(note).sql(", note) WHERE state = 'open' AND id = CAST(");
    Ok(connection.execute(&statement.text(id.as_str()).sql(" AS bigint)"))? == 1)
}

/// Letters without their transactions, the newest first.
pub(super) fn list(connection: &mut Connection, which: &Letters) -> Result<Vec<DeadLetter>, Trouble> {
    let (before, limit) = (which.before.map(|before| before.to_string()), which.limit.to_string());
    let state = which.state.map(State::name);
    let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM rowtide_writes.dead_letter WHERE (");
    let statement = statement.text(state).sql(" IS NULL OR state = ").text(state);
    let statement = statement.sql(") AND id < coalesce(CAST(").text(before.as_deref());
    let statement = statement.sql(" AS bigint), 9223372036854775807) ORDER BY id DESC LIMIT CAST(");
    let rows = connection.rows(&statement.text(limit.as_str()).sql(" AS bigint)"))?;
    rows.iter().map(letter).collect()
}

/// A letter with its transaction.
pub(super) fn get(connection: &mut Connection, id: i64) -> Result<Option<DeadLetter>, Trouble> {
    let id = id.to_string();
    let statement = Statement::new("SELECT ")
        .sql(COLUMNS)
        .sql(", \"transaction\" FROM rowtide_writes.dead_letter WHERE id = CAST(");
    let rows = connection.rows(&statement.text(id.as_str()).sql(" AS bigint)"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let transaction: String = row.try_get(12)?;
    Ok(Some(DeadLetter { transaction: Some(json(&transaction)?), ..letter(row)? }))
}

fn letter(row: &Row) -> Result<DeadLetter, Trouble> {
    let state: String = row.try_get(10)?;
    let details: Option<String> = row.try_get(9)?;
    Ok(DeadLetter {
        id: row.try_get(0)?,
        at: row.try_get(1)?,
        user: row.try_get(2)?,
        client: row.try_get(3)?,
        transaction_id: row.try_get(4)?,
        transaction: None,
        claims: row.try_get(5)?,
        failed_index: row.try_get(6)?,
        error_code: row.try_get(7)?,
        message: row.try_get(8)?,
        details: details.map(|details| json(&details)).transpose()?,
        state: State::from_name(&state).unwrap_or(State::Open),
        note: row.try_get(11)?,
    })
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    serde_json::from_str(text).map_err(|error| Trouble {
        code: None,
        message: format!("A dead letter is not readable: {error}"),
        is_disconnected: false,
    })
}
