//! Appending to the upload queue, and what else a local write leaves behind.

use core::cell::Cell;

use super::{gate, transaction_id};
use crate::connection::Database;
use crate::connection::transaction::Remembered;
use crate::error::Result;

/// What is remembered of the local writes of a connection's current transaction.
#[derive(Default)]
pub struct LocalWrites {
    /// The id of its upload entries; meaningless unless [`Remembered::TransactionId`] is noted.
    transaction_id: Cell<i64>,
}

impl LocalWrites {
    /// Appends `entry` to the queue, for the upload only: nothing else changes.
    ///
    /// # Errors
    /// Errors of SQLite, for instance because the internal tables do not exist yet.
    pub fn append(&self, database: &Database<'_>, entry: Option<&str>) -> Result<()> {
        const SQL: &str = "INSERT INTO main.ps_crud(tx_id, data) VALUES (?1, ?2)";
        let transaction_id = self.transaction_id(database)?;
        database.execute(SQL, &[transaction_id.into(), entry.into()])
    }

    /// Appends `entry` to the queue, closes the gate, and has the row looked at again when downloads are published.
    ///
    /// # Errors
    /// As for [`LocalWrites::append`].
    pub fn record(&self, database: &Database<'_>, entry: &str, row_type: &str, row_id: &str) -> Result<()> {
        self.append(database, Some(entry))?;
        gate::close(database)?;
        Self::mark(database, row_type, row_id)
    }

    /// Has a row looked at again when downloads are published.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub fn mark(database: &Database<'_>, row_type: &str, row_id: &str) -> Result<()> {
        // Format 14 has a unique key here.
        const SQL: &str = "INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) VALUES (?1, ?2)";
        database.execute(SQL, &[row_type.into(), row_id.into()])
    }

    /// The id that all entries of the current transaction share.
    fn transaction_id(&self, database: &Database<'_>) -> Result<i64> {
        let transaction = database.state().transaction();
        if !transaction.has_changed(Remembered::TransactionId) {
            self.transaction_id.set(transaction_id::take(database)?);
            transaction.note_change(Remembered::TransactionId);
        }
        Ok(self.transaction_id.get())
    }
}
