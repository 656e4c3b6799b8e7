//! Row changes that wait for a batch: of each row the newest version only, since no checkpoint shows the others.

use std::collections::{BTreeSet, HashMap};

use sync_config::Value;

use super::layouts::{LayoutId, Layouts};
use crate::row::{RowKey, SourceValue};
use crate::store::TableId;

/// Changes of one or more source transactions.
#[derive(Debug, Default)]
pub(super) struct Changes {
    rows: HashMap<(TableId, RowKey), Change>,
    /// Tables that lost all rows before the changes of `rows`.
    pub(super) truncated: BTreeSet<TableId>,
    /// Tables that do not exist any more.
    pub(super) dropped: BTreeSet<TableId>,
    /// Row changes, counting each.
    pub(super) count: usize,
    /// Bytes of values, about.
    pub(super) bytes: usize,
}

/// The newest version of a row.
#[derive(Debug)]
pub(super) struct Change {
    /// Changes are written in this order.
    pub(super) order: u64,
    pub(super) layout: LayoutId,
    pub(super) row: ChangedRow,
}

/// What a row is.
#[derive(Debug)]
pub(super) enum ChangedRow {
    Now(NewRow),
    Deleted,
    /// It is there, but its values cannot be found out. The table is read again, and until then it counts as deleted.
    Unknown,
}

impl ChangedRow {
    pub(super) fn now(&self) -> Option<&NewRow> {
        if let Self::Now(row) = self { Some(row) } else { None }
    }

    pub(super) fn now_mut(&mut self) -> Option<&mut NewRow> {
        if let Self::Now(row) = self { Some(row) } else { None }
    }
}

/// A row as it is now.
#[derive(Clone, Debug)]
pub(super) struct NewRow {
    pub(super) values: Vec<SourceValue>,
    /// Values of the key columns.
    pub(super) key: Vec<Value>,
    /// The key under which values are stored that the source has not sent.
    pub(super) unsent_of: RowKey,
    /// Columns whose values the source has not sent with the newest change.
    pub(super) restored: Vec<usize>,
    /// Whether any of these may have been read from the source by the key, at a position that the stream had not reached.
    pub(super) is_by_key: bool,
    /// Whether the row has had another key, perhaps before other changes that wait.
    pub(super) has_moved: bool,
}

impl Changes {
    pub(super) fn put(&mut self, table: TableId, key: RowKey, change: Change) {
        self.count += 1;
        self.bytes += key.0.len() + change.row.now().map_or(0, |row| size(&row.values));
        self.rows.insert((table, key), change);
    }

    /// All rows of a table are gone.
    pub(super) fn truncate(&mut self, table: TableId) {
        self.rows.retain(|(of, _), _| *of != table);
        self.truncated.insert(table);
    }

    pub(super) fn contains(&self, table: TableId, key: &RowKey) -> bool {
        self.rows.contains_key(&(table, key.clone()))
    }

    /// Values that the source has not sent again may be in an earlier change that waits.
    pub(super) fn fill(&self, table: TableId, layout: LayoutId, row: &mut NewRow, layouts: &Layouts) {
        if !row.is_incomplete() {
            return;
        }
        let Some(change) = self.rows.get(&(table, row.unsent_of.clone())) else { return };
        let Some(earlier) = change.row.now() else { return };
        // What was read by a key may be of another row, which got the key when this row got another one.
        let is_doubtful = |at: usize| row.has_moved && earlier.is_by_key && earlier.restored.contains(&at);
        for (at, value) in row.values.iter_mut().enumerate().filter(|(_, value)| matches!(value, SourceValue::Missing))
        {
            let Some(before) = layouts.column_before(layout, at, change.layout) else { continue };
            match earlier.values.get(before) {
                None | Some(SourceValue::Missing) => {}
                Some(_) if is_doubtful(before) => {}
                Some(found) => {
                    *value = found.clone();
                    row.restored.push(at);
                }
            }
        }
        row.unsent_of = earlier.unsent_of.clone();
        row.has_moved |= earlier.has_moved;
        row.is_by_key |= earlier.is_by_key;
    }

    /// Adds later changes.
    pub(super) fn append(&mut self, mut later: Changes, layouts: &Layouts) {
        // While these changes wait, what is stored is as before them.
        for ((table, _), change) in &mut later.rows {
            let layout = change.layout;
            if let Some(row) = change.row.now_mut() {
                self.fill(*table, layout, row, layouts);
            }
        }
        for table in later.truncated.union(&later.dropped) {
            self.rows.retain(|(of, _), _| of != table);
        }
        self.truncated.extend(later.truncated);
        self.dropped.extend(later.dropped);
        self.count += later.count;
        self.bytes += later.bytes;
        if self.rows.is_empty() {
            self.rows = later.rows;
        } else {
            self.rows.extend(later.rows);
        }
    }

    /// Rows in the order of their newest changes.
    pub(super) fn take_rows(&mut self) -> Vec<(TableId, RowKey, Change)> {
        let mut rows: Vec<(TableId, RowKey, Change)> =
            self.rows.drain().map(|((table, key), change)| (table, key, change)).collect();
        rows.sort_unstable_by_key(|(_, _, change)| change.order);
        rows
    }

    /// Rows in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TableId, &RowKey, &Change)> {
        self.rows.iter().map(|((table, key), change)| (*table, key, change))
    }

    pub(super) fn get_mut(&mut self, table: TableId, key: &RowKey) -> Option<&mut Change> {
        self.rows.get_mut(&(table, key.clone()))
    }
}

impl NewRow {
    pub(super) fn is_incomplete(&self) -> bool {
        self.values.iter().any(|value| matches!(value, SourceValue::Missing))
    }
}

/// Bytes of values, about.
pub(super) fn size(row: &[SourceValue]) -> usize {
    let of_value = |value: &Value| match value {
        Value::Null | Value::Integer(_) | Value::Real(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
    };
    let of = |value: &SourceValue| match value {
        SourceValue::Value(value) => of_value(value),
        SourceValue::Timestamp { text, .. } => text.len(),
        SourceValue::Custom { raw, structured } => raw.len() + of_value(structured),
        SourceValue::Missing => 0,
    };
    row.iter().map(|value| of(value) + 16).sum()
}
