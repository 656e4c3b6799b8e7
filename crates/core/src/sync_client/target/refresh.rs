//! Reading again what is stored of a target's buckets, after another iteration on the file has changed some.

use alloc::vec::Vec;

use rowtide_protocol::Checksum;

use super::{Target, count};
use crate::collections::Index;
use crate::error::Result;
use crate::sync_client::memory::push;
use crate::sync_client::progress::{BucketCounts, ProgressSums};
use crate::sync_client::storage::{BucketId, Storage, StoredBucket};
use crate::sync_client::tracked_buckets::TrackedBucket;

/// What is stored of a target's buckets, about to replace what it knew of them.
pub(crate) struct Refresh {
    found: Vec<(usize, Found)>,
    foreign: Vec<BucketId>,
    changed: Vec<usize>,
    progress: ProgressSums,
    ids: Index,
}

/// One stored bucket of a target.
pub(super) struct Found {
    id: BucketId,
    counts: BucketCounts,
    is_changed: bool,
    is_of_other_request: bool,
}

impl Target {
    /// Reads again what is stored of its buckets; None if what is known of them is not outdated.
    pub(crate) fn prepare_refresh(&self, storage: &mut dyn Storage) -> Result<Option<Refresh>> {
        if !self.is_outdated {
            return Ok(None);
        }
        let mut refresh = Refresh {
            found: Vec::new(),
            foreign: Vec::new(),
            changed: Vec::new(),
            progress: self.progress.emptied()?,
            ids: self.buckets.empty_index()?,
        };
        refresh.found.try_reserve_exact(self.buckets.len())?;
        refresh.changed.try_reserve_exact(self.buckets.len())?;
        storage.visit_buckets(&mut |stored| {
            let slot =
                self.buckets.find(stored.name).and_then(|position| Some((position, self.buckets.get(position)?)));
            if let Some((position, slot)) = slot {
                refresh.found.push((position, Found::new(slot, &stored)));
            }
            let is_listed = slot.is_some_and(|(_, slot)| slot.announced.is_some());
            if !is_listed && stored.is_in_checkpoint {
                push(&mut refresh.foreign, stored.id)?;
            }
            Ok(())
        })?;
        Ok(Some(refresh))
    }

    /// Takes over what was read again.
    pub(crate) fn refresh(&mut self, refresh: Refresh) {
        let Refresh { found, foreign, mut changed, mut progress, ids } = refresh;
        for position in self.changed.drain(..) {
            if let Some(slot) = self.buckets.get_mut(position) {
                slot.is_changed = false;
            }
            self.buckets.free_if_removed(position);
        }
        self.buckets.forget_ids(ids);
        for slot in self.buckets.iter_mut() {
            slot.counts = BucketCounts { count: slot.counts.count, ..BucketCounts::default() };
            slot.is_changed = slot.announced.as_ref().is_some_and(|announced| announced.checksum != Checksum::ZERO);
        }
        for (position, found) in found {
            self.buckets.set_id(position, found.id);
            if let Some(slot) = self.buckets.get_mut(position) {
                found.tell(slot);
            }
        }
        changed.extend(self.buckets.changed_positions());
        for slot in self.buckets.iter() {
            count(&mut progress, slot);
        }
        self.changed = changed;
        self.progress = progress;
        self.foreign = foreign;
        self.is_outdated = false;
    }
}

impl Found {
    /// What is `stored` of the bucket in `slot`.
    pub(super) fn new(slot: &TrackedBucket, stored: &StoredBucket<'_>) -> Self {
        let count = slot.counts.count;
        let is_as_announced = slot.announced.as_ref().is_none_or(|announced| {
            stored.is_settled
                && stored.checksum == announced.checksum
                && stored.count_since_last == 0
                && count.is_none_or(|count| count == stored.count_at_last)
        });
        Self {
            id: stored.id,
            counts: BucketCounts { count, at_last: stored.count_at_last, since_last: stored.count_since_last },
            is_changed: !is_as_announced,
            is_of_other_request: stored.is_of_other_request,
        }
    }

    /// Makes it known.
    pub(super) fn tell(self, slot: &mut TrackedBucket) {
        slot.counts = self.counts;
        slot.is_changed = self.is_changed;
        slot.is_of_other_request = self.is_of_other_request;
    }
}
