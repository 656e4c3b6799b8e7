//! Stored operations in the order of their rows, so that work on each of them goes through the pages of a b-tree in
//! sequence: each page is changed once, and is not needed in the cache afterwards.
//!
//! Keys are sorted in memory, some megabytes at once, which gives *runs* of operations. Where the order has to be kept
//! beyond a run, runs are merged: of each, the next operation is read ahead.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use rowtide_protocol::Checksum;

use crate::bucket_storage::publish::Kind;
use crate::collections::RowKeys;
use crate::connection::{CachedStatement, Database};
use crate::error::Result;
use crate::text::reserve_anew;

/// How much is sorted at once: a number of operations, and the bytes of their row ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunSize {
    operations: usize,
    bytes: usize,
}

impl RunSize {
    /// For what is done run by run: some 4 MB.
    pub(super) const LARGE: Self = Self { operations: 50_000, bytes: 4 << 20 };

    /// For runs that are merged: some 1.5 MB.
    const MERGED: Self = Self { operations: 16_000, bytes: 1 << 20 };

    /// Whether `keys` are as many.
    pub(super) fn is_reached(self, keys: &RowKeys) -> bool {
        keys.len() >= self.operations || keys.size() >= self.bytes
    }
}

/// Calls `visit` with type, row id and operation id of all operations whose ids are in `ranges` (first and last), one
/// run after the other. Those whose data are in place, or wait with others of their type, are left out.
pub(super) fn visit_by_row(
    database: &Database<'_>,
    ranges: impl Iterator<Item = (i64, i64)>,
    visit: &mut dyn FnMut(&str, &str, i64) -> Result<()>,
) -> Result<()> {
    visit_runs(database, ranges, RunSize::LARGE, &mut |keys| keys.visit_sorted(visit))
}

/// Calls `visit` with the keys of each run.
fn visit_runs(
    database: &Database<'_>,
    ranges: impl Iterator<Item = (i64, i64)>,
    size: RunSize,
    visit: &mut dyn FnMut(&mut RowKeys) -> Result<()>,
) -> Result<()> {
    const SELECT: &str = "SELECT row_type, row_id, id FROM main.ps_operations \
        WHERE id BETWEEN ?1 AND ?2 AND (data IS NOT NULL OR removed = 1)";
    let mut select = database.cached(SELECT)?;
    let mut keys = RowKeys::default();
    for (first, last) in ranges {
        let mut rows = select.query(&[first.into(), last.into()])?;
        while let Some(row) = rows.next()? {
            keys.push(row.text(0)?, row.text(1)?, row.integer(2))?;
            if size.is_reached(&keys) {
                visit(&mut keys)?;
                keys.clear();
            }
        }
    }
    visit(&mut keys)
}

/// A stored operation.
#[derive(Debug, Default)]
pub(super) struct StoredOperation {
    /// `ps_operations.id`.
    pub id: i64,
    /// The service's id.
    pub op_id: i64,
    /// Its checksum.
    pub hash: Checksum,
    /// What it does.
    pub kind: Kind,
    has_subkey: bool,
    /// Row type, row id, subkey and data, one after the other.
    text: String,
    /// Where the first three of them end.
    ends: [usize; 3],
}

impl StoredOperation {
    /// The type of its row.
    pub(super) fn row_type(&self) -> &str {
        let [end, ..] = self.ends;
        debug_assert!(self.text.is_char_boundary(end), "a part of another text");
        self.text.get(..end).unwrap_or_default()
    }

    /// The id of its row.
    pub(super) fn row_id(&self) -> &str {
        let [start, end, _] = self.ends;
        debug_assert!(self.text.get(start..end).is_some(), "a part of another text");
        self.text.get(start..end).unwrap_or_default()
    }

    /// What distinguishes operations of one row in a bucket.
    pub(super) fn subkey(&self) -> Option<&str> {
        let [_, start, end] = self.ends;
        self.text.get(start..end).filter(|_| self.has_subkey)
    }

    /// The JSON of a PUT, empty for a REMOVE.
    pub(super) fn data(&self) -> &str {
        let [.., start] = self.ends;
        debug_assert!(self.text.is_char_boundary(start), "a part of another text");
        self.text.get(start..).unwrap_or_default()
    }

    /// Whether both are of the same row.
    fn has_row_of(&self, other: &Self) -> bool {
        self.row_id() == other.row_id() && self.row_type() == other.row_type()
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_row = self.row_type().cmp(other.row_type()).then_with(|| self.row_id().cmp(other.row_id()));
        by_row.then(self.id.cmp(&other.id))
    }
}

