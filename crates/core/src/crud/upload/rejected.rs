//! Transactions that the backend refused for good: they leave the queue for `ps_rejected`, and can be tried again or
//! forgotten.

use alloc::format;
use alloc::string::String;

use crate::error::{Error, Result};

use crate::connection::Database;
use crate::crud::LocalWrites;
use crate::crud::upsert::{RowUpserts, Tables, delete_row};

/// Why a transaction was refused, in the backend's words.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refusal<'r> {
    pub(crate) code: Option<&'r str>,
    pub(crate) message: Option<&'r str>,
    pub(crate) details: Option<&'r str>,
}

/// Moves a transaction from wherever it is in the queue to `ps_rejected`. The marks of its rows stay, so that the next
/// full publish shows what the service has.
///
/// # Errors
/// An argument error if the queue does not have it; errors of SQLite.
pub(crate) fn reject(database: &Database<'_>, transaction: i64, refusal: Refusal<'_>, now: i64) -> Result<()> {
    // For the transaction at the head, both stop at once.
    const FIRST: &str = "SELECT id FROM main.ps_crud WHERE coalesce(tx_id, -id) = ?1 ORDER BY id LIMIT 1";
    const BEHIND: &str = "SELECT id FROM main.ps_crud WHERE id > ?1 AND coalesce(tx_id, -id) <> ?2 ORDER BY id LIMIT 1";
    let Some(first) = database.integer(FIRST, &[transaction.into()])? else {
        return Err(Error::argument(format!("there is no transaction {transaction} in the upload queue")));
    };
    let behind = database.integer(BEHIND, &[first.into(), transaction.into()])?.unwrap_or(i64::MAX);
    move_entries(database, transaction, first, behind, refusal, now)
}

/// Moves the entries from `first` to before `behind`.
pub(super) fn move_entries(
    database: &Database<'_>,
    transaction: i64,
    first: i64,
    behind: i64,
    refusal: Refusal<'_>,
    now: i64,
) -> Result<()> {
    const INSERT: &str = "INSERT OR REPLACE INTO main.ps_rejected\
        (transaction_id, entry_id, at, data, code, message, details) \
        SELECT ?1, id, ?4, CAST(data AS TEXT), ?5, ?6, ?7 FROM main.ps_crud WHERE id >= ?2 AND id < ?3";
    const DELETE: &str = "DELETE FROM main.ps_crud WHERE id >= ?1 AND id < ?2";
    let Refusal { code, message, details } = refusal;
    database.execute(
        INSERT,
        &[transaction.into(), first.into(), behind.into(), now.into(), code.into(), message.into(), details.into()],
    )?;
    database.execute(DELETE, &[first.into(), behind.into()])
}

/// Applies the operations of a rejected transaction to the tables again, and moves its entries from `ps_rejected` to the
/// end of the queue, as part of the current transaction, whose id it gives.
///
/// # Errors
/// An argument error if there is no such transaction, or the schema lacks a table or column of it; errors of SQLite.
pub(crate) fn retry(database: &Database<'_>, writes: &LocalWrites, transaction: i64) -> Result<i64> {
    const LAST: &str = "SELECT seq FROM main.sqlite_sequence WHERE name = 'ps_crud'";
    const DROP: &str = "DELETE FROM main.ps_crud WHERE id > ?1";
    let last = database.integer(LAST, &[])?.unwrap_or(0);
    apply(database, transaction)?;
    // What triggers have recorded is what is different from the rows as they are. Uploaded is what was written first.
    database.execute(DROP, &[last.into()])?;
    append(database, writes, transaction)?;
    discard(database, transaction)?;
    writes.transaction_id(database)
}

/// Writes the rows of a rejected transaction.
fn apply(database: &Database<'_>, transaction: i64) -> Result<()> {
    const SELECT: &str = "SELECT op, type, id, data, metadata, entry_id FROM main.powersync_rejected \
        WHERE transaction_id = ?1 ORDER BY entry_id";
    let mut tables = Tables::new(database);
    let mut rows = database.query(SELECT, &[transaction.into()])?;
    let mut count = 0_i64;
    while let Some(row) = rows.next()? {
        count = count.saturating_add(1);
        let (Some(operation), Some(row_type), Some(id)) =
            (row.optional_text(0)?, row.optional_text(1)?, row.optional_text(2)?)
        else {
            let entry = row.integer(5);
            return Err(Error::local_data(format!("rejected entry {entry} has no operation, type or id")));
        };
        let table = tables.find(row_type)?;
        if operation == "DELETE" {
            delete_row(database, table, id)?;
        } else {
            let members = row.optional_text(3)?.unwrap_or("{}");
            RowUpserts::new(database, table).upsert(Some(id), members, row.optional_text(4)?)?;
        }
    }
    if count == 0 { Err(no_such(transaction)) } else { Ok(()) }
}

/// Appends the entries of a rejected transaction to the queue, as they were.
fn append(database: &Database<'_>, writes: &LocalWrites, transaction: i64) -> Result<()> {
    const SELECT: &str = "SELECT rejected.data, view.type, view.id FROM main.ps_rejected AS rejected \
        JOIN main.powersync_rejected AS view USING (transaction_id, entry_id) \
        WHERE transaction_id = ?1 ORDER BY entry_id";
    let mut rows = database.query(SELECT, &[transaction.into()])?;
    while let Some(row) = rows.next()? {
        writes.append_again(database, row.text(0)?, row.text(1)?, row.text(2)?)?;
    }
    Ok(())
}

/// Forgets a rejected transaction.
///
/// # Errors
/// An argument error if there is none; errors of SQLite.
pub(crate) fn discard(database: &Database<'_>, transaction: i64) -> Result<()> {
    database.execute("DELETE FROM main.ps_rejected WHERE transaction_id = ?1", &[transaction.into()])?;
    if database.connection().changes() == 0 { Err(no_such(transaction)) } else { Ok(()) }
}

fn no_such(transaction: i64) -> Error {
    let message: String = format!("there is no rejected transaction {transaction}");
    Error::argument(message)
}
