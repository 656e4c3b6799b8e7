//! Publishing rows one by one: finding a row's stored operations, dropping those that no longer count, and writing the
//! winner. Which rows are checked, in the order of rows, is in [`ordered`](super::ordered).

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::Checksum;
use sqlite_nostd::Row;

use crate::bucket_storage::by_row::{RunSize, StoredOperation};
use crate::bucket_storage::operation_id::{bucket_of, sequence_of};
use crate::bucket_storage::publish::ordered::{Superseded, has_entries};
use crate::bucket_storage::publish::pending::Pending;
use crate::bucket_storage::publish::row_sink::{MANY_ROWS, RowPlace, RowSinks};
use crate::bucket_storage::publish::versions::{Kind, RowVersions, Version};
use crate::bucket_storage::publish::waiting::WaitingRows;
use crate::collections::{Numbers, RowKeys};
use crate::connection::Database;
use crate::error::Result;
use crate::in_place;
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
    /// Where the row is.
    pub(super) place: RowPlace,
    /// Whether new rows may be inserted in the order of rows, under the ids of their operations.
    pub(super) may_settle_in_place: bool,
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
            place: RowPlace::default(),
            may_settle_in_place: false,
        }
    }

    /// Looks at the row of every pending operation, in the order of operations, so that much data is read and written
    /// in sequence.
    pub(super) fn publish_pending(&mut self) -> Result<()> {
        const SELECT: &str = "SELECT id, row_type, row_id, hash, removed, data FROM main.ps_operations \
            WHERE id BETWEEN ?1 AND ?2 AND (data IS NOT NULL OR removed = 1) ORDER BY id";
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
                if is_removal || shared.contains(operation) || self.sinks.may_hold_operations(row_type)? {
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
        const SELECT: &str = "SELECT row_type, row_id, rowid FROM main.ps_updated_rows \
            WHERE row_type IS NOT NULL AND row_id IS NOT NULL";
        const FORGET: &str = "DELETE FROM main.ps_updated_rows WHERE rowid = ?1";
        let mut rows = self.database.query(SELECT, &[])?;
        let (mut keys, mut is_empty) = (RowKeys::default(), true);
        while let Some(row) = rows.next()? {
            let (row_type, row_id) = (row.text(0)?, row.text(1)?);
            if let Some(held) = self.sinks.held() {
                if held.contains(row_type, row_id) {
                    continue;
                }
                self.database.execute(FORGET, &[row.integer(2).into()])?;
            }
            is_empty = false;
            keys.push(row_type, row_id, 0)?;
            if RunSize::LARGE.is_reached(&keys) {
                self.publish_rows(&mut keys)?;
                keys.clear();
            }
        }
        drop(rows);
        self.publish_rows(&mut keys)?;
        if is_empty || self.sinks.held().is_some() { Ok(()) } else { updated_rows::forget_all(self.database) }
    }

    /// Looks at rows in their order, each once.
    fn publish_rows(&mut self, keys: &mut RowKeys) -> Result<()> {
        if keys.len() == 0 {
            return Ok(());
        }
        let may_have_entries = has_entries(self.database)?;
        let are_many = keys.len() >= MANY_ROWS;
        let (mut row_type, mut row_id, mut is_first) = (String::new(), String::new(), true);
        let mut removed = Vec::new();
        keys.visit_sorted(&mut |next_type, next_id, _| {
            if next_id == row_id && next_type == row_type && !is_first {
                return Ok(());
            }
            is_first = false;
            if next_type != row_type {
                self.sinks.delete_at(&row_type, &mut removed)?;
            }
            overwrite(&mut row_type, next_type)?;
            overwrite(&mut row_id, next_id)?;
            self.load_settled(next_type, next_id, may_have_entries)?;
            match self.place {
                // Rows that go are deleted together.
                RowPlace::At(rowid) if are_many && self.versions.len() == 0 && self.sinks.held().is_none() => {
                    removed.try_reserve(1)?;
                    removed.push(rowid);
                    Ok(())
                }
                _ => self.check_loaded(next_type, next_id, Counted::None),
            }
        })?;
        self.sinks.delete_at(&row_type, &mut removed)
    }

    /// Writes back what changed about the buckets.
    pub(super) fn finish(self, changed: &[ChangedBucket]) -> Result<()> {
        self.pending.finish(self.database, changed, self.scope, self.sinks.held().is_some())
    }

    fn seek_row(&mut self, row_type: &str, row_id: &str, counted: Counted) -> Result<()> {
        self.load_settled(row_type, row_id, true)?;
        self.check_loaded(row_type, row_id, counted)
    }

    /// Publishes the row whose operations were loaded, and deletes those that no longer count.
    fn check_loaded(&mut self, row_type: &str, row_id: &str, counted: Counted) -> Result<()> {
        self.publish_row(row_type, row_id, counted, None)?;
        self.delete_obsolete(row_type, row_id)
    }

    /// Makes the row's settled operations those that are checked. Only that in place is looked for unless
    /// `may_have_entries`.
    pub(super) fn load_settled(&mut self, row_type: &str, row_id: &str, may_have_entries: bool) -> Result<()> {
        self.versions.clear();
        self.newest = (i64::MIN, 0);
        if may_have_entries {
            self.load_entered(row_type, row_id)?;
        }
        self.place = self.sinks.place(row_type, row_id)?;
        match self.place {
            RowPlace::At(rowid) if rowid >= in_place::FIRST_OPERATION => self.load_in_place(row_type, row_id, rowid),
            _ => Ok(()),
        }
    }

    /// Adds the operation whose data are in the row, if there is one.
    fn load_in_place(&mut self, row_type: &str, row_id: &str, rowid: i64) -> Result<()> {
        const SELECT: &str = "SELECT op_id, hash, removed, subkey FROM main.ps_operations \
            WHERE id = ?1 AND row_type = ?2 AND row_id = ?3 AND data IS NULL AND removed <> 1";
        const IS_SETTLED: &str = "SELECT 1 FROM main.ps_buckets WHERE id = ?1 AND settled >= ?2";
        let mut rows = self.database.query(SELECT, &[rowid.into(), row_type.into(), row_id.into()])?;
        let Some(row) = rows.next()? else { return Ok(()) };
        // What is pending in a bucket that is published has data of its own by now.
        let bucket = bucket_of(rowid);
        if !self.pending.has_bucket(bucket)
            && self.database.integer(IS_SETTLED, &[bucket.0.into(), sequence_of(rowid).into()])?.is_none()
        {
            return Ok(());
        }
        let (hash, kind) = (Checksum::from_stored(row.integer(1)), Kind::from_column(row.integer(2)));
        self.versions.push(rowid, row.integer(0), hash, kind, row.optional_text(3)?)?;
        self.versions.set_last_in_place();
        Ok(())
    }

    /// Whether an operation of the row that is checked was not settled before.
    pub(super) fn is_pending(&self, version: &Version) -> bool {
        !version.is_in_place && self.pending.is_pending(version.operation)
    }

    /// Adds the row's operations that are entered in `ps_row_operations` to those that are checked.
    fn load_entered(&mut self, row_type: &str, row_id: &str) -> Result<()> {
        // The unary plus keeps newer SQLite from preparing the statement again for each row: it would look at the bound
        // values to plan the join.
        const SELECT: &str = "SELECT operation.id, operation.op_id, operation.hash, operation.removed, \
            operation.subkey, operation.data FROM main.ps_row_operations AS entry \
            CROSS JOIN main.ps_operations AS operation ON operation.id = entry.operation \
            WHERE entry.row_type = +?1 AND entry.row_id = +?2";
        let mut rows = self.database.query(SELECT, &[row_type.into(), row_id.into()])?;
        while let Some(row) = rows.next()? {
            self.add_version(&row)?;
        }
        Ok(())
    }

    /// Adds an operation of the row: its id, op id, hash, what it does, subkey and data.
    fn add_version(&mut self, row: &Row<'_>) -> Result<()> {
        let (operation, op_id) = (row.integer(0), row.integer(1));
        if op_id > self.newest.0 {
            overwrite(&mut self.newest_data, row.text(5)?)?;
            self.newest = (op_id, operation);
        }
        let hash = Checksum::from_stored(row.integer(2));
        self.versions.push(operation, op_id, hash, Kind::from_column(row.integer(3)), row.optional_text(4)?)
    }

    /// Adds an operation of the row that was read before.
    pub(super) fn add_operation(&mut self, operation: &StoredOperation) -> Result<()> {
        let StoredOperation { id, op_id, hash, kind, .. } = *operation;
        if op_id > self.newest.0 {
            overwrite(&mut self.newest_data, operation.data())?;
            self.newest = (op_id, id);
        }
        self.versions.push(id, op_id, hash, kind, operation.subkey())
    }

    /// Publishes the row whose operations are in `self.versions`. Gives the operation whose data are in the row then, and
    /// were not before. A pending one has the id of the operation in whose place it is to be settled: what that may be
    /// is `superseded`, or none takes another's place.
    pub(super) fn publish_row(
        &mut self,
        row_type: &str,
        row_id: &str,
        counted: Counted,
        superseded: Option<Superseded>,
    ) -> Result<Option<i64>> {
        self.versions.resolve();
        let (mut has_removal, mut is_new) = (false, false);
        for version in self.versions.iter() {
            let is_pending = self.is_pending(version);
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
        // The full publish shows the newest operation again that a less urgent bucket has had before.
        let is_behind = || self.versions.winner(|_| true) != winner;
        if matches!(self.scope, Scope::Partial { .. }) && (has_removal || is_behind()) {
            updated_rows::mark_downloaded(self.database, row_type, row_id)?;
        }
        match (winner.copied(), self.scope) {
            // What is left after a REMOVE is older than local writes, which the gate does not protect here.
            (Some(_), Scope::Partial { .. }) if !is_new => Ok(None),
            (Some(version), _) => self.put_version(row_type, row_id, &version, superseded),
            (None, Scope::Full) => self.sinks.delete(row_type, row_id).map(|()| None),
            // Another bucket may still hold the row: the full publish decides.
            (None, Scope::Partial { .. }) => Ok(None),
        }
    }

    /// Makes the data of `winner` those of the row; see [`Self::publish_row`].
    fn put_version(
        &mut self,
        row_type: &str,
        row_id: &str,
        winner: &Version,
        superseded: Option<Superseded>,
    ) -> Result<Option<i64>> {
        match self.versions.in_place().copied() {
            Some(in_place) if in_place.operation == winner.operation => return Ok(None),
            // The row is to hold those of another one.
            Some(in_place) if in_place.is_current() => self.sinks.set_aside(row_type, row_id, in_place.operation)?,
            _ => {}
        }
        if winner.operation != self.newest.1 {
            put_operation(self.database, &mut self.sinks, row_type, row_id, winner.operation)?;
            return Ok(None);
        }
        let Some(superseded) = superseded.filter(|_| self.place != RowPlace::Elsewhere && self.is_pending(winner))
        else {
            self.sinks.put(row_type, row_id, &self.newest_data)?;
            return Ok(None);
        };
        let is_replaced = |version: &Version| superseded == Superseded::Replaced && !self.is_pending(version);
        let taken = self.versions.place_of(winner, is_replaced).map(|place| place.operation);
        let may_be_new = self.may_settle_in_place || self.place != RowPlace::Absent;
        let Some(operation) = taken.or_else(|| may_be_new.then_some(winner.operation)) else {
            self.sinks.put(row_type, row_id, &self.newest_data)?;
            return Ok(None);
        };
        let is_in_place = self.sinks.put_in_place(row_type, row_id, &self.newest_data, operation, self.place)?;
        Ok(is_in_place.then_some(operation))
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
