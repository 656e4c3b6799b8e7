//! The checkpoint that is being downloaded: its buckets with what is held of them, and which of them have to be looked
//! at when it completes.
//!
//! A `checkpoint` line builds it, which costs time for every bucket. Everything later costs time only for what it
//! names: a `checkpoint_diff` and a data line change it in place. Changes come in two steps, so that a failing call
//! leaves nothing behind: one that can fail and gets all memory, and one that cannot fail.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::{HashMap, HashSet};

use super::instruction::BucketChange;
use super::memory::{copy, out_of_memory};
use super::progress::{BucketCounts, ProgressSums};
use crate::error::Result;
use crate::protocol::{
    BucketChecksum, Checkpoint, CheckpointDiff, Checksum, Priority, StreamDescription, SubscriptionReason,
    SubscriptionReference,
};
use crate::storage::{BucketId, Storage, StoredBucket, StoredLine};

/// A bucket of the checkpoint.
#[derive(Debug, Clone)]
pub struct TrackedBucket {
    /// The stored bucket, None while nothing of it is held.
    pub id: Option<BucketId>,
    /// What its operations sum up to when all are downloaded.
    pub checksum: Checksum,
    /// How urgently it is published.
    pub priority: Priority,
    counts: BucketCounts,
    reasons: Box<[SubscriptionReason]>,
}

impl TrackedBucket {
    /// Operations announced by the checkpoint.
    pub fn count(&self) -> Option<i64> {
        self.counts.count
    }
}

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
    buckets: HashMap<Box<str>, TrackedBucket>,
    /// The priorities of stored buckets of the checkpoint.
    priorities: HashMap<BucketId, Priority>,
    /// The buckets that a full publish has to look at: they received data, or what the checkpoint wants of them
    /// changed, or they were not yet part of a full checkpoint.
    changed: HashSet<Box<str>>,
    /// Buckets outside the checkpoint that received data nevertheless: a later change may add them.
    strays: HashMap<Box<str>, (BucketId, BucketCounts)>,
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
    updated: Vec<UpdatedBucket>,
}

struct UpdatedBucket {
    name: Box<str>,
    name_in_changed: Box<str>,
    bucket: TrackedBucket,
}

