//! The upload queue as an SDK's upload loop sees it: whole transactions from the oldest on, completed or rejected by what
//! the backend answered (docs/reference/functions.md#upload-queue).
//!
//! Adjacent entries with one `tx_id` are a transaction. An entry without one is a transaction by itself, whose id is that of
//! the entry with a minus sign. Calls read the queue from its head, so that their cost does not depend on its length.

mod complete;
mod next;
mod rejected;
mod results;

pub(crate) use complete::complete;
pub(crate) use next::next;
pub(crate) use rejected::{Refusal, discard, reject, retry};
pub(crate) use results::apply_results;

use crate::error::Result;

use crate::connection::Database;

/// Whether nothing waits for its upload.
fn is_empty(database: &Database<'_>) -> Result<bool> {
    Ok(database.integer("SELECT 1 FROM main.ps_crud LIMIT 1", &[])?.is_none())
}

/// Deletes the entries up to and including `last_entry`, and gives their number.
fn delete_up_to(database: &Database<'_>, last_entry: i64) -> Result<i64> {
    database.execute("DELETE FROM main.ps_crud WHERE id <= ?1", &[last_entry.into()])?;
    Ok(database.connection().changes())
}
