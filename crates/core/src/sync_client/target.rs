//! The checkpoint that is being downloaded: its buckets with what is held of them, and which of them have to be looked
//! at when it completes.
//!
//! A `checkpoint` line builds it, which costs time for every bucket. Everything later costs time only for what it
//! names: a `checkpoint_diff` and a data line change it in place. Changes come in two steps, so that a failing call
//! leaves nothing behind: one that prepares the change and can fail, and one that makes it and cannot fail, once
//! [`Target::reserve`] has got the memory.
//!
//! What it knows of stored buckets is *outdated* once another iteration has changed some. A data line
//! is not affected. Whatever needs more than one bucket refreshes it first, which again costs time for every bucket.

mod diff;
mod refresh;

use alloc::boxed::Box;
use alloc::vec::Vec;

use rowtide_protocol::{BucketChecksum, Checkpoint, Checksum, Priority, StreamDescription, SubscriptionReference};

use crate::collections::sort_by;
use crate::error::Result;

pub(super) use diff::PreparedDiff;

use refresh::Found;

use super::change::PhaseChange;
use super::instruction::BucketChange;
use super::memory::{copy, push};
use super::progress::{BucketCounts, ProgressSums};
use super::tracked_buckets::{Announced, TrackedBucket, TrackedBuckets};
use crate::sync_client::storage::{BucketId, Storage, StoredBucket, StoredLine};

/// A stream that is part of the checkpoint.
#[derive(Debug)]
pub(super) struct DescribedStream {
    /// Its name.
    pub name: Box<str>,
    /// Whether clients get it without subscribing.
    pub is_default: bool,
    /// What went wrong when the service evaluated it.
    pub errors: Box<[(SubscriptionReference, Box<str>)]>,
}

/// A checkpoint, and what is held of it.
#[derive(Debug)]
pub(super) struct Target {
    /// The last operation of the checkpoint.
    pub last_op_id: i64,
    /// The write checkpoint that it includes.
    pub write_checkpoint: Option<i64>,
    /// Its streams.
    pub streams: Box<[DescribedStream]>,
    /// Sums over its buckets.
    pub progress: ProgressSums,
    /// Its buckets, and others that received data nevertheless: a later change may add them.
    buckets: TrackedBuckets,
    /// What is known of stored buckets may no longer be so.
    is_outdated: bool,
    /// Stored buckets that are not part of it, but may be taken as part of full checkpoints.
    foreign: Vec<BucketId>,
    /// Positions of the buckets that a full publish has to look at: they received data, or what the checkpoint wants
    /// of them changed, or they were not yet part of a full checkpoint. Some may have been removed meanwhile.
    changed: Vec<usize>,
}

/// A bucket that has to be checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangedTarget<'t> {
    /// Its name.
    pub name: &'t str,
    /// The stored bucket, None while nothing of it is held.
    pub id: Option<BucketId>,
    /// What its operations have to sum up to.
    pub checksum: Checksum,
    /// Operations announced.
    pub count: Option<i64>,
    /// The newest operation that the service takes as received.
    pub position: i64,
}

/// A target made of a checkpoint line, and what has to follow in storage.
pub(super) struct LoadedTarget {
    /// The target.
    pub target: Target,
    /// Stored buckets that are not part of it.
    pub unlisted: Vec<UnlistedBucket>,
    /// Stored buckets whose counters were reset.
    pub shrunk: Vec<BucketId>,
}

/// A stored bucket that is not part of a checkpoint.
pub(super) struct UnlistedBucket {
    /// Its name.
    pub name: Box<str>,
    /// Where it is stored.
    pub id: BucketId,
    /// Whether it was made by an iteration with another request.
    pub is_of_other_request: bool,
}

/// That a bucket received data.
pub(super) struct Receipt {
    /// The sums over buckets afterwards; None if this one is not part of the checkpoint.
    pub progress: Option<ProgressSums>,
    /// Whether operations of the checkpoint were stored that were not there.
    pub is_new: bool,
    bucket: Receiver,
    /// Where it is stored; None if the data were not.
    id: Option<BucketId>,
    /// The newest operation received.
    position: i64,
    counts: BucketCounts,
}

