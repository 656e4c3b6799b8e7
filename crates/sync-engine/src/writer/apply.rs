//! Evaluates rows and writes what has changed, with few questions to the store.

use std::collections::HashSet;
use std::sync::Arc;

use sync_config::Value;

use super::batch::BatchBuilder;
use super::layouts::LayoutId;
use super::programs::{Content, Evaluated};
use super::rows::{RowTarget, Scope};
use super::{Writer, WriterError};
use crate::live::DefinitionId;
use crate::row::{RowKey, SourceValue};
use crate::store::{RowState, TableId};

/// A row as it came.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) table: TableId,
    pub(super) key: RowKey,
    pub(super) layout: LayoutId,
    /// None if it was deleted.
    pub(super) values: Option<Vec<SourceValue>>,
    /// Columns that the source has not sent with the row.
    pub(super) restored: Vec<usize>,
}

/// Where rows come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin<'a> {
    /// Changes, for all definitions and indexes.
    Stream,
    /// A snapshot for this content.
    Snapshot(&'a Content),
    /// A snapshot of rows that are there already.
    Comparison(&'a Content),
}

impl<'a> Origin<'a> {
    fn content(self) -> Option<&'a Content> {
        match self {
            Self::Stream => None,
            Self::Snapshot(content) | Self::Comparison(content) => Some(content),
        }
    }
}

impl Writer {
    pub(super) fn begin_batch(&self) -> BatchBuilder {
        BatchBuilder::new(self.model.next_op_id, self.model.next_ids)
    }

    /// Adds to the batch what the rows change. Each row at most once in a batch.
    pub(super) fn write_rows(
        &mut self,
        builder: &mut BatchBuilder,
        rows: Vec<Incoming>,
        origin: Origin<'_>,
    ) -> Result<(), WriterError> {
        let keys: Vec<(TableId, RowKey)> = rows.iter().map(|row| (row.table, row.key.clone())).collect();
        let states = self.store.row_states(&keys)?;
        debug_assert_eq!(states.len(), rows.len(), "a state for each row");
        let mut targets = Vec::with_capacity(rows.len());
        for (row, state) in rows.into_iter().zip(states) {
            if let Some(target) = self.target(row, &state, origin) {
                targets.push((target, state));
            }
        }
        self.find_buckets(builder, targets.iter().map(|(target, _)| target))?;
        let live = self.model.live();
        let only = origin.content();
        for (target, state) in targets {
            target.write(state, Scope { live: &live, only }, builder);
        }
        Ok(())
    }

    fn target(&mut self, row: Incoming, before: &RowState, origin: Origin<'_>) -> Option<RowTarget> {
        let Incoming { table, key, layout, values, restored } = row;
        let layout = self.layouts.get(layout)?;
        let subkey = layout.subkeys.of(&key);
        let (mut evaluated, mut unsent) = (Evaluated::default(), Vec::new());
        if let Some(values) = values {
            evaluated = self.programs.evaluate(&layout.bound, &values);
            match origin {
                Origin::Stream => unsent = kept_values(&layout.column_names, &values, &restored, before),
                // A snapshot may be ahead of the stream, whose later changes refer to what it sent itself.
                Origin::Snapshot(_) => unsent.clone_from(&before.unsent),
                // What was stored before the comparison may be wrong.
                Origin::Comparison(_) => {}
            }
        }
        self.problems.count(&evaluated);
        Some(RowTarget { table, key, subkey, evaluated, unsent })
    }

    fn find_buckets<'a>(
        &mut self,
        builder: &mut BatchBuilder,
        targets: impl Iterator<Item = &'a RowTarget>,
    ) -> Result<(), WriterError> {
        let mut seen = HashSet::new();
        let mut keys: Vec<(DefinitionId, Arc<str>)> = Vec::new();
        for (definition, entry) in targets.flat_map(|target| &target.evaluated.entries) {
            if !builder.knows_bucket(*definition, &entry.key) && seen.insert((*definition, &entry.key)) {
                keys.push((*definition, Arc::clone(&entry.key)));
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let found = self.store.find_buckets(&keys)?;
        for ((definition, key), bucket) in keys.iter().zip(found) {
            builder.know_bucket(*definition, key, bucket);
        }
        Ok(())
    }
}

/// Values of columns that the source has left out at least once: it will do so again.
fn kept_values(names: &[u32], values: &[SourceValue], restored: &[usize], before: &RowState) -> Vec<(u32, Value)> {
    let was_kept = |name: u32| before.unsent.iter().any(|(kept, _)| *kept == name);
    let mut kept = Vec::new();
    for (at, (name, value)) in names.iter().zip(values).enumerate() {
        if let SourceValue::Value(value @ (Value::Text(_) | Value::Blob(_))) = value
            && (restored.contains(&at) || was_kept(*name))
        {
            kept.push((*name, value.clone()));
        }
    }
    kept
}
