//! Publishing in the order of rows.
//!
//! Each b-tree is written to from its first to its last page: a page that is written has changed for the last time, and
//! a small cache does as well as a large one. `ps_operations` is in another order; what has to be deleted there is
//! collected first. Operations are read one by one, which takes longer than in their own order if the cache could hold
//! everything.

use alloc::vec::Vec;

use crate::error::Result;

use super::rows::{Counted, Publisher};
use crate::bucket_storage::by_row::{OperationsByRow, StoredOperation};
use crate::bucket_storage::publish::versions::{Kind, Version};
use crate::collections::sort_by;
use crate::connection::Database;

/// Changes of `ps_operations` that are collected before they are made, in memory of 16 bytes each.
const COLLECTED: usize = 50_000;

/// What happens to a settled operation that a pending one supersedes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Superseded {
    /// It goes, and the pending one is entered in `ps_row_operations`.
    Deleted,
    /// The pending one takes its place, so that `ps_row_operations` stays as it is. Of the pages of a large database,
    /// only those of the older operation and of the row itself change.
    Replaced,
}

/// Changes of `ps_operations` to be made in its order.
#[derive(Default)]
pub(super) struct OperationChanges {
    /// Operations, each with the one that takes its place, or 0 if it is deleted.
    changes: Vec<(i64, i64)>,
}

impl OperationChanges {
    fn add(&mut self, operation: i64, replacement: i64) -> Result<()> {
        self.changes.try_reserve(1)?;
        self.changes.push((operation, replacement));
        Ok(())
    }

    fn delete(&mut self, operation: i64) -> Result<()> {
        self.add(operation, 0)
    }

    /// Lets `operation` move to `place`.
    fn replace(&mut self, place: i64, operation: i64) -> Result<()> {
        self.add(place, operation)?;
        self.delete(operation)
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= COLLECTED
    }

    /// Makes the changes. An operation is deleted after it has moved: that was to a place before it.
    fn make(&mut self, database: &Database<'_>) -> Result<()> {
        // Nothing takes a place if it is no longer there.
        const REPLACE: &str = "UPDATE OR IGNORE main.ps_operations SET (op_id, data, hash, removed) = \
            (SELECT op_id, data, hash, removed FROM main.ps_operations WHERE id = ?2) WHERE id = ?1";
        const DELETE: &str = "DELETE FROM main.ps_operations WHERE id = ?1";
        sort_by(&mut self.changes, Ord::cmp);
        for (operation, replacement) in self.changes.drain(..) {
            match replacement {
                0 => database.execute(DELETE, &[operation.into()])?,
                _ => database.execute(REPLACE, &[operation.into(), replacement.into()])?,
            }
        }
        Ok(())
    }
}

impl Publisher<'_, '_> {
    /// Looks at the row of every pending operation, none of which is entered in `ps_row_operations`, and enters those
    /// that count.
    pub(super) fn publish_in_order(&mut self, superseded: Superseded) -> Result<()> {
        let may_have_entries = self.pending.is_few() || has_entries(self.database)?;
        let mut operations = OperationsByRow::new(self.database, self.pending.ranges())?;
        let (mut changes, mut operation) = (OperationChanges::default(), StoredOperation::default());
        while operations.take(&mut operation)? {
            if may_have_entries {
                self.load_entered(operation.row_type(), operation.row_id())?;
            } else {
                self.versions.clear();
            }
            let is_alone = self.versions.len() == 0 && !operations.goes_on_with_row_of(&operation);
            if is_alone && operation.kind == Kind::Put && self.pending.is_pending(operation.id) {
                self.pending.count_settled(operation.id, operation.hash);
                self.enter(operation.row_type(), operation.row_id(), operation.id)?;
                self.sinks.put(operation.row_type(), operation.row_id(), operation.data())?;
                continue;
            }
            self.add_pending(&operation)?;
            while operations.goes_on_with_row_of(&operation) && operations.take(&mut operation)? {
                self.add_pending(&operation)?;
            }
            self.publish_row(operation.row_type(), operation.row_id(), Counted::Pending)?;
            self.settle(&operation, superseded, &mut changes)?;
            if changes.is_full() {
                changes.make(self.database)?;
            }
        }
        changes.make(self.database)
    }

    /// Adds an operation to those of the row, unless it was settled before and is among them already.
    fn add_pending(&mut self, operation: &StoredOperation) -> Result<()> {
        if self.pending.is_pending(operation.id) { self.add_operation(operation) } else { Ok(()) }
    }

    /// Enters the pending operations of the row that count, and has those deleted that do not. `operation` is one of
    /// the row.
    fn settle(
        &mut self,
        operation: &StoredOperation,
        superseded: Superseded,
        changes: &mut OperationChanges,
    ) -> Result<()> {
        let (row_type, row_id) = (operation.row_type(), operation.row_id());
        let is_pending = |version: &Version| self.pending.is_pending(version.operation);
        for versions in self.versions.by_key() {
            let Some((last, older)) = versions.split_last() else {
                debug_assert!(false, "operations are listed by key, and there are none");
                continue;
            };
            let mut place = None;
            if last.is_current() && is_pending(last) {
                let settled = older.iter().find(|version| !is_pending(version));
                place = settled.filter(|_| superseded == Superseded::Replaced).map(|version| version.operation);
                match place {
                    Some(place) => changes.replace(place, last.operation)?,
                    None => self.enter(row_type, row_id, last.operation)?,
                }
            }
            for version in versions.iter().filter(|version| !version.is_current()) {
                if !is_pending(version) {
                    if place == Some(version.operation) {
                        continue;
                    }
                    self.delete_entry(row_type, row_id, version.operation)?;
                }
                changes.delete(version.operation)?;
            }
        }
        self.obsolete.clear();
        Ok(())
    }
}

/// Whether anything is entered in `ps_row_operations`.
fn has_entries(database: &Database<'_>) -> Result<bool> {
    Ok(database.integer("SELECT 1 FROM main.ps_row_operations LIMIT 1", &[])?.is_some())
}
