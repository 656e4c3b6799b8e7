//! Counts the operations that were written, for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Writer;
use super::batch::BatchBuilder;
use crate::live::DefinitionId;

/// Operations of each definition, and what names of its buckets begin with. Definitions that are deleted stay.
#[derive(Debug, Default)]
pub(super) struct Written(BTreeMap<DefinitionId, (Arc<str>, u64)>);

/// Operations of one batch.
pub(super) type Counts = BTreeMap<DefinitionId, u64>;

/// What the batch writes. It must be complete.
pub(super) fn count(builder: &BatchBuilder) -> Counts {
    let mut counts = Counts::new();
    for change in &builder.batch.buckets {
        if let Some((definition, _)) = builder.changed_buckets.get(&change.bucket) {
            let count = counts.entry(*definition).or_default();
            *count = count.saturating_add_signed(change.count);
        }
    }
    counts
}

impl Writer {
    /// How many operations were written since the writer was made: for each definition what names of its buckets begin
    /// with, and a number.
    pub fn operations_written(&self) -> impl Iterator<Item = (&str, u64)> {
        self.written.0.values().map(|(prefix, count)| (&**prefix, *count))
    }

    /// Notes what was committed.
    pub(super) fn note_written(&mut self, counts: Counts) {
        for (definition, added) in counts {
            let prefix = || {
                let record = self.model.definitions.get(&definition);
                (record.map_or_else(|| definition.0.to_string(), |record| record.name_prefix.clone()).into(), 0)
            };
            let (_, count) = self.written.0.entry(definition).or_insert_with(prefix);
            *count = count.saturating_add(added);
        }
    }
}