/// A bucket that receives data.
enum Receiver {
    /// At this position.
    Known(usize),
    /// Met for the first time.
    New(Box<str>),
}

impl Target {
    /// The target of a checkpoint `line`, with what `storage` holds of its buckets. `subscriptions` is the number of
    /// subscriptions in the request, `received` says up to which operation the service takes a bucket as received.
    pub(super) fn load(
        line: Checkpoint<'_>,
        subscriptions: usize,
        received: &dyn Fn(&str) -> i64,
        storage: &mut dyn Storage,
    ) -> Result<LoadedTarget> {
        let mut target = Self {
            last_op_id: line.last_op_id,
            write_checkpoint: line.write_checkpoint,
            progress: ProgressSums::new(line.streams.len(), subscriptions)?,
            streams: describe(line.streams)?,
            buckets: TrackedBuckets::default(),
            is_outdated: false,
            foreign: Vec::new(),
            changed: Vec::new(),
        };
        target.buckets.reserve(line.buckets.len())?;
        target.changed.try_reserve_exact(line.buckets.len())?;
        for bucket in line.buckets {
            let mut bucket = new_tracked_bucket(copy(bucket.bucket)?, bucket, None, BucketCounts::default());
            bucket.position = received(&bucket.name);
            // An empty bucket is held without being stored.
            let is_changed = bucket.announced.as_ref().is_some_and(|announced| announced.checksum != Checksum::ZERO);
            let position = target.buckets.put(bucket);
            target.set_changed(position, is_changed);
        }
        let (mut unlisted, mut shrunk) = (Vec::new(), Vec::new());
        storage.visit_buckets(&mut |stored| target.merge_stored(stored, &mut unlisted, &mut shrunk))?;
        target.changed.extend(target.buckets.changed_positions());
        for bucket in target.buckets.iter() {
            count(&mut target.progress, bucket);
        }
        Ok(LoadedTarget { target, unlisted, shrunk })
    }

    /// While loading only the mark matters.
    fn set_changed(&mut self, position: usize, is_changed: bool) {
        if let Some(bucket) = self.buckets.get_mut(position) {
            bucket.is_changed = is_changed;
        }
    }

    /// Takes over what is stored of a bucket, while loading.
    fn merge_stored(
        &mut self,
        stored: StoredBucket<'_>,
        unlisted: &mut Vec<UnlistedBucket>,
        shrunk: &mut Vec<BucketId>,
    ) -> Result<()> {
        let last_op_id = self.last_op_id;
        let Some(position) = self.buckets.find(stored.name) else {
            let StoredBucket { name, id, is_of_other_request, .. } = stored;
            return push(unlisted, UnlistedBucket { name: copy(name)?, id, is_of_other_request });
        };
        self.buckets.set_id(position, stored.id);
        let Some(bucket) = self.buckets.get_mut(position) else { return Ok(()) };
        Found::new(bucket, &stored).tell(bucket);
        // Another iteration may have stored more than the checkpoint counts.
        let is_ahead = stored.last_op > bucket.position.max(last_op_id);
        if bucket.counts.has_shrunk() && !is_ahead {
            push(shrunk, stored.id)?;
            bucket.counts.reset();
        }
        Ok(())
    }

    /// Notes that a stored bucket stays, although it is not part of the checkpoint.
    pub(super) fn add_foreign(&mut self, id: BucketId) -> Result<()> {
        push(&mut self.foreign, id)
    }

    /// Stored buckets that are not part of the checkpoint, but may be taken as part of full ones.
    pub(super) fn foreign(&self) -> &[BucketId] {
        &self.foreign
    }

    /// Notes that another iteration has changed stored buckets.
    pub(super) fn set_outdated(&mut self) {
        self.is_outdated = true;
    }

    /// Up to which operation the service takes a bucket as received.
    pub(super) fn position(&self, name: &str) -> i64 {
        self.buckets.by_name(name).map_or(0, |bucket| bucket.position)
    }

    /// Makes room for a change.
    pub(super) fn reserve(&mut self, change: &PhaseChange<'_>) -> Result<()> {
        let buckets = match change {
            PhaseChange::Diff(diff) => {
                self.foreign.try_reserve(diff.foreign.len())?;
                diff.updated.len()
            }
            PhaseChange::Receive(_) => 1,
            PhaseChange::Begin(_) | PhaseChange::Wait(_) | PhaseChange::Publish(_) => return Ok(()),
        };
        self.buckets.reserve(buckets)?;
        Ok(self.changed.try_reserve(buckets)?)
    }

