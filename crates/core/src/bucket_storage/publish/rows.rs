//! Publishing rows one by one: finding a row's stored operations, dropping those that no longer count, and writing the
//! winner. Which rows are checked, in the order of rows, is in [`ordered`](super::ordered).

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::Checksum;
use sqlite_nostd::Row;

use crate::bucket_storage::by_row::{RunSize, StoredOperation};
use crate::bucket_storage::operation_id::bucket_of;
use crate::bucket_storage::publish::pending::Pending;
use crate::bucket_storage::publish::row_sink::RowSinks;
use crate::bucket_storage::publish::versions::{Kind, RowVersions, Version};
use crate::bucket_storage::publish::waiting::WaitingRows;
use crate::collections::{Numbers, RowKeys};
use crate::connection::Database;
use crate::error::Result;
use crate::sync_client::storage::{ChangedBucket, Scope};
use crate::text::overwrite;
use crate::updated_rows;

/// One publish in progress.
pub(super) struct Publisher<'a, 'c> {
    pub(super) database: &'a Database<'c>,
    pub(super) pending: Pending,
    scope: Scope<'a>,
    pub(super) sinks: RowSinks<'a, 'c>,
    /// Operations of the row that is checked.
    pub(super) versions: RowVersions,
    /// Data of the row's newest operation, which mostly is the one to publish.
    newest_data: String,
    /// The op id of that operation, and its own id.
    newest: (i64, i64),
    /// Operations of the row that no longer count.
    pub(super) obsolete: Vec<i64>,
}

/// Which operations of a row are counted as settled when it is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// The pending ones.
    Pending,
    /// None: they were counted before.
    None,
}

impl<'a, 'c> Publisher<'a, 'c> {
    /// A publish of `pending`, whose operations are entered in `ps_row_operations`.
    pub(super) fn new(database: &'a Database<'c>, sinks: RowSinks<'a, 'c>, pending: Pending, scope: Scope<'a>) -> Self {
        Self {
            database,
            pending,
            scope,
            sinks,
            versions: RowVersions::default(),
            newest_data: String::new(),
            newest: (0, 0),
            obsolete: Vec::new(),
        }
    }

    /// Looks at the row of every pending operation, in the order of operations, so that much data is read and written
    /// in sequence.
    pub(super) fn publish_pending(&mut self) -> Result<()> {
        const SELECT: &str = "SELECT id, row_type, row_id, hash, removed, data FROM main.ps_operations \
            WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
        let shared = shared_operations(self.database)?;
        // Operations whose row was looked at together with an earlier one.
        let mut is_done = Numbers::default();
        let ranges: Vec<(i64, i64)> = self.pending.ranges().collect();
        let mut waiting = WaitingRows::default();
        let mut statement = self.database.cached(SELECT)?;
        for (first, last) in ranges {
            // Operations that are dropped on the way are not visited any more.
            let mut rows = statement.query(&[first.into(), last.into()])?;
            while let Some(row) = rows.next()? {
                let (operation, row_type, row_id) = (row.integer(0), row.text(1)?, row.text(2)?);
                let is_removal = Kind::from_column(row.integer(4)) == Kind::Remove;
                if is_removal || shared.contains(operation) {
                    if !is_done.remove(operation) {
                        self.seek_row(row_type, row_id, Counted::Pending)?;
                        let current = self.versions.iter().filter(|version| version.is_current());
                        let others = current.map(|version| version.operation).filter(|other| *other != operation);
                        for other in others.filter(|other| self.pending.is_new(*other)) {
                            is_done.insert(other)?;
                        }
                    }
                    continue;
                }
                if self.pending.is_pending(operation) {
                    self.pending.count_settled(operation, Checksum::from_stored(row.integer(3)));
                }
                waiting.put(&mut self.sinks, row_type, row_id, row.text(5)?)?;
            }
        }
        waiting.publish(&mut self.sinks)
    }

