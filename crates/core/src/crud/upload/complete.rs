//! `powersync_crud_complete`: transactions that the backend has taken leave the queue.

use alloc::format;

use crate::error::{Error, Result};

use super::{delete_up_to, is_empty};
use crate::connection::Database;

/// What completing transactions did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Completed {
    /// Entries that left the queue.
    pub(crate) removed: i64,
    /// Whether none is left.
    pub(crate) is_empty: bool,
}

/// Deletes the entries up to and including `last_entry`, the last one of a transaction. Again does no harm.
///
/// # Errors
/// An argument error if the entry is inside of a transaction or was never there; errors of SQLite.
pub(crate) fn complete(database: &Database<'_>, last_entry: i64) -> Result<Completed> {
    const IS_INSIDE: &str = "SELECT 1 WHERE (SELECT tx_id FROM main.ps_crud WHERE id <= ?1 ORDER BY id DESC LIMIT 1) \
        = (SELECT tx_id FROM main.ps_crud WHERE id > ?1 ORDER BY id LIMIT 1)";
    const NEWEST: &str = "SELECT seq FROM main.sqlite_sequence WHERE name = 'ps_crud'";
    if last_entry > database.integer(NEWEST, &[])?.unwrap_or(0) {
        return Err(Error::argument(format!("there has never been an entry {last_entry}")));
    }
    if database.integer(IS_INSIDE, &[last_entry.into()])?.is_some() {
        return Err(Error::argument(format!("entry {last_entry} is not the last one of its transaction")));
    }
    let removed = delete_up_to(database, last_entry)?;
    Ok(Completed { removed, is_empty: is_empty(database)? })
}