    /// Notes that a bucket has to be checked; there is room for it.
    fn mark_changed(&mut self, position: usize) {
        if let Some(bucket) = self.buckets.get_mut(position)
            && !core::mem::replace(&mut bucket.is_changed, true)
        {
            self.changed.push(position);
        }
    }

    /// Prepares to note that the bucket called `name` received data up to an operation; None if they were not stored,
    /// because what they continue is gone.
    pub(super) fn prepare_receipt(&self, name: &str, last_op: i64, stored: Option<&StoredLine>) -> Result<Receipt> {
        let position = self.buckets.find(name);
        let bucket = position.and_then(|position| self.buckets.get(position));
        let mut counts = bucket.map_or_else(BucketCounts::default, |bucket| bucket.counts);
        if let Some(stored) = stored {
            (counts.at_last, counts.since_last) = (stored.count_at_last, stored.count_since_last);
        }
        let received = bucket.map_or(0, |bucket| bucket.position).max(last_op);
        let progress = match bucket.filter(|bucket| bucket.announced.is_some()) {
            Some(bucket) => {
                let mut progress = self.progress.copy()?;
                recount(&mut progress, bucket, &counts);
                Some(progress)
            }
            None => None,
        };
        let bucket = match position {
            Some(position) => Receiver::Known(position),
            None => Receiver::New(copy(name)?),
        };
        // Refreshing finds out where buckets are. Until then ids that are known may be those of others.
        let id = stored.filter(|_| !self.is_outdated).map(|stored| stored.bucket);
        let is_new = progress.is_some() && stored.is_some_and(|stored| stored.new_operations > 0);
        Ok(Receipt { progress, is_new, bucket, id, position: received, counts })
    }

    /// Notes that a bucket received data; there is room for it.
    pub(super) fn receive(&mut self, receipt: Receipt) {
        let position = match receipt.bucket {
            Receiver::Known(position) => position,
            Receiver::New(name) => self.buckets.put(TrackedBucket::unannounced(name)),
        };
        if let Some(id) = receipt.id {
            self.buckets.set_id(position, id);
        }
        if let Some(bucket) = self.buckets.get_mut(position) {
            bucket.counts = receipt.counts;
            bucket.position = receipt.position;
        }
        if let Some(progress) = receipt.progress {
            self.progress = progress;
            self.mark_changed(position);
        }
    }