    /// Looks at the rows of removed operations and local writes; afterwards there are none. If rows are held back, looks
    /// only at the others, and those that are held back stay in the list.
    pub(super) fn publish_updated_rows(&mut self) -> Result<()> {
        const SELECT: &str = "SELECT row_type, row_id, EXISTS (SELECT 1 FROM main.ps_row_operations AS entry \
                WHERE entry.row_type = updated.row_type AND entry.row_id = updated.row_id), rowid \
            FROM main.ps_updated_rows AS updated WHERE row_type IS NOT NULL AND row_id IS NOT NULL";
        const FORGET: &str = "DELETE FROM main.ps_updated_rows WHERE rowid = ?1";
        let mut rows = self.database.query(SELECT, &[])?;
        let (mut keys, mut is_empty) = (RowKeys::default(), true);
        while let Some(row) = rows.next()? {
            let (row_type, row_id) = (row.text(0)?, row.text(1)?);
            if let Some(held) = self.sinks.held() {
                if held.contains(row_type, row_id) {
                    continue;
                }
                self.database.execute(FORGET, &[row.integer(3).into()])?;
            }
            is_empty = false;
            keys.push(row_type, row_id, row.integer(2))?;
            if RunSize::LARGE.is_reached(&keys) {
                self.publish_rows(&mut keys)?;
                keys.clear();
            }
        }
        drop(rows);
        self.publish_rows(&mut keys)?;
        if is_empty || self.sinks.held().is_some() { Ok(()) } else { updated_rows::forget_all(self.database) }
    }

    /// Looks at rows in their order, each once. They come with 0 if they have no operations.
    fn publish_rows(&mut self, keys: &mut RowKeys) -> Result<()> {
        let (mut row_type, mut row_id, mut is_first) = (String::new(), String::new(), true);
        keys.visit_sorted(&mut |next_type, next_id, operations| {
            if next_id == row_id && next_type == row_type && !is_first {
                return Ok(());
            }
            is_first = false;
            overwrite(&mut row_type, next_type)?;
            overwrite(&mut row_id, next_id)?;
            if operations == 0 {
                self.sinks.delete(next_type, next_id)
            } else {
                self.seek_row(next_type, next_id, Counted::None)
            }
        })
    }

    /// Writes back what changed about the buckets.
    pub(super) fn finish(self, changed: &[ChangedBucket]) -> Result<()> {
        self.pending.finish(self.database, changed, self.scope, self.sinks.held().is_some())
    }

    fn seek_row(&mut self, row_type: &str, row_id: &str, counted: Counted) -> Result<()> {
        self.load_entered(row_type, row_id)?;
        self.publish_row(row_type, row_id, counted)?;
        self.delete_obsolete(row_type, row_id)
    }

    /// Makes the row's operations that are entered in `ps_row_operations` those that are checked.
    pub(super) fn load_entered(&mut self, row_type: &str, row_id: &str) -> Result<()> {
        // The unary plus keeps newer SQLite from preparing the statement again for each row: it would look at the bound
        // values to plan the join.
        const SELECT: &str = "SELECT operation.id, operation.op_id, operation.hash, operation.removed, \
            operation.subkey, operation.data FROM main.ps_row_operations AS entry \
            CROSS JOIN main.ps_operations AS operation ON operation.id = entry.operation \
            WHERE entry.row_type = +?1 AND entry.row_id = +?2";
        self.versions.clear();
        let mut rows = self.database.query(SELECT, &[row_type.into(), row_id.into()])?;
        while let Some(row) = rows.next()? {
            self.add_version(&row)?;
        }
        Ok(())
    }

    /// Adds an operation of the row: its id, op id, hash, what it does, subkey and data.
    fn add_version(&mut self, row: &Row<'_>) -> Result<()> {
        let (operation, op_id) = (row.integer(0), row.integer(1));
        if self.versions.len() == 0 || op_id > self.newest.0 {
            overwrite(&mut self.newest_data, row.text(5)?)?;
            self.newest = (op_id, operation);
        }
        let hash = Checksum::from_stored(row.integer(2));
        self.versions.push(operation, op_id, hash, Kind::from_column(row.integer(3)), row.optional_text(4)?)
    }

    /// Adds an operation of the row that was read before.
    pub(super) fn add_operation(&mut self, operation: &StoredOperation) -> Result<()> {
        let StoredOperation { id, op_id, hash, kind, .. } = *operation;
        if self.versions.len() == 0 || op_id > self.newest.0 {
            overwrite(&mut self.newest_data, operation.data())?;
            self.newest = (op_id, id);
        }
        self.versions.push(id, op_id, hash, kind, operation.subkey())
    }