/// Memory for the name of a bucket that is about to receive data, if that has to be remembered.
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
            buckets: HashMap::new(),
            priorities: HashMap::new(),
            changed: HashSet::new(),
            strays: HashMap::new(),
        };
        target.buckets.try_reserve(line.buckets.len()).map_err(out_of_memory)?;
        for bucket in line.buckets {
            // An empty bucket is held without being stored.
            if bucket.checksum != Checksum::ZERO {
                target.mark_changed(bucket.bucket)?;
            }
            target.buckets.insert(copy(bucket.bucket)?, TrackedBucket::new(bucket, None, BucketCounts::default()));
        }
        let (mut obsolete, mut shrunk) = (Vec::new(), Vec::new());
        storage.visit_buckets(&mut |stored| target.meet(stored, &mut obsolete, &mut shrunk))?;
        target.priorities.try_reserve(target.buckets.len()).map_err(out_of_memory)?;
        for bucket in target.buckets.values() {
            target.progress.add(bucket.priority, &bucket.counts, &bucket.reasons);
            if let Some(id) = bucket.id {
                target.priorities.insert(id, bucket.priority);
            }
        }
        Ok(LoadedTarget { target, obsolete, shrunk })
    }

    /// Takes over what is stored of a bucket, while loading.
    fn meet(
        &mut self,
        stored: StoredBucket<'_>,
        obsolete: &mut Vec<Box<str>>,
        shrunk: &mut Vec<BucketId>,
    ) -> Result<()> {
        let Some(bucket) = self.buckets.get_mut(stored.name) else {
            obsolete.try_reserve(1)?;
            obsolete.push(copy(stored.name)?);
            return Ok(());
        };
        bucket.id = Some(stored.id);
        bucket.counts.at_last = stored.count_at_last;
        bucket.counts.since_last = stored.count_since_last;
        let is_changed = !stored.is_settled
            || stored.checksum != bucket.checksum
            || stored.count_since_last != 0
            || bucket.counts.count.is_some_and(|count| count != stored.count_at_last);
        if bucket.counts.has_shrunk() {
            shrunk.try_reserve(1)?;
            shrunk.push(stored.id);
            bucket.reset_counts();
        }
        if is_changed {
            self.mark_changed(stored.name)?;
        } else {
            self.changed.remove(stored.name);
        }
        Ok(())
    }

    fn mark_changed(&mut self, name: &str) -> Result<()> {
        if !self.changed.contains(name) {
            self.changed.try_reserve(1).map_err(out_of_memory)?;
            self.changed.insert(copy(name)?);
        }
        Ok(())
    }

    /// Prepares the change that `diff` asks for.
    pub fn prepare_diff<'l>(&mut self, diff: CheckpointDiff<'l>) -> Result<PreparedDiff<'l>> {
        let mut removed = HashSet::new();
        removed.try_reserve(diff.removed_buckets.len()).map_err(out_of_memory)?;
        removed.extend(diff.removed_buckets.iter().copied());
        let mut latest = HashMap::new();
        latest.try_reserve(diff.updated_buckets.len()).map_err(out_of_memory)?;
        latest.extend(diff.updated_buckets.iter().enumerate().map(|(index, bucket)| (bucket.bucket, index)));

        let (mut updated, mut shrunk) = (Vec::new(), Vec::new());
        updated.try_reserve_exact(latest.len())?;
        for (index, bucket) in diff.updated_buckets.into_iter().enumerate() {
            let name = bucket.bucket;
            if latest.get(name) != Some(&index) {
                continue;
            }
            let (id, counts) = if removed.contains(name) { Default::default() } else { self.held(name) };
            let mut bucket = TrackedBucket::new(bucket, id, counts);
            if bucket.counts.has_shrunk() {
                bucket.reset_counts();
                shrunk.try_reserve(1)?;
                shrunk.extend(id);
            }
            updated.push(UpdatedBucket { name: copy(name)?, name_in_changed: copy(name)?, bucket });
        }
        self.buckets.try_reserve(updated.len()).map_err(out_of_memory)?;
        self.priorities.try_reserve(updated.len()).map_err(out_of_memory)?;
        self.changed.try_reserve(updated.len()).map_err(out_of_memory)?;
        Ok(PreparedDiff {
            removed: diff.removed_buckets,
            shrunk,
            last_op_id: diff.last_op_id,
            write_checkpoint: diff.write_checkpoint,
            updated,
        })
    }

    /// What is held of a bucket, which need not be part of the checkpoint.
    fn held(&self, name: &str) -> (Option<BucketId>, BucketCounts) {
        match (self.buckets.get(name), self.strays.get(name)) {
            (Some(bucket), _) => (bucket.id, bucket.counts),
            (None, Some((id, counts))) => (Some(*id), *counts),
            (None, None) => (None, BucketCounts::default()),
        }
    }

    /// Makes a prepared change.
    pub fn apply_diff(&mut self, diff: PreparedDiff<'_>) {
        self.last_op_id = diff.last_op_id;
        self.write_checkpoint = diff.write_checkpoint;
        for name in diff.removed {
            self.remove(name);
            self.changed.remove(name);
        }
        for UpdatedBucket { name, name_in_changed, bucket } in diff.updated {
            self.remove(&name);
            self.progress.add(bucket.priority, &bucket.counts, &bucket.reasons);
            if let Some(id) = bucket.id {
                self.priorities.insert(id, bucket.priority);
            }
            self.buckets.insert(name, bucket);
            self.changed.insert(name_in_changed);
        }
    }

    fn remove(&mut self, name: &str) {
        self.strays.remove(name);
        if let Some(bucket) = self.buckets.remove(name) {
            self.progress.subtract(bucket.priority, &bucket.counts, &bucket.reasons);
            if let Some(id) = bucket.id {
                self.priorities.remove(&id);
            }
        }
    }

    /// Gets the memory to note that the bucket called `name` receives data.
    pub fn reserve_for_data(&mut self, name: &str) -> Result<DataReservation> {
        self.priorities.try_reserve(1).map_err(out_of_memory)?;
        let is_noted = if self.buckets.contains_key(name) {
            self.changed.try_reserve(1).map_err(out_of_memory)?;
            self.changed.contains(name)
        } else {
            self.strays.try_reserve(1).map_err(out_of_memory)?;
            self.strays.contains_key(name)
        };
        Ok(DataReservation { name: if is_noted { None } else { Some(copy(name)?) } })
    }

    /// Notes that the bucket called `name` received data. Returns whether it is part of the checkpoint.
    pub fn receive(&mut self, name: &str, stored: &StoredLine, reservation: DataReservation) -> bool {
        let Some(bucket) = self.buckets.get_mut(name) else {
            if let Some(name) = reservation.name {
                self.strays.insert(name, (stored.bucket, BucketCounts::default()));
            }
            if let Some((_, counts)) = self.strays.get_mut(name) {
                counts.since_last = counts.since_last.saturating_add(stored.new_operations);
            }
            return false;
        };
        self.progress.subtract(bucket.priority, &bucket.counts, &bucket.reasons);
        bucket.counts.since_last = bucket.counts.since_last.saturating_add(stored.new_operations);
        self.progress.add(bucket.priority, &bucket.counts, &bucket.reasons);
        bucket.id = Some(stored.bucket);
        self.priorities.insert(stored.bucket, bucket.priority);
        self.changed.extend(reservation.name);
        true
    }

    /// The buckets that a publish up to `limit` (None: a full one) has to look at, stored ones first and by id.
    pub fn changed(&self, limit: Option<Priority>) -> Result<Vec<(&str, &TrackedBucket)>> {
        let mut changed = Vec::new();
        changed.try_reserve_exact(self.changed.len())?;
        let tracked = self.changed.iter().filter_map(|name| Some((&**name, self.buckets.get(name)?)));
        changed.extend(tracked.filter(|(_, bucket)| limit.is_none_or(|limit| bucket.priority <= limit)));
        changed.sort_unstable_by_key(|(name, bucket)| (bucket.id.is_none(), bucket.id, *name));
        Ok(changed)
    }

    /// Whether a stored bucket is part of the checkpoint, with a priority up to `limit`.
    pub fn involves(&self, id: BucketId, limit: Priority) -> bool {
        self.priorities.get(&id).is_some_and(|priority| *priority <= limit)
    }

    /// Notes that the checkpoint was published as a whole.
    pub fn settle(&mut self) {
        for name in self.changed.drain() {
            let Some(bucket) = self.buckets.get_mut(&name) else { continue };
            self.progress.subtract(bucket.priority, &bucket.counts, &bucket.reasons);
            bucket.counts = bucket.counts.settled();
            self.progress.add(bucket.priority, &bucket.counts, &bucket.reasons);
        }
    }

    /// The progress of the bucket called `name`, for developer tools.
    pub fn bucket_change(&self, name: &str) -> Result<Option<BucketChange>> {
        let Some(bucket) = self.buckets.get(name) else { return Ok(None) };
        Ok(Some(BucketChange { name: copy(name)?, progress: bucket.counts.report(bucket.priority) }))
    }

    /// The progress of all buckets by name, for developer tools.
    pub fn bucket_changes(&self) -> Result<Box<[BucketChange]>> {
        let mut changes = Vec::new();
        changes.try_reserve_exact(self.buckets.len())?;
        for (name, bucket) in &self.buckets {
            changes.push(BucketChange { name: copy(name)?, progress: bucket.counts.report(bucket.priority) });
        }
        changes.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(changes.into_boxed_slice())
    }
}