    /// The buckets that a publish up to `limit` (None: a full one) has to look at.
    pub(super) fn changed(&self, limit: Option<Priority>) -> impl Iterator<Item = ChangedTarget<'_>> {
        self.changed.iter().filter_map(move |position| {
            let bucket = self.buckets.get(*position)?;
            let Announced { checksum, priority, .. } = bucket.announced.as_ref()?;
            let is_included = limit.is_none_or(|limit| *priority <= limit);
            let (id, count, position) = (bucket.id, bucket.counts.count, bucket.position);
            let target = ChangedTarget { name: &bucket.name, id, checksum: *checksum, count, position };
            is_included.then_some(target)
        })
    }

    /// Whether a stored bucket is part of the checkpoint, with a priority up to `limit`.
    pub(super) fn involves(&self, id: BucketId, limit: Priority) -> bool {
        let bucket = self.buckets.find_id(id).and_then(|position| self.buckets.get(position));
        bucket.and_then(|bucket| bucket.announced.as_ref()).is_some_and(|announced| announced.priority <= limit)
    }

    /// Whether a bucket is part of the checkpoint, with a priority up to `limit`.
    pub(super) fn lists(&self, name: &str, limit: Priority) -> bool {
        let bucket = self.buckets.by_name(name);
        bucket.and_then(|bucket| bucket.announced.as_ref()).is_some_and(|announced| announced.priority <= limit)
    }

    /// The sums over buckets after the checkpoint was published as a whole.
    pub(super) fn settled_progress(&self) -> Result<ProgressSums> {
        let mut progress = self.progress.copy()?;
        for bucket in self.changed.iter().filter_map(|position| self.buckets.get(*position)) {
            recount(&mut progress, bucket, &bucket.counts.settled());
        }
        Ok(progress)
    }

    /// Notes that the checkpoint was published as a whole; `progress` is from [`Self::settled_progress`].
    pub(super) fn settle(&mut self, progress: ProgressSums) {
        for position in self.changed.drain(..) {
            let Some(bucket) = self.buckets.get_mut(position) else { continue };
            bucket.is_changed = false;
            bucket.counts = bucket.counts.settled();
            self.buckets.free_if_removed(position);
        }
        self.foreign.clear();
        self.progress = progress;
    }

    /// The progress of the bucket called `name`, which receives data, for developer tools.
    pub(super) fn bucket_change(&self, name: &str, receipt: &Receipt) -> Result<Option<BucketChange>> {
        let bucket = self.buckets.by_name(name);
        bucket.and_then(|bucket| bucket_change(bucket, &receipt.counts)).transpose()
    }

    /// The progress of all buckets by name, after `diff` if there is one, for developer tools.
    pub(super) fn bucket_changes(&self, diff: Option<&PreparedDiff<'_>>) -> Result<Box<[BucketChange]>> {
        let kept = self.buckets.iter().filter(|bucket| !diff.is_some_and(|diff| diff.concerns(&bucket.name)));
        let updated = diff.into_iter().flat_map(|diff| &diff.updated);
        let mut changes = Vec::new();
        for change in kept.chain(updated).filter_map(|bucket| bucket_change(bucket, &bucket.counts)) {
            push(&mut changes, change?)?;
        }
        sort_by(&mut changes, |left: &BucketChange, right| left.name.cmp(&right.name));
        Ok(changes.into_boxed_slice())
    }
}

/// Counts a bucket in, if it is part of the checkpoint.
fn count(progress: &mut ProgressSums, bucket: &TrackedBucket) {
    if let Some(Announced { priority, reasons, .. }) = &bucket.announced {
        progress.add(*priority, &bucket.counts, reasons);
    }
}

/// Takes a bucket out that was counted in.
fn uncount(progress: &mut ProgressSums, bucket: &TrackedBucket) {
    if let Some(Announced { priority, reasons, .. }) = &bucket.announced {
        progress.subtract(*priority, &bucket.counts, reasons);
    }
}

/// Counts a bucket with `counts` in place of those that it was counted in with.
fn recount(progress: &mut ProgressSums, bucket: &TrackedBucket, counts: &BucketCounts) {
    if let Some(Announced { priority, reasons, .. }) = &bucket.announced {
        progress.subtract(*priority, &bucket.counts, reasons);
        progress.add(*priority, counts, reasons);
    }
}

fn bucket_change(bucket: &TrackedBucket, counts: &BucketCounts) -> Option<Result<BucketChange>> {
    let priority = bucket.announced.as_ref()?.priority;
    Some(copy(&bucket.name).map(|name| BucketChange { name, progress: counts.report(priority) }))
}

fn new_tracked_bucket(
    name: Box<str>,
    bucket: BucketChecksum<'_>,
    id: Option<BucketId>,
    held: BucketCounts,
) -> TrackedBucket {
    let BucketChecksum { checksum, priority, count, subscriptions, .. } = bucket;
    let announced = Announced { checksum, priority, reasons: subscriptions.into_boxed_slice() };
    TrackedBucket::new(name, id, BucketCounts { count, ..held }, Some(announced))
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
        pub(crate) fn assert_consistent(&self) {
            let mut progress = ProgressSums::new(self.streams.len(), self.progress.subscriptions()).unwrap();
            self.buckets.iter().for_each(|bucket| count(&mut progress, bucket));
            assert_eq!(self.progress.figures(), progress.figures());
            self.buckets.assert_consistent(&self.changed);
        }

        /// All buckets: name, stored bucket and checksum.
        pub(crate) fn all_buckets(&self) -> impl Iterator<Item = (&str, Option<BucketId>, Checksum)> {
            self.buckets
                .iter()
                .filter_map(|bucket| Some((&*bucket.name, bucket.id, bucket.announced.as_ref()?.checksum)))
        }
    }
}
