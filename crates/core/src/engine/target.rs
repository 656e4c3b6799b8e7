//! The checkpoint that is being downloaded: its buckets with what is held of them, and which of them have to be looked
//! at when it completes.
//!
//! A `checkpoint` line builds it, which costs time for every bucket. Everything later costs time only for what it
//! names: a `checkpoint_diff` and a data line change it in place. Changes come in two steps, so that a failing call
//! leaves nothing behind: one that can fail and gets all memory, and one that cannot fail.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::instruction::BucketChange;
use super::memory::copy;
use super::progress::{BucketCounts, ProgressSums};
use super::slots::{Announced, Slot, Slots};
use crate::collections::sort_by;
use crate::error::Result;
use crate::protocol::{
    BucketChecksum, Checkpoint, CheckpointDiff, Checksum, Priority, StreamDescription, SubscriptionReference,
};
use crate::storage::{BucketId, Storage, StoredBucket, StoredLine};

/// A stream that is part of the checkpoint.
#[derive(Debug)]
pub struct DescribedStream {
    /// Its name.
    pub name: Box<str>,
    /// Whether clients get it without subscribing.
    pub is_default: bool,
    /// What went wrong when the service evaluated it.
    pub errors: Box<[(SubscriptionReference, Box<str>)]>,
}

/// A checkpoint, and what is held of it.
#[derive(Debug)]
pub struct Target {
    /// The operation that the checkpoint stands for.
    pub last_op_id: i64,
    /// The write checkpoint that it includes.
    pub write_checkpoint: Option<i64>,
    /// Its streams.
    pub streams: Box<[DescribedStream]>,
    /// Sums over its buckets.
    pub progress: ProgressSums,
    /// Its buckets, and others that received data nevertheless: a later change may add them.
    slots: Slots,
    /// Positions of the buckets that a full publish has to look at: they received data, or what the checkpoint wants
    /// of them changed, or they were not yet part of a full checkpoint. Some may have been removed meanwhile.
    changed: Vec<usize>,
}

/// A bucket that has to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct ChangedTarget<'t> {
    /// Its name.
    pub name: &'t str,
    /// The stored bucket, None while nothing of it is held.
    pub id: Option<BucketId>,
    /// What its operations have to sum up to.
    pub checksum: Checksum,
    /// Operations announced.
    pub count: Option<i64>,
}

/// A target made of a checkpoint line, and what has to follow in storage.
pub struct LoadedTarget {
    /// The target.
    pub target: Target,
    /// Stored buckets that are not part of it.
    pub obsolete: Vec<Box<str>>,
    /// Stored buckets whose counters were reset.
    pub shrunk: Vec<BucketId>,
}

/// A change to a target that can no longer fail, and what has to precede it in storage.
pub struct PreparedDiff<'l> {
    /// Buckets to remove.
    pub removed: Vec<&'l str>,
    /// Stored buckets whose counters are reset.
    pub shrunk: Vec<BucketId>,
    last_op_id: i64,
    write_checkpoint: Option<i64>,
    updated: Vec<Slot>,
}

/// Memory for the name of a bucket that is about to receive data, if it is a new one.
pub struct DataReservation {
    name: Option<Box<str>>,
}

impl Target {
    /// The target of a checkpoint `line`, with what `storage` holds of its buckets. `subscriptions` is the number of
    /// subscriptions in the request.
    pub fn load(line: Checkpoint<'_>, subscriptions: usize, storage: &mut dyn Storage) -> Result<LoadedTarget> {
        let mut target = Self {
            last_op_id: line.last_op_id,
            write_checkpoint: line.write_checkpoint,
            progress: ProgressSums::new(line.streams.len(), subscriptions)?,
            streams: describe(line.streams)?,
            slots: Slots::default(),
            changed: Vec::new(),
        };
        target.slots.reserve(line.buckets.len())?;
        target.changed.try_reserve_exact(line.buckets.len())?;
        for bucket in line.buckets {
            let slot = new_slot(copy(bucket.bucket)?, bucket, None, BucketCounts::default());
            // An empty bucket is held without being stored.
            let is_changed = slot.announced.as_ref().is_some_and(|announced| announced.checksum != Checksum::ZERO);
            let position = target.slots.put(slot);
            target.set_changed(position, is_changed);
        }
        let (mut obsolete, mut shrunk) = (Vec::new(), Vec::new());
        storage.visit_buckets(&mut |stored| target.meet(stored, &mut obsolete, &mut shrunk))?;
        target.changed.extend(target.slots.changed_positions());
        for slot in target.slots.iter() {
            count(&mut target.progress, slot);
        }
        Ok(LoadedTarget { target, obsolete, shrunk })
    }