/// Operations in the order of their rows, those of a row by id.
pub(super) struct OperationsByRow<'c> {
    select: CachedStatement<'c>,
    runs: Vec<Run>,
    /// Indexes of the runs that have operations left, by their next one: the last run has the first.
    order: Vec<usize>,
}

struct Run {
    /// Its next operation.
    head: StoredOperation,
    /// All of its operations.
    operations: Vec<i64>,
    /// The position of the one after `head`.
    next: usize,
}

impl<'c> OperationsByRow<'c> {
    /// The operations whose ids are in `ranges` (first and last), but for those whose data are elsewhere.
    ///
    /// # Errors
    /// Errors of SQLite; out of memory: 8 bytes for an operation, and some megabytes.
    pub(super) fn new(database: &Database<'c>, ranges: impl Iterator<Item = (i64, i64)>) -> Result<Self> {
        const SELECT: &str = "SELECT row_type, row_id, op_id, hash, removed, subkey, data FROM main.ps_operations \
            WHERE id = ?1";
        let mut operations = Self { select: database.cached(SELECT)?, runs: Vec::new(), order: Vec::new() };
        visit_runs(database, ranges, RunSize::MERGED, &mut |keys| {
            let mut sorted = Vec::new();
            sorted.try_reserve_exact(keys.len())?;
            keys.visit_sorted(&mut |_, _, operation| {
                sorted.push(operation);
                Ok(())
            })?;
            operations.order.try_reserve(1)?;
            operations.runs.try_reserve(1)?;
            operations.order.push(operations.runs.len());
            operations.runs.push(Run { head: StoredOperation::default(), operations: sorted, next: 0 });
            operations.advance()
        })?;
        Ok(operations)
    }

    /// Makes the next operation `next`; false if there is none.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(super) fn take(&mut self, next: &mut StoredOperation) -> Result<bool> {
        let Some(run) = self.order.last().and_then(|index| self.runs.get_mut(*index)) else { return Ok(false) };
        core::mem::swap(&mut run.head, next);
        self.advance()?;
        Ok(true)
    }

    /// Whether the next operation is of the same row as `operation`.
    pub(super) fn goes_on_with_row_of(&self, operation: &StoredOperation) -> bool {
        let next = self.order.last().and_then(|index| self.runs.get(*index));
        next.is_some_and(|run| run.head.has_row_of(operation))
    }

    /// Reads ahead in the last run, and puts it where it belongs then.
    fn advance(&mut self) -> Result<()> {
        let Some(index) = self.order.pop() else {
            debug_assert!(false, "there is no run to read ahead in");
            return Ok(());
        };
        let Some(run) = self.runs.get_mut(index) else {
            debug_assert!(false, "the order has a run that does not exist");
            return Ok(());
        };
        while let Some(id) = run.operations.get(run.next).copied() {
            run.next = run.next.saturating_add(1);
            if !read(&mut self.select, id, &mut run.head)? {
                continue;
            }
            let (runs, Some(run)) = (&self.runs, self.runs.get(index)) else { return Ok(()) };
            let comes_later =
                |other: &usize| runs.get(*other).is_some_and(|other| other.head.compare(&run.head).is_gt());
            // There is room: it was taken out.
            self.order.insert(self.order.partition_point(comes_later), index);
            return Ok(());
        }
        run.operations = Vec::new();
        Ok(())
    }
}

/// Reads an operation; false if it is no longer there.
fn read(select: &mut CachedStatement<'_>, id: i64, operation: &mut StoredOperation) -> Result<bool> {
    let mut rows = select.query(&[id.into()])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let (row_type, row_id, subkey, data) = (row.text(0)?, row.text(1)?, row.optional_text(5)?, row.text(6)?);
    let text = &mut operation.text;
    let length = row_type.len() + row_id.len() + subkey.map_or(0, str::len) + data.len();
    reserve_anew(text, length)?;
    for (part, end) in [row_type, row_id, subkey.unwrap_or_default()].into_iter().zip(&mut operation.ends) {
        text.push_str(part);
        *end = text.len();
    }
    text.push_str(data);
    operation.id = id;
    operation.op_id = row.integer(2);
    operation.hash = Checksum::from_stored(row.integer(3));
    operation.kind = Kind::from_column(row.integer(4));
    operation.has_subkey = subkey.is_some();
    Ok(true)
}
