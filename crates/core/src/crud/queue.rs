//! Appending to the upload queue, and what else a local write leaves behind.

use alloc::string::String;
use core::cell::Cell;

use crate::error::{Error, Result};

use super::entry::Entry;
use super::{gate, transaction_id};
use crate::connection::Database;
use crate::connection::transaction::TrackedState;
use crate::updated_rows;

/// What is remembered of the local writes of a connection.
#[derive(Default)]
pub(crate) struct LocalWrites {
    /// The id of the upload entries of the current transaction; meaningless unless [`TrackedState::TransactionId`] is
    /// noted.
    transaction_id: Cell<i64>,
    /// Memory for an entry.
    json: Cell<String>,
    /// Whether the list of marked rows may have become too long since the last commit. After a rollback it is checked
    /// for nothing.
    is_list_to_be_limited: Cell<bool>,
}

/// Memory that is kept for the next entry, in bytes.
const KEPT_MEMORY: usize = 64 * 1024;

impl LocalWrites {
    /// Appends `entry` to the queue, for the upload only: nothing else changes.
    ///
    /// # Errors
    /// Errors of SQLite, for instance because the internal tables do not exist yet.
    pub(crate) fn append(&self, database: &Database<'_>, entry: Option<&str>) -> Result<()> {
        const SQL: &str = "INSERT INTO main.ps_crud(tx_id, data) VALUES (?1, ?2)";
        let transaction_id = self.transaction_id(database)?;
        database.execute(SQL, &[transaction_id.into(), entry.into()])
    }

    /// Appends `entry` to the queue, closes the gate, and has the row checked again when downloads are published.
    ///
    /// # Errors
    /// As for [`LocalWrites::append`].
    pub(crate) fn record(&self, database: &Database<'_>, entry: &Entry<'_>) -> Result<()> {
        let mut json = self.json.take();
        let appended = entry.write(&mut json).map_err(Error::from).and_then(|()| self.append(database, Some(&json)));
        if json.capacity() <= KEPT_MEMORY {
            self.json.set(json);
        }
        appended?;
        gate::close(database)?;
        self.mark(database, entry.row_type, entry.id)
    }

    /// As [`LocalWrites::record`], for an entry that was in the queue before.
    ///
    /// # Errors
    /// As for [`LocalWrites::append`].
    pub(crate) fn append_again(
        &self,
        database: &Database<'_>,
        entry: &str,
        row_type: &str,
        row_id: &str,
    ) -> Result<()> {
        self.append(database, Some(entry))?;
        gate::close(database)?;
        self.mark(database, row_type, row_id)
    }

    /// Has a row checked again when downloads are published.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn mark(&self, database: &Database<'_>, row_type: &str, row_id: &str) -> Result<()> {
        if updated_rows::mark(database, row_type, row_id)? {
            self.is_list_to_be_limited.set(true);
        }
        Ok(())
    }

    /// To be called before each commit: keeps the list of rows from growing without bound.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn before_commit(&self, database: &Database<'_>) -> Result<()> {
        if self.is_list_to_be_limited.take() { updated_rows::limit(database) } else { Ok(()) }
    }

    /// The id that all entries of the current transaction share.
    pub(super) fn transaction_id(&self, database: &Database<'_>) -> Result<i64> {
        let transaction = database.state().transaction();
        if !transaction.has_changed(TrackedState::TransactionId) {
            // Entries that are put back into the queue do not come through a table that takes part in the transaction.
            transaction.join(database)?;
            self.transaction_id.set(transaction_id::take(database)?);
            transaction.track_change(TrackedState::TransactionId);
        }
        Ok(self.transaction_id.get())
    }
}
