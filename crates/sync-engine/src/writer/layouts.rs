//! The tables whose rows are evaluated, with the columns that they had when their rows came.

use std::collections::BTreeMap;
use std::sync::Arc;

use siphasher::sip::SipHasher13;
use std::hash::Hasher;

use super::checksums::Subkeys;
use super::programs::{BoundPrograms, Programs};
use crate::row::{RowKey, SourceTable, SourceValue};
use crate::store::TableId;
use sync_config::{Settings, Value};

/// Number of a layout while the writer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LayoutId(usize);

/// A table with its columns at some time, bound to the programs.
#[derive(Debug)]
pub(super) struct TableLayout {
    pub(super) table: TableId,
    pub(super) source: Arc<SourceTable>,
    pub(super) bound: BoundPrograms,
    pub(super) subkeys: Subkeys,
    /// Names of columns, as values that were not sent again are stored under.
    pub(super) column_names: Vec<u32>,
}

/// All layouts. Rows that wait refer to theirs, so none is removed.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    all: Vec<TableLayout>,
    newest: BTreeMap<TableId, LayoutId>,
}

impl Layouts {
    /// The layout of a table with these columns, which are its newest ones from now on.
    pub(super) fn add(&mut self, table: TableId, source: &SourceTable, programs: &Programs) -> LayoutId {
        let is_same = |layout: &TableLayout| layout.table == table && *layout.source == *source;
        if let Some(at) = self.all.iter().position(is_same) {
            self.newest.insert(table, LayoutId(at));
            return LayoutId(at);
        }
        let id = LayoutId(self.all.len());
        self.all.push(TableLayout {
            table,
            source: Arc::new(source.clone()),
            bound: programs.bind(source),
            subkeys: Subkeys::new(table, &source.physical_id),
            column_names: source.columns.iter().map(|column| short_name(&column.name)).collect(),
        });
        self.newest.insert(table, id);
        id
    }

    pub(super) fn get(&self, id: LayoutId) -> Option<&TableLayout> {
        self.all.get(id.0)
    }

    pub(super) fn newest(&self, table: TableId) -> Option<(LayoutId, &TableLayout)> {
        let id = self.newest.get(&table)?;
        Some((*id, self.get(*id)?))
    }

    /// The number that a column of a layout has in another one of the same table.
    pub(super) fn column_before(&self, layout: LayoutId, at: usize, before: LayoutId) -> Option<usize> {
        if layout == before {
            return Some(at);
        }
        let name = self.get(layout)?.column_names.get(at)?;
        self.get(before)?.column_names.iter().position(|other| other == name)
    }

    /// Binds everything to other programs.
    pub(super) fn bind(&mut self, programs: &Programs) {
        for layout in &mut self.all {
            layout.bound = programs.bind(&layout.source);
        }
    }
}

impl TableLayout {
    /// The values that identify a row; none if the source has not sent them. They do not depend on a configuration.
    pub(super) fn key_values(&self, row: &[SourceValue]) -> Option<Vec<Value>> {
        let settings = Settings::default();
        self.source.key.iter().map(|column| row.get(*column)?.to_value(&settings)).collect()
    }

    /// The key of a row; none if the source has not sent it.
    pub(super) fn key(&self, row: &[SourceValue]) -> Option<RowKey> {
        self.key_values(row).map(|values| RowKey::new(&values))
    }
}

/// A number for a column that stays when others are added or removed.
fn short_name(name: &str) -> u32 {
    let mut hasher = SipHasher13::new_with_keys(0, 1);
    hasher.write(name.as_bytes());
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