    /// Publishes the row whose operations are in `self.versions`.
    pub(super) fn publish_row(&mut self, row_type: &str, row_id: &str, counted: Counted) -> Result<()> {
        self.versions.resolve();
        let (mut has_removal, mut is_new) = (false, false);
        for version in self.versions.iter() {
            let is_pending = self.pending.is_pending(version.operation);
            has_removal |= version.kind == Kind::Remove;
            is_new |= version.is_current() && self.pending.is_new(version.operation);
            if !version.is_current() {
                self.obsolete.push(version.operation);
                if !is_pending && version.kind != Kind::Remove {
                    self.pending.count_dropped(version.operation, version.hash);
                }
            } else if is_pending && counted == Counted::Pending {
                self.pending.count_settled(version.operation, version.hash);
            }
        }
        let winner = match self.scope {
            Scope::Full => self.versions.winner(|_| true),
            Scope::Partial { is_involved } => {
                self.versions.winner(|version: &Version| is_involved(bucket_of(version.operation)))
            }
        };
        match (winner, self.scope) {
            // What is left after a REMOVE is older than local writes, which the gate does not protect here.
            (Some(_), Scope::Partial { .. }) if !is_new => {}
            (Some(version), _) if version.operation == self.newest.1 => {
                self.sinks.put(row_type, row_id, &self.newest_data)?;
            }
            (Some(version), _) => put_operation(self.database, &mut self.sinks, row_type, row_id, version.operation)?,
            (None, Scope::Full) => self.sinks.delete(row_type, row_id)?,
            // Another bucket may still hold the row: the full publish decides.
            (None, Scope::Partial { .. }) => {}
        }
        // The full publish shows the newest operation again that a less urgent bucket has had before.
        let is_behind = || self.versions.winner(|_| true) != winner;
        if matches!(self.scope, Scope::Partial { .. }) && (has_removal || is_behind()) {
            updated_rows::mark_downloaded(self.database, row_type, row_id)?;
        }
        Ok(())
    }

    /// Deletes the row's operations that no longer count, with their entries.
    fn delete_obsolete(&mut self, row_type: &str, row_id: &str) -> Result<()> {
        const DELETE: &str = "DELETE FROM main.ps_operations WHERE id = ?1";
        while let Some(operation) = self.obsolete.pop() {
            self.delete_entry(row_type, row_id, operation)?;
            self.database.execute(DELETE, &[operation.into()])?;
        }
        Ok(())
    }

    /// Enters an operation of a row in `ps_row_operations`.
    pub(super) fn enter(&self, row_type: &str, row_id: &str, operation: i64) -> Result<()> {
        const ENTER: &str =
            "INSERT OR IGNORE INTO main.ps_row_operations(row_type, row_id, operation) VALUES (?1, ?2, ?3)";
        self.database.execute(ENTER, &[row_type.into(), row_id.into(), operation.into()])
    }

    /// Takes an operation of a row out of `ps_row_operations`.
    pub(super) fn delete_entry(&self, row_type: &str, row_id: &str, operation: i64) -> Result<()> {
        const DELETE_ENTRY: &str =
            "DELETE FROM main.ps_row_operations WHERE row_type = ?1 AND row_id = ?2 AND operation = ?3";
        self.database.execute(DELETE_ENTRY, &[row_type.into(), row_id.into(), operation.into()])
    }
}

/// Finds the operations of rows that have several, in one pass over all of them: where much is pending, that is cheaper
/// than a look-up for each row.
fn shared_operations(database: &Database<'_>) -> Result<Numbers> {
    const SELECT: &str =
        "SELECT row_type, row_id, operation FROM main.ps_row_operations ORDER BY row_type, row_id, operation";
    let mut shared = Numbers::default();
    let (mut row_type, mut row_id, mut previous) = (String::new(), String::new(), None);
    let mut rows = database.query(SELECT, &[])?;
    while let Some(row) = rows.next()? {
        let (next_type, next_id, operation) = (row.text(0)?, row.text(1)?, row.integer(2));
        if next_id == row_id && next_type == row_type {
            for operation in previous.into_iter().chain([operation]) {
                shared.insert(operation)?;
            }
        } else {
            overwrite(&mut row_type, next_type)?;
            overwrite(&mut row_id, next_id)?;
        }
        previous = Some(operation);
    }
    Ok(shared)
}

/// Publishes the data of one stored operation.
fn put_operation(
    database: &Database<'_>,
    sinks: &mut RowSinks<'_, '_>,
    row_type: &str,
    row_id: &str,
    operation: i64,
) -> Result<()> {
    const SELECT: &str = "SELECT data FROM main.ps_operations WHERE id = ?1";
    let mut rows = database.query(SELECT, &[operation.into()])?;
    match rows.next()? {
        Some(row) => sinks.put(row_type, row_id, row.text(0)?),
        None => Ok(()),
    }
}
