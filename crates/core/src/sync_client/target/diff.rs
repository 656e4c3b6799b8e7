//! What a `checkpoint_diff` makes of a checkpoint.

use alloc::vec::Vec;

use rowtide_protocol::CheckpointDiff;

use super::{Target, count, new_tracked_bucket, uncount};
use crate::collections::{Index, Key};
use crate::error::Result;
use crate::sync_client::memory::{copy, push};
use crate::sync_client::others::KeptBuckets;
use crate::sync_client::progress::ProgressSums;
use crate::sync_client::storage::BucketId;
use crate::sync_client::tracked_buckets::TrackedBucket;

/// A change of the buckets that is about to be made, and what has to precede it in storage.
pub(crate) struct PreparedDiff<'l> {
    /// Buckets to delete.
    pub deleted: Vec<&'l str>,
    /// Stored buckets whose counters are reset.
    pub shrunk: Vec<BucketId>,
    /// The sums over buckets afterwards.
    pub progress: ProgressSums,
    /// Stored buckets that are removed from the checkpoint only.
    pub(super) foreign: Vec<BucketId>,
    last_op_id: i64,
    write_checkpoint: Option<i64>,
    removed: Vec<&'l str>,
    removed_names: Index,
    /// Each bucket once.
    pub(super) updated: Vec<TrackedBucket>,
    updated_names: Index,
}

impl Target {
    /// Prepares the change that `diff` asks for. Buckets that are `kept` are removed from the checkpoint only;
    /// `is_ahead` says whether a bucket holds more than a checkpoint of that `last_op_id` counts.
    pub(crate) fn prepare_diff<'l>(
        &self,
        diff: CheckpointDiff<'l>,
        kept: KeptBuckets,
        is_ahead: &mut dyn FnMut(BucketId) -> Result<bool>,
    ) -> Result<PreparedDiff<'l>> {
        let removed_names = Index::of(diff.removed_buckets.len(), &text_at(&diff.removed_buckets))?;
        let mut prepared = PreparedDiff {
            progress: self.progress.copy()?,
            last_op_id: diff.last_op_id,
            write_checkpoint: diff.write_checkpoint,
            removed_names,
            removed: diff.removed_buckets,
            deleted: Vec::new(),
            foreign: Vec::new(),
            shrunk: Vec::new(),
            updated: Vec::new(),
            updated_names: Index::default(),
        };
        for (position, name) in prepared.removed.iter().enumerate() {
            let is_first = prepared.removed_names.find(Key::Name(name), &text_at(&prepared.removed)) == Some(position);
            let slot = self.buckets.by_name(name);
            if is_first && let Some(slot) = slot {
                uncount(&mut prepared.progress, slot);
            }
            match slot {
                Some(slot) if kept.include(slot.is_of_other_request) => {
                    prepared.foreign.try_reserve(1)?;
                    prepared.foreign.extend(slot.id);
                }
                // Somebody else has it then, if anybody.
                None if kept != KeptBuckets::None => {}
                _ => push(&mut prepared.deleted, *name)?,
            }
        }
        prepared.updated.try_reserve_exact(diff.updated_buckets.len())?;
        prepared.updated_names.reserve(diff.updated_buckets.len())?;
        for bucket in diff.updated_buckets {
            // A bucket that is removed and announced at once starts over.
            let held = self.buckets.by_name(bucket.bucket).filter(|slot| !prepared.removes(&slot.name));
            let (id, counts) = held.map_or_else(Default::default, |slot| (slot.id, slot.counts));
            let mut slot = new_tracked_bucket(copy(bucket.bucket)?, bucket, id, counts);
            let has_shrunk = slot.counts.has_shrunk();
            // Another iteration may have stored more than the checkpoint counts.
            if has_shrunk && !id.map_or(Ok(false), &mut *is_ahead)? {
                slot.counts.reset();
                prepared.shrunk.try_reserve(1)?;
                prepared.shrunk.extend(id);
            }
            prepared.update(slot, held);
        }
        Ok(prepared)
    }

    /// Makes a prepared change; there is room for it.
    pub(crate) fn apply_diff(&mut self, diff: PreparedDiff<'_>) {
        self.last_op_id = diff.last_op_id;
        self.write_checkpoint = diff.write_checkpoint;
        self.foreign.extend(diff.foreign);
        for name in diff.removed {
            self.buckets.remove(name);
        }
        for slot in diff.updated {
            let position = self.buckets.put(slot);
            self.mark_changed(position);
        }
        self.progress = diff.progress;
    }
}

impl PreparedDiff<'_> {
    /// Takes up what a bucket becomes that is `held`; there is room for it.
    fn update(&mut self, slot: TrackedBucket, held: Option<&TrackedBucket>) {
        let known = self.updated_names.find(Key::Name(&slot.name), &name_at(&self.updated));
        count(&mut self.progress, &slot);
        match known.and_then(|position| self.updated.get_mut(position)) {
            // It is listed twice.
            Some(before) => {
                uncount(&mut self.progress, before);
                *before = slot;
            }
            None => {
                if let Some(held) = held {
                    uncount(&mut self.progress, held);
                }
                self.updated_names.insert(Key::Name(&slot.name), self.updated.len());
                self.updated.push(slot);
            }
        }
    }

    fn removes(&self, name: &str) -> bool {
        self.removed_names.find(Key::Name(name), &text_at(&self.removed)).is_some()
    }

    /// Whether it is about the bucket with that name.
    pub(super) fn concerns(&self, name: &str) -> bool {
        self.removes(name) || self.updated_names.find(Key::Name(name), &name_at(&self.updated)).is_some()
    }
}

fn text_at<'t>(texts: &'t [&str]) -> impl Fn(usize) -> Key<'t> {
    |position| {
        debug_assert!(position < texts.len(), "the index is of other names");
        Key::Name(texts.get(position).copied().unwrap_or_default())
    }
}

fn name_at<'s>(buckets: &'s [TrackedBucket]) -> impl Fn(usize) -> Key<'s> {
    |position| {
        debug_assert!(position < buckets.len(), "the index is of other buckets");
        Key::Name(buckets.get(position).map_or("", |slot| &slot.name))
    }
}