    /// While loading only the mark matters.
    fn set_changed(&mut self, position: usize, is_changed: bool) {
        if let Some(slot) = self.slots.get_mut(position) {
            slot.is_changed = is_changed;
        }
    }

    /// Takes over what is stored of a bucket, while loading.
    fn meet(
        &mut self,
        stored: StoredBucket<'_>,
        obsolete: &mut Vec<Box<str>>,
        shrunk: &mut Vec<BucketId>,
    ) -> Result<()> {
        let Some(position) = self.slots.find(stored.name) else {
            obsolete.try_reserve(1)?;
            obsolete.push(copy(stored.name)?);
            return Ok(());
        };
        self.slots.set_id(position, stored.id);
        let Some(Slot { counts, is_changed, announced: Some(announced), .. }) = self.slots.get_mut(position) else {
            return Ok(());
        };
        counts.at_last = stored.count_at_last;
        counts.since_last = stored.count_since_last;
        *is_changed = !stored.is_settled
            || stored.checksum != announced.checksum
            || stored.count_since_last != 0
            || counts.count.is_some_and(|count| count != stored.count_at_last);
        if counts.has_shrunk() {
            shrunk.try_reserve(1)?;
            shrunk.push(stored.id);
            counts.reset();
        }
        Ok(())
    }

    /// Prepares the change that `diff` asks for.
    pub fn prepare_diff<'l>(&mut self, diff: CheckpointDiff<'l>) -> Result<PreparedDiff<'l>> {
        self.slots.mark_all(&diff.removed_buckets);
        let (mut updated, mut shrunk) = (Vec::new(), Vec::new());
        updated.try_reserve_exact(diff.updated_buckets.len())?;
        for bucket in diff.updated_buckets {
            // A bucket that is removed and announced at once starts over.
            let held = self.slots.find(bucket.bucket).and_then(|position| self.slots.get(position));
            let held = held.filter(|slot| !self.slots.is_marked(slot));
            let (id, counts) = held.map_or_else(Default::default, |slot| (slot.id, slot.counts));
            let mut slot = new_slot(copy(bucket.bucket)?, bucket, id, counts);
            if slot.counts.has_shrunk() {
                slot.counts.reset();
                shrunk.try_reserve(1)?;
                shrunk.extend(id);
            }
            updated.push(slot);
        }
        self.slots.reserve(updated.len())?;
        self.changed.try_reserve(updated.len())?;
        Ok(PreparedDiff {
            removed: diff.removed_buckets,
            shrunk,
            last_op_id: diff.last_op_id,
            write_checkpoint: diff.write_checkpoint,
            updated,
        })
    }

    /// Makes a prepared change.
    pub fn apply_diff(&mut self, diff: PreparedDiff<'_>) {
        self.last_op_id = diff.last_op_id;
        self.write_checkpoint = diff.write_checkpoint;
        for name in diff.removed {
            if let Some(slot) = self.slots.remove(name) {
                uncount(&mut self.progress, &slot);
            }
        }
        for slot in diff.updated {
            if let Some(before) = self.slots.find(&slot.name).and_then(|position| self.slots.get(position)) {
                uncount(&mut self.progress, before);
            }
            count(&mut self.progress, &slot);
            let position = self.slots.put(slot);
            self.mark_changed(position);
        }
    }

    /// Notes that a bucket has to be looked at; there is room for it.
    fn mark_changed(&mut self, position: usize) {
        if let Some(slot) = self.slots.get_mut(position)
            && !core::mem::replace(&mut slot.is_changed, true)
        {
            self.changed.push(position);
        }
    }

    /// Gets the memory to note that the bucket called `name` receives data.
    pub fn reserve_for_data(&mut self, name: &str) -> Result<DataReservation> {
        self.slots.reserve(1)?;
        self.changed.try_reserve(1)?;
        Ok(DataReservation { name: if self.slots.find(name).is_some() { None } else { Some(copy(name)?) } })
    }

    /// Notes that the bucket called `name` received data. Returns whether it is part of the checkpoint.
    pub fn receive(&mut self, name: &str, stored: &StoredLine, reservation: DataReservation) -> bool {
        if let Some(name) = reservation.name {
            self.slots.put(Slot::unannounced(name));
        }
        let Some(position) = self.slots.find(name) else { return false };
        self.slots.set_id(position, stored.bucket);
        let Some(slot) = self.slots.get_mut(position) else { return false };
        uncount(&mut self.progress, slot);
        slot.counts.since_last = slot.counts.since_last.saturating_add(stored.new_operations);
        count(&mut self.progress, slot);
        let is_announced = slot.announced.is_some();
        if is_announced {
            self.mark_changed(position);
        }
        is_announced
    }

    /// The buckets that a publish up to `limit` (None: a full one) has to look at.
    pub fn changed(&self, limit: Option<Priority>) -> impl Iterator<Item = ChangedTarget<'_>> {
        self.changed.iter().filter_map(move |position| {
            let slot = self.slots.get(*position)?;
            let Announced { checksum, priority, .. } = slot.announced.as_ref()?;
            let is_included = limit.is_none_or(|limit| *priority <= limit);
            let target = ChangedTarget { name: &slot.name, id: slot.id, checksum: *checksum, count: slot.counts.count };
            is_included.then_some(target)
        })
    }

    /// Whether a stored bucket is part of the checkpoint, with a priority up to `limit`.
    pub fn involves(&self, id: BucketId, limit: Priority) -> bool {
        let slot = self.slots.find_id(id).and_then(|position| self.slots.get(position));
        slot.and_then(|slot| slot.announced.as_ref()).is_some_and(|announced| announced.priority <= limit)
    }

    /// Notes that the checkpoint was published as a whole.
    pub fn settle(&mut self) {
        for position in self.changed.drain(..) {
            let Some(slot) = self.slots.get_mut(position) else { continue };
            slot.is_changed = false;
            uncount(&mut self.progress, slot);
            slot.counts = slot.counts.settled();
            count(&mut self.progress, slot);
            self.slots.free_if_removed(position);
        }
    }

    /// The progress of the bucket called `name`, for developer tools.
    pub fn bucket_change(&self, name: &str) -> Result<Option<BucketChange>> {
        let slot = self.slots.find(name).and_then(|position| self.slots.get(position));
        slot.and_then(bucket_change).transpose()
    }

    /// The progress of all buckets by name, for developer tools.
    pub fn bucket_changes(&self) -> Result<Box<[BucketChange]>> {
        let mut changes = Vec::new();
        for change in self.slots.iter().filter_map(bucket_change) {
            changes.try_reserve(1)?;
            changes.push(change?);
        }
        sort_by(&mut changes, |left: &BucketChange, right| left.name.cmp(&right.name));
        Ok(changes.into_boxed_slice())
    }
}

