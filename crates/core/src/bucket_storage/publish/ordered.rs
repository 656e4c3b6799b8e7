//! Publishing in the order of rows.
//!
//! Each b-tree is written to from its first to its last page: a page that is written has changed for the last time, and
//! a small cache does as well as a large one. `ps_operations` is in another order; what has to be deleted there is
//! collected first. Operations are read one by one, which takes longer than in their own order if the cache could hold
//! everything.

use alloc::vec::Vec;

use crate::error::Result;
use crate::in_place;

use super::row_sink::RowPlace;
use super::rows::{Counted, Publisher};
use crate::bucket_storage::by_row::{OperationsByRow, StoredOperation};
use crate::bucket_storage::publish::versions::{Kind, Version};
use crate::collections::sort_by;
use crate::connection::Database;

/// Changes of `ps_operations` that are collected before they are made, in memory of 24 bytes each.
const COLLECTED: usize = 40_000;

/// What happens to a settled operation that a pending one supersedes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Superseded {
    /// It goes, and the pending one is entered in `ps_row_operations`.
    Deleted,
    /// The pending one takes its place, so that `ps_row_operations` stays as it is. Of the pages of a large database,
    /// only those of the older operation and of the row itself change.
    Replaced,
}

/// What happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// It goes.
    Delete,
    /// Its data are in the row.
    LeaveData,
    /// This one takes its place.
    Replace(i64),
    /// The same, and the data of that are in the row.
    ReplaceInPlace(i64),
}

/// Changes of `ps_operations` to be made in its order.
#[derive(Default)]
pub(super) struct OperationChanges {
    changes: Vec<(i64, Change)>,
}

impl OperationChanges {
    fn add(&mut self, operation: i64, change: Change) -> Result<()> {
        self.changes.try_reserve(1)?;
        self.changes.push((operation, change));
        Ok(())
    }

    /// Lets `operation` move to `place`.
    fn replace(&mut self, place: i64, operation: i64, is_in_place: bool) -> Result<()> {
        let change = if is_in_place { Change::ReplaceInPlace } else { Change::Replace };
        self.add(place, change(operation))?;
        self.add(operation, Change::Delete)
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= COLLECTED
    }

