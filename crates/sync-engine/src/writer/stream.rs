//! Events of the source's stream: which table a row is of, and which changes belong to one transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::{Change, ChangedRow, Changes, NewRow};
use super::layouts::LayoutId;
use super::programs::Content;
use super::{Writer, WriterError, tables};
use crate::row::{Position, RowKey, SourceTable};
use crate::source::{RowChange, SourceEvent};
use crate::store::TableId;

/// What has come and is not written.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Tables by their numbers in the stream.
    relations: BTreeMap<u32, Relation>,
    /// Of transactions that are complete.
    complete: Changes,
    /// Where `complete` ends.
    end: Option<End>,
    /// Of the transaction that is not complete.
    open: Changes,
    /// Whether the store has a part of a transaction whose end is not in the store.
    pub(super) is_partly_written: bool,
    /// Whether that is the transaction of `open`, so that its end has not come.
    is_open_cut: bool,
    /// Tables whose records are to be written: new ones, and those with other columns. For which definitions and indexes
    /// their rows are read.
    pub(super) appeared: BTreeMap<TableId, Content>,
    /// Generations of tables that others replaced.
    pub(super) replaced: BTreeSet<TableId>,
    /// Generations that the stream has named.
    pub(super) seen: BTreeSet<TableId>,
    /// Generations that others may replace, if the open transaction ends behind this position.
    pub(super) doubtful: BTreeMap<TableId, Position>,
    next_order: u64,
}

/// A table as the stream names it.
#[derive(Debug)]
struct Relation {
    source: SourceTable,
    /// None if no configuration reads it.
    layout: Option<LayoutId>,
}

/// The end of a transaction, or an idle source.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) position: Position,
    /// When the newest transaction was committed, if there is one.
    pub(super) time: Option<i64>,
}

/// What is to be written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Whole transactions.
    Complete,
    /// The beginning of a large one.
    Open,
    Nothing,
}

impl Input {
    pub(super) fn end_position(&self) -> Option<&Position> {
        self.end.as_ref().map(|end| &end.position)
    }

    /// Which changes are written next. A transaction is cut only if it is too large to wait for its end.
    pub(super) fn next_part(&self, is_too_large: impl Fn(&Changes) -> bool) -> Part {
        if self.end.is_some() {
            Part::Complete
        } else if is_too_large(&self.open) {
            Part::Open
        } else {
            Part::Nothing
        }
    }

    pub(super) fn part(&self, part: Part) -> Option<&Changes> {
        match part {
            Part::Complete => Some(&self.complete),
            Part::Open => Some(&self.open),
            Part::Nothing => None,
        }
    }

    pub(super) fn take(&mut self, part: Part) -> (Changes, Option<End>) {
        match part {
            Part::Complete => (std::mem::take(&mut self.complete), self.end.take()),
            Part::Open => {
                (self.is_partly_written, self.is_open_cut) = (true, true);
                (std::mem::take(&mut self.open), None)
            }
            Part::Nothing => (Changes::default(), None),
        }
    }

    /// Changes and bytes that wait.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.complete.count + self.open.count, self.complete.bytes + self.open.bytes)
    }

    /// The change of a row, if no other one has followed.
    pub(super) fn change_mut(&mut self, table: TableId, key: &RowKey, order: u64) -> Option<&mut Change> {
        let changes = self.complete.get_mut(table, key).into_iter().chain(self.open.get_mut(table, key));
        changes.into_iter().find(|change| change.order == order)
    }

    pub(super) fn is_being_dropped(&self, table: TableId) -> bool {
        self.complete.dropped.contains(&table) || self.open.dropped.contains(&table)
    }

    fn layout(&self, number: u32) -> Result<Option<LayoutId>, WriterError> {
        let relation = self.relations.get(&number);
        Ok(relation.ok_or(WriterError::Source("a row is of a table that the stream has not named"))?.layout)
    }
}

impl Writer {
    /// Takes events of the stream, in order. They are evaluated by [`Writer::flush`].
    ///
    /// # Errors
    /// The events contradict each other.
    pub fn push(&mut self, events: Vec<SourceEvent>) -> Result<(), WriterError> {
        self.guarded(|writer| events.into_iter().try_for_each(|event| writer.event(event)))
    }

    /// Whether so much has come that it is time to flush.
    pub fn is_full(&self) -> bool {
        let (changes, bytes) = self.input.size();
        changes >= self.options.max_changes || bytes >= self.options.max_bytes
    }

    /// The stream has ended. The next one begins at [`Writer::position`].
    pub fn stream_ended(&mut self) {
        self.input.relations.clear();
        self.input.seen.clear();
        self.input.doubtful.clear();
        self.input.open = Changes::default();
        if std::mem::take(&mut self.input.is_open_cut) {
            // The next stream gives the transaction again, before it reaches what is the source's head now.
            self.input.is_partly_written = false;
            self.hold = super::hold::Hold::UntilHead;
            self.table_request = tables::TableRequest::Needed;
        }
    }

