//! Values that the source has not sent, because they are large and unchanged.
//!
//! They are taken from an earlier change that waits, from what is stored for the row, or from the source. What the source
//! gives may be newer than the stream, so no checkpoint is made before the stream has got there. Values are stored from
//! the first time on that the source has left them out: most tables need no copy of anything.

use super::changes::{ChangedRow, NewRow};
use super::layouts::LayoutId;
use super::stream::Part;
use super::want::RefetchWanted;
use super::{Writer, WriterError};
use crate::row::{RowKey, SourceValue};
use crate::source::Refetched;
use crate::store::TableId;

/// Rows that are read again by key, all of one table.
#[derive(Debug)]
pub(super) struct Refetch {
    pub(super) wanted: RefetchWanted,
    rows: Vec<Incomplete>,
}

/// A change that waits and lacks values.
#[derive(Debug)]
struct Incomplete {
    table: TableId,
    key: RowKey,
    order: u64,
    layout: LayoutId,
    unsent_of: RowKey,
}

impl Writer {
    /// Rows that [`Want::Refetch`](super::Want::Refetch) asked for.
    ///
    /// # Errors
    /// The answer has another number of rows than the question.
    pub fn refetched(&mut self, refetched: Refetched) -> Result<(), WriterError> {
        self.guarded(|writer| {
            let Some(refetch) = writer.refetch.take() else { return Ok(()) };
            if refetch.rows.len() != refetched.rows.len() {
                return Err(WriterError::Source("rows were read by key, and their number is not that of the keys"));
            }
            writer.hold.raise(&refetched.read_at);
            for (incomplete, read) in refetch.rows.into_iter().zip(refetched.rows) {
                let Incomplete { table, key, order, layout, .. } = incomplete;
                let Some(change) = writer.input.change_mut(table, &key, order) else { continue };
                let Some(layout) = writer.layouts.get(layout) else { continue };
                let is_complete = change.row.now_mut().zip(read).is_some_and(|(row, read)| {
                    row.is_by_key = true;
                    row.fill(&layout.bound.used, |at| read.get(at).cloned())
                });
                if !is_complete {
                    // It is gone by now, so its deletion will follow, and no checkpoint is made before.
                    change.row = ChangedRow::Deleted;
                }
            }
            Ok(())
        })
    }

    /// The rows cannot be read, because the table is not what it was when they changed. The table is read again.
    pub fn refetch_failed(&mut self) {
        let Some(refetch) = self.refetch.take() else { return };
        for Incomplete { table, key, order, .. } in refetch.rows {
            let Some(change) = self.input.change_mut(table, &key, order) else { continue };
            change.row = ChangedRow::Unknown;
            let reads = self.layouts.newest(table).map(|(_, layout)| layout.bound.reads.clone());
            self.input.appeared.entry(table).or_default().add(&reads.unwrap_or_default());
        }
        self.table_request = super::tables::TableRequest::Needed;
    }

    /// Completes the rows of what is written next. Gives whether all are complete; else the source is to be asked.
    pub(super) fn complete_rows(&mut self, part: Part) -> Result<bool, WriterError> {
        if self.refetch.is_some() {
            // The answer refers to the question as it is.
            return Ok(false);
        }
        let incomplete = self.incomplete_rows(part);
        if incomplete.is_empty() {
            return Ok(true);
        }
        let stored_under: Vec<(TableId, RowKey)> =
            incomplete.iter().map(|incomplete| (incomplete.table, incomplete.unsent_of.clone())).collect();
        let states = self.store.row_states(&stored_under)?;
        let compared = self.compared_tables();
        let is_settled = self.hold.is_over(self.position.as_ref());
        for (incomplete, state) in incomplete.into_iter().zip(states) {
            let Incomplete { table, key, order, .. } = &incomplete;
            let Some(change) = self.input.change_mut(*table, key, *order) else { continue };
            let Some(layout) = self.layouts.get(incomplete.layout) else { continue };
            let Some(row) = change.row.now_mut() else { continue };
            // What is stored may have been read by the key, later than this change: see `Changes::fill`.
            let is_doubtful = compared.contains(table) || (row.has_moved && !is_settled);
            let stored = |at: usize| {
                let name = layout.column_names.get(at).filter(|_| !is_doubtful)?;
                let (_, value) = state.unsent.iter().find(|(stored, _)| stored == name)?;
                Some(SourceValue::Value(value.clone()))
            };
            // What is stored was perhaps read by the key before.
            row.is_by_key |= !is_settled;
            if row.fill(&layout.bound.used, stored) {
                continue;
            }
            let refetch = self.refetch.get_or_insert_with(|| Refetch {
                wanted: RefetchWanted { table: (*layout.source).clone(), keys: Vec::new() },
                rows: Vec::new(),
            });
            if refetch.rows.first().is_none_or(|first| first.layout == incomplete.layout) {
                refetch.wanted.keys.push(row.key.clone());
                refetch.rows.push(incomplete);
            }
        }
        Ok(self.refetch.is_none())
    }

    /// Rows that lack a value that something reads, in the order of their changes.
    fn incomplete_rows(&self, part: Part) -> Vec<Incomplete> {
        let Some(changes) = self.input.part(part) else { return Vec::new() };
        let mut incomplete = Vec::new();
        for (table, key, change) in changes.iter() {
            let Some((row, layout)) = change.row.now().zip(self.layouts.get(change.layout)) else { continue };
            if row.lacks_any(&layout.bound.used) {
                let (key, unsent_of) = (key.clone(), row.unsent_of.clone());
                let (order, layout) = (change.order, change.layout);
                incomplete.push(Incomplete { table, key, order, layout, unsent_of });
            }
        }
        incomplete.sort_unstable_by_key(|incomplete| incomplete.order);
        incomplete
    }
}

impl NewRow {
    fn lacks_any(&self, used: &[bool]) -> bool {
        self.values.iter().zip(used).any(|(value, used)| *used && matches!(value, SourceValue::Missing))
    }

    /// Fills in missing values of columns that something reads. Others stay missing: a later deploy may read them, while the
    /// row still waits. Gives whether all are there.
    fn fill(&mut self, used: &[bool], value_of: impl Fn(usize) -> Option<SourceValue>) -> bool {
        for (at, (value, used)) in self.values.iter_mut().zip(used).enumerate() {
            if *used
                && matches!(value, SourceValue::Missing)
                && let Some(found) = value_of(at)
            {
                *value = found;
                self.restored.push(at);
            }
        }
        !self.lacks_any(used)
    }
}