    /// Makes the changes. An operation is deleted after it has moved: that was to a place before it.
    fn make(&mut self, database: &Database<'_>) -> Result<()> {
        // Nothing takes a place if it is no longer there.
        const REPLACE: &str = "UPDATE OR IGNORE main.ps_operations SET (op_id, data, hash, removed) = \
            (SELECT op_id, data, hash, removed FROM main.ps_operations WHERE id = ?2) WHERE id = ?1";
        const REPLACE_IN_PLACE: &str = "UPDATE OR IGNORE main.ps_operations SET data = NULL, \
            (op_id, hash, removed) = (SELECT op_id, hash, removed FROM main.ps_operations WHERE id = ?2) WHERE id = ?1";
        const LEAVE_DATA: &str = "UPDATE main.ps_operations SET data = NULL WHERE id = ?1";
        const DELETE: &str = "DELETE FROM main.ps_operations WHERE id = ?1";
        sort_by(&mut self.changes, Ord::cmp);
        for (operation, change) in self.changes.drain(..) {
            match change {
                Change::Delete => database.execute(DELETE, &[operation.into()])?,
                Change::LeaveData => database.execute(LEAVE_DATA, &[operation.into()])?,
                Change::Replace(by) => database.execute(REPLACE, &[operation.into(), by.into()])?,
                Change::ReplaceInPlace(by) => database.execute(REPLACE_IN_PLACE, &[operation.into(), by.into()])?,
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
        self.may_settle_in_place = self.pending.fits_cache_in_order_of_rows(self.database)?;
        let mut operations = OperationsByRow::new(self.database, self.pending.ranges())?;
        let (mut changes, mut operation) = (OperationChanges::default(), StoredOperation::default());
        while operations.take(&mut operation)? {
            let (row_type, row_id) = (operation.row_type(), operation.row_id());
            self.load_settled(row_type, row_id, may_have_entries)?;
            let is_alone = self.versions.len() == 0 && !operations.goes_on_with_row_of(&operation);
            if is_alone && operation.kind == Kind::Put && self.pending.is_pending(operation.id) {
                self.pending.count_settled(operation.id, operation.hash);
                self.put_alone(&operation, &mut changes)?;
            } else {
                self.add_pending(&operation)?;
                while operations.goes_on_with_row_of(&operation) && operations.take(&mut operation)? {
                    self.add_pending(&operation)?;
                }
                let (row_type, row_id) = (operation.row_type(), operation.row_id());
                let shown = self.publish_row(row_type, row_id, Counted::Pending, Some(superseded))?;
                self.settle(row_type, row_id, superseded, shown, &mut changes)?;
            }
            if changes.is_full() {
                changes.make(self.database)?;
            }
        }
        changes.make(self.database)
    }

    /// Publishes and enters the only operation of a row.
    fn put_alone(&mut self, operation: &StoredOperation, changes: &mut OperationChanges) -> Result<()> {
        let (row_type, row_id, data) = (operation.row_type(), operation.row_id(), operation.data());
        let may_be_in_place = match self.place {
            RowPlace::Elsewhere => false,
            RowPlace::Absent => self.may_settle_in_place,
            RowPlace::At(_) => true,
        };
        if may_be_in_place && self.sinks.put_in_place(row_type, row_id, data, operation.id, self.place)? {
            return changes.add(operation.id, Change::LeaveData);
        }
        if !may_be_in_place {
            self.sinks.put(row_type, row_id, data)?;
        }
        in_place::enter(self.database, row_type, row_id, operation.id)
    }

    /// Adds an operation to those of the row, unless it was settled before and is among them already.
    fn add_pending(&mut self, operation: &StoredOperation) -> Result<()> {
        if self.pending.is_pending(operation.id) { self.add_operation(operation) } else { Ok(()) }
    }

    /// Enters the pending operations of the row that count, and has those deleted that do not. The data of `shown` are
    /// in the row now.
    fn settle(
        &mut self,
        row_type: &str,
        row_id: &str,
        superseded: Superseded,
        shown: Option<i64>,
        changes: &mut OperationChanges,
    ) -> Result<()> {
        let is_replaced = |version: &Version| superseded == Superseded::Replaced && !self.is_pending(version);
        for versions in self.versions.by_key() {
            let Some((last, _)) = versions.split_last() else {
                debug_assert!(false, "operations are listed by key, and there are none");
                continue;
            };
            let mut place = None;
            if last.is_current() && self.is_pending(last) {
                place = self.versions.place_of(last, is_replaced);
                let operation = place.map_or(last.operation, |place| place.operation);
                let is_in_place = shown == Some(operation);
                match place {
                    Some(_) => changes.replace(operation, last.operation, is_in_place)?,
                    None if is_in_place => changes.add(operation, Change::LeaveData)?,
                    None => {}
                }
                match (place, is_in_place) {
                    (Some(place), true) if !place.is_in_place => self.delete_entry(row_type, row_id, operation)?,
                    (Some(place), false) if place.is_in_place => {
                        in_place::enter(self.database, row_type, row_id, operation)?;
                    }
                    (None, false) => in_place::enter(self.database, row_type, row_id, operation)?,
                    _ => {}
                }
            }
            for version in versions.iter().filter(|version| !version.is_current() && place != Some(*version)) {
                if !self.is_pending(version) && !version.is_in_place {
                    self.delete_entry(row_type, row_id, version.operation)?;
                }
                changes.add(version.operation, Change::Delete)?;
            }
        }
        self.obsolete.clear();
        Ok(())
    }
}

/// Whether anything is entered in `ps_row_operations`.
pub(super) fn has_entries(database: &Database<'_>) -> Result<bool> {
    Ok(database.integer("SELECT 1 FROM main.ps_row_operations LIMIT 1", &[])?.is_some())
}
