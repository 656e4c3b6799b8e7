//! Removes all rows of a table, in as many batches as it takes.

use super::batch::BatchBuilder;
use super::changes::Changes;
use super::checksums::Subkeys;
use super::programs::{Content, Evaluated};
use super::rows::{RowTarget, Scope};
use super::{Writer, WriterError};
use crate::row::RowKey;
use crate::store::{RowState, TableId};

/// Rows that are read at once.
const ROWS: usize = 1_000;

impl Writer {
    /// Removes the rows of a table, but for those that `later` changes. Nothing of it is visible before the batch that
    /// the builder holds at the end is written.
    pub(super) fn clear_table(
        &mut self,
        builder: &mut BatchBuilder,
        table: TableId,
        later: &Changes,
        now: i64,
    ) -> Result<(), WriterError> {
        let mut after: Option<RowKey> = None;
        loop {
            let rows = self.store.rows_of_table(table, after.as_ref(), ROWS)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = Some(last.clone());
            let rows = rows.into_iter().filter(|(key, _)| !later.contains(table, key));
            self.remove_rows(builder, table, rows, None);
            if builder.size() >= self.options.max_changes {
                let part = std::mem::replace(builder, self.begin_batch());
                self.commit_part(part, now)?;
                *builder = self.begin_batch();
            }
        }
    }

    /// Adds the removal of rows to a batch.
    pub(super) fn remove_rows(
        &self,
        builder: &mut BatchBuilder,
        table: TableId,
        rows: impl Iterator<Item = (RowKey, RowState)>,
        only: Option<&Content>,
    ) {
        let Some(record) = self.model.tables.get(&table) else { return };
        let subkeys = Subkeys::new(table, &record.table.physical_id);
        let live = self.model.live();
        for (key, state) in rows {
            let subkey = subkeys.of(&key);
            let (evaluated, unsent) = (Evaluated::default(), Vec::new());
            RowTarget { table, key, subkey, evaluated, unsent }.write(state, Scope { live: &live, only }, builder);
        }
    }
}