/// Counts a bucket in, if it is part of the checkpoint.
fn count(progress: &mut ProgressSums, slot: &Slot) {
    if let Some(Announced { priority, reasons, .. }) = &slot.announced {
        progress.add(*priority, &slot.counts, reasons);
    }
}

/// Takes a bucket out that was counted in.
fn uncount(progress: &mut ProgressSums, slot: &Slot) {
    if let Some(Announced { priority, reasons, .. }) = &slot.announced {
        progress.subtract(*priority, &slot.counts, reasons);
    }
}

fn bucket_change(slot: &Slot) -> Option<Result<BucketChange>> {
    let priority = slot.announced.as_ref()?.priority;
    Some(copy(&slot.name).map(|name| BucketChange { name, progress: slot.counts.report(priority) }))
}

fn new_slot(name: Box<str>, bucket: BucketChecksum<'_>, id: Option<BucketId>, held: BucketCounts) -> Slot {
    let BucketChecksum { checksum, priority, count, subscriptions, .. } = bucket;
    let announced = Announced { checksum, priority, reasons: subscriptions.into_boxed_slice() };
    Slot::new(name, id, BucketCounts { count, ..held }, Some(announced))
}

fn describe(streams: Vec<StreamDescription<'_>>) -> Result<Box<[DescribedStream]>> {
    let mut described = Vec::new();
    described.try_reserve_exact(streams.len())?;
    for stream in streams {
        let mut errors = Vec::new();
        errors.try_reserve_exact(stream.errors.len())?;
        for error in stream.errors {
            errors.push((error.subscription, copy(error.message)?));
        }
        described.push(DescribedStream {
            name: copy(stream.name)?,
            is_default: stream.is_default,
            errors: errors.into_boxed_slice(),
        });
    }
    Ok(described.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Target {
        /// Asserts what has to hold between the parts of a target at any time.
        pub fn assert_consistent(&self) {
            let mut progress = ProgressSums::new(self.streams.len(), self.progress.subscriptions()).unwrap();
            self.slots.iter().for_each(|slot| count(&mut progress, slot));
            assert_eq!(self.progress.figures(), progress.figures());
            self.slots.assert_consistent(&self.changed);
        }

        /// All buckets: name, stored bucket and checksum.
        pub fn all_buckets(&self) -> impl Iterator<Item = (&str, Option<BucketId>, Checksum)> {
            self.slots.iter().filter_map(|slot| Some((&*slot.name, slot.id, slot.announced.as_ref()?.checksum)))
        }
    }
}