impl TrackedBucket {
    fn new(announced: BucketChecksum<'_>, id: Option<BucketId>, held: BucketCounts) -> Self {
        let mut reasons = announced.subscriptions;
        reasons.sort_unstable_by_key(|reason| match *reason {
            SubscriptionReason::Default(index) => (0, index),
            SubscriptionReason::Subscription(index) => (1, index),
        });
        reasons.dedup();
        Self {
            id,
            checksum: announced.checksum,
            priority: announced.priority,
            counts: BucketCounts { count: announced.count, ..held },
            reasons: reasons.into_boxed_slice(),
        }
    }

    fn reset_counts(&mut self) {
        self.counts = BucketCounts { count: self.counts.count, ..BucketCounts::default() };
    }
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
            for bucket in self.buckets.values() {
                progress.add(bucket.priority, &bucket.counts, &bucket.reasons);
            }
            assert_eq!(self.progress, progress);
            let stored = self.buckets.values().filter_map(|bucket| Some((bucket.id?, bucket.priority)));
            assert_eq!(self.priorities, stored.collect());
            for name in &self.changed {
                assert!(self.buckets.contains_key(name), "{name} changed, but is not part of the checkpoint");
            }
            for name in self.strays.keys() {
                assert!(!self.buckets.contains_key(name), "{name} is part of the checkpoint");
            }
        }

        /// All buckets: name, stored bucket and checksum.
        pub fn all_buckets(&self) -> impl Iterator<Item = (&str, Option<BucketId>, Checksum)> {
            self.buckets.iter().map(|(name, bucket)| (&**name, bucket.id, bucket.checksum))
        }
    }
}