    pub(super) fn too_large(&self) -> impl Fn(&Changes) -> bool + use<> {
        let options = self.options;
        move |changes| changes.count >= options.max_changes || changes.bytes >= options.max_bytes
    }

    fn event(&mut self, event: SourceEvent) -> Result<(), WriterError> {
        match event {
            SourceEvent::Relation { number, table } => {
                let layout = self.follow(&table);
                if let Some(id) = layout.and_then(|layout| self.layouts.get(layout)).map(|layout| layout.table) {
                    self.replace_others(id, &table);
                }
                self.input.relations.insert(number, Relation { source: table, layout });
            }
            SourceEvent::Begin => {}
            SourceEvent::Row(change) => self.row_changed(change)?,
            SourceEvent::Truncate(numbers) => {
                for number in numbers {
                    if let Some(table) = self.input.layout(number)?.and_then(|id| self.layouts.get(id)) {
                        self.input.open.truncate(table.table);
                    }
                }
            }
            SourceEvent::Dropped(number) => {
                let relation = self.input.relations.remove(&number);
                let layout = relation.and_then(|relation| relation.layout).and_then(|id| self.layouts.get(id));
                if let Some(layout) = layout {
                    self.input.open.truncate(layout.table);
                    self.input.open.dropped.insert(layout.table);
                }
            }
            SourceEvent::Commit { position, time } => self.transaction_ended(position, time)?,
            SourceEvent::Idle { position } => {
                if self.reached().is_none_or(|before| *before < position) {
                    self.complete_until(End { position, time: None });
                }
            }
        }
        Ok(())
    }

    fn transaction_ended(&mut self, position: Position, time: Option<i64>) -> Result<(), WriterError> {
        if self.reached().is_none_or(|before| *before < position) {
            self.complete_until(End { position, time });
        } else if self.input.is_open_cut {
            return Err(WriterError::Source("a transaction came again that was complete before"));
        } else {
            self.input.doubtful.clear();
            self.input.open = Changes::default();
        }
        Ok(())
    }

    fn complete_until(&mut self, end: End) {
        self.end_doubt(&end.position);
        let open = std::mem::take(&mut self.input.open);
        self.input.is_open_cut = false;
        self.input.complete.append(open, &self.layouts);
        let time = end.time.or(self.input.end.as_ref().and_then(|before| before.time));
        self.input.end = Some(End { time, ..end });
    }

    fn row_changed(&mut self, change: RowChange) -> Result<(), WriterError> {
        let Some(layout_id) = self.input.layout(change.table)? else { return Ok(()) };
        let Some(layout) = self.layouts.get(layout_id) else { return Ok(()) };
        let table = layout.table;
        if !self.model.is_live_table(table) || self.input.open.dropped.contains(&table) {
            return Ok(());
        }
        let old_key = change.old_key.map(|values| RowKey::new(&values));
        let Some(values) = change.row else {
            let key = old_key.ok_or(WriterError::Source("a row was deleted, but its key is missing"))?;
            self.put_change(table, key, layout_id, ChangedRow::Deleted);
            return Ok(());
        };
        if values.len() != layout.source.columns.len() {
            return Err(WriterError::Source("a row has another number of values than its table has columns"));
        }
        let key = layout.key_values(&values);
        let key_values = key.ok_or(WriterError::Source("a row was written, but a value of its key is missing"))?;
        let key = RowKey::new(&key_values);
        let unsent_of = old_key.clone().unwrap_or_else(|| key.clone());
        let has_moved = unsent_of != key;
        let restored = Vec::new();
        let mut row = NewRow { values, key: key_values, unsent_of, restored, is_by_key: false, has_moved };
        self.input.open.fill(table, layout_id, &mut row, &self.layouts);
        if let Some(old_key) = old_key.filter(|old_key| *old_key != key) {
            self.put_change(table, old_key, layout_id, ChangedRow::Deleted);
        }
        self.put_change(table, key, layout_id, ChangedRow::Now(row));
        Ok(())
    }

    fn put_change(&mut self, table: TableId, key: RowKey, layout: LayoutId, row: ChangedRow) {
        let order = self.input.next_order;
        self.input.next_order += 1;
        self.input.open.put(table, key, Change { order, layout, row });
    }

    /// Looks up all tables of the stream again, because other configurations are followed. What the source does not have any
    /// more is not followed if it was not before: nobody needs its rows.
    pub(super) fn follow_relations(&mut self) {
        let numbers: Vec<u32> = self.input.relations.keys().copied().collect();
        for number in numbers {
            let Some(source) = self.input.relations.get(&number).map(|relation| relation.source.clone()) else {
                continue;
            };
            let layout = if self.is_followed(&source) { self.follow(&source) } else { None };
            if let Some(relation) = self.input.relations.get_mut(&number) {
                relation.layout = layout;
            }
        }
    }
}
