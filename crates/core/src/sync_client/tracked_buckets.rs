//! The buckets that a target knows, each at a position that stays the same until it is removed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rowtide_protocol::{Checksum, Priority, SubscriptionReason};

use super::progress::BucketCounts;
use crate::collections::{Index, Key};
use crate::error::Result;
use crate::sync_client::storage::BucketId;

/// A bucket.
#[derive(Debug)]
pub(super) struct TrackedBucket {
    /// Its name.
    pub name: Box<str>,
    /// The stored bucket, None while nothing of it is held.
    pub id: Option<BucketId>,
    /// The newest operation that the service takes as received: the `after` of the request, then what it sent. At times
    /// that is more than is stored, if another iteration has deleted the bucket.
    pub position: i64,
    /// Whether it was made by an iteration with another request.
    pub is_of_other_request: bool,
    /// Its operations as counted for the progress.
    pub counts: BucketCounts,
    /// What the checkpoint says of it; None if it is not part of the checkpoint.
    pub announced: Option<Announced>,
    /// Whether the target lists it as changed.
    pub is_changed: bool,
    is_removed: bool,
}

/// What a checkpoint says of a bucket.
#[derive(Debug)]
pub(super) struct Announced {
    /// What its operations sum up to when all are downloaded.
    pub checksum: Checksum,
    /// How urgently it is published.
    pub priority: Priority,
    /// Why it is part of the checkpoint.
    pub reasons: Box<[SubscriptionReason]>,
}

impl TrackedBucket {
    /// A bucket that is not listed as changed.
    pub(super) fn new(
        name: Box<str>,
        id: Option<BucketId>,
        counts: BucketCounts,
        announced: Option<Announced>,
    ) -> Self {
        Self {
            name,
            id,
            position: 0,
            is_of_other_request: false,
            counts,
            announced,
            is_changed: false,
            is_removed: false,
        }
    }

    /// A bucket that is not part of the checkpoint and of which nothing is known.
    pub(super) fn unannounced(name: Box<str>) -> Self {
        Self::new(name, None, BucketCounts::default(), None)
    }
}

/// Buckets by position, name and id.
#[derive(Debug, Default)]
pub(super) struct TrackedBuckets {
    buckets: Vec<TrackedBucket>,
    by_name: Index,
    by_id: Index,
    /// Positions that can be used again.
    free: Vec<usize>,
}

fn name_at<'s>(buckets: &'s [TrackedBucket]) -> impl Fn(usize) -> Key<'s> {
    |position| {
        debug_assert!(position < buckets.len(), "a name is indexed at a position that does not exist");
        Key::Name(buckets.get(position).map_or("", |bucket| &bucket.name))
    }
}

fn id_at<'s>(buckets: &'s [TrackedBucket]) -> impl Fn(usize) -> Key<'s> {
    |position| {
        let id = buckets.get(position).and_then(|bucket| bucket.id);
        debug_assert!(id.is_some(), "a bucket is indexed by an id that it does not have");
        Key::Id(id.map_or(0, |id| id.0))
    }
}

impl TrackedBuckets {
    /// Makes room for more buckets.
    pub(super) fn reserve(&mut self, additional: usize) -> Result<()> {
        self.buckets.try_reserve(additional)?;
        let positions = self.buckets.len().saturating_add(additional);
        self.free.try_reserve(positions.saturating_sub(self.free.len()))?;
        self.by_name.reserve(additional)?;
        self.by_id.reserve(additional)
    }

    /// The position of the bucket with that name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.find(Key::Name(name), &name_at(&self.buckets))
    }

    /// The position of the stored bucket.
    pub(super) fn find_id(&self, id: BucketId) -> Option<usize> {
        self.by_id.find(Key::Id(id.0), &id_at(&self.buckets))
    }

    /// The bucket at a position.
    pub(super) fn get(&self, position: usize) -> Option<&TrackedBucket> {
        debug_assert!(position < self.buckets.len(), "a position that does not exist");
        self.buckets.get(position)
    }

    /// The bucket with that name.
    pub(super) fn by_name(&self, name: &str) -> Option<&TrackedBucket> {
        self.get(self.find(name)?)
    }

    /// The bucket at a position.
    pub(super) fn get_mut(&mut self, position: usize) -> Option<&mut TrackedBucket> {
        debug_assert!(position < self.buckets.len(), "a position that does not exist");
        self.buckets.get_mut(position)
    }

    /// All buckets.
    pub(super) fn iter(&self) -> impl Iterator<Item = &TrackedBucket> {
        self.buckets.iter().filter(|bucket| !bucket.is_removed)
    }

    /// Positions of buckets that are marked as changed.
    pub(super) fn changed_positions(&self) -> impl Iterator<Item = usize> {
        self.buckets.iter().enumerate().filter_map(|(position, bucket)| bucket.is_changed.then_some(position))
    }

    /// Adds a bucket, or replaces all about the one of that name but whether it is listed as changed. There is room
    /// for it.
    pub(super) fn put(&mut self, bucket: TrackedBucket) -> usize {
        let id = bucket.id;
        let position = match self.find(&bucket.name) {
            Some(position) => {
                if let Some(known) = self.buckets.get_mut(position) {
                    known.counts = bucket.counts;
                    known.announced = bucket.announced;
                }
                position
            }
            None => self.add(TrackedBucket { id: None, ..bucket }),
        };
        if let Some(id) = id {
            self.set_id(position, id);
        }
        position
    }

    fn add(&mut self, bucket: TrackedBucket) -> usize {
        let position = match self.free.pop() {
            Some(position) => {
                let free = self.buckets.get_mut(position);
                debug_assert!(free.as_ref().is_some_and(|free| free.is_removed), "a free position has a bucket");
                if let Some(free) = free {
                    *free = bucket;
                }
                position
            }
            None => {
                self.buckets.push(bucket);
                self.buckets.len().saturating_sub(1)
            }
        };
        self.by_name.insert(name_at(&self.buckets)(position), position);
        position
    }

    /// Notes where a bucket is stored. There is room for it.
    pub(super) fn set_id(&mut self, position: usize, id: BucketId) {
        let before = self.buckets.get(position).and_then(|bucket| bucket.id);
        if before == Some(id) {
            return;
        }
        if let Some(before) = before {
            debug_assert_eq!(self.find_id(before), Some(position), "another bucket has the same id");
            self.by_id.remove(Key::Id(before.0), &id_at(&self.buckets));
        }
        if let Some(bucket) = self.buckets.get_mut(position) {
            bucket.id = Some(id);
            self.by_id.insert(Key::Id(id.0), position);
        }
    }

    /// An index for [`Self::forget_ids`].
    pub(super) fn empty_index(&self) -> Result<Index> {
        let mut index = Index::default();
        index.reserve(self.buckets.len())?;
        Ok(index)
    }

    /// Forgets where buckets are stored. Makes `empty` the index of ids.
    pub(super) fn forget_ids(&mut self, empty: Index) {
        self.by_id = empty;
        for bucket in &mut self.buckets {
            bucket.id = None;
        }
    }

    /// All buckets.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut TrackedBucket> {
        self.buckets.iter_mut().filter(|bucket| !bucket.is_removed)
    }

    /// How many positions there are.
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Removes the bucket with that name, and returns what was known of it.
    pub(super) fn remove(&mut self, name: &str) -> Option<TrackedBucket> {
        let position = self.find(name)?;
        self.by_name.remove(Key::Name(name), &name_at(&self.buckets));
        if let Some(id) = self.buckets.get(position)?.id {
            self.by_id.remove(Key::Id(id.0), &id_at(&self.buckets));
        }
        let bucket = self.buckets.get_mut(position)?;
        // The position can be used again when it is no longer listed as changed.
        let is_changed = bucket.is_changed;
        let empty = TrackedBucket { is_removed: true, is_changed, ..TrackedBucket::unannounced(Box::default()) };
        let removed = core::mem::replace(bucket, empty);
        self.free_if_removed(position);
        Some(removed)
    }

    /// Lets the position be used again, if it has no bucket and is not listed as changed.
    pub(super) fn free_if_removed(&mut self, position: usize) {
        if self.buckets.get(position).is_some_and(|bucket| bucket.is_removed && !bucket.is_changed) {
            self.free.push(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl TrackedBuckets {
        /// Asserts what has to hold between the parts; `changed` is the target's list.
        pub(crate) fn assert_consistent(&self, changed: &[usize]) {
            for (position, bucket) in self.buckets.iter().enumerate() {
                let listed = changed.iter().filter(|changed| **changed == position).count();
                assert_eq!(listed, usize::from(bucket.is_changed), "{bucket:?}");
                let is_free = self.free.contains(&position);
                assert_eq!(is_free, bucket.is_removed && !bucket.is_changed, "{bucket:?}");
                if !bucket.is_removed {
                    assert_eq!(self.find(&bucket.name), Some(position));
                    assert_eq!(bucket.id.and_then(|id| self.find_id(id)), bucket.id.map(|_| position));
                    assert!(!bucket.is_changed || bucket.announced.is_some());
                }
            }
            assert!(self.free.capacity() >= self.buckets.len());
        }
    }

    fn bucket(name: &str, id: Option<i64>) -> TrackedBucket {
        TrackedBucket { id: id.map(BucketId), ..TrackedBucket::unannounced(name.into()) }
    }

    #[test]
    fn positions_are_used_again_when_nothing_refers_to_them() {
        let mut buckets = TrackedBuckets::default();
        buckets.reserve(3).unwrap();
        let (first, second) = (buckets.put(bucket("a", Some(1))), buckets.put(bucket("b", None)));
        buckets.get_mut(second).unwrap().is_changed = true;
        assert_eq!(buckets.remove("a").unwrap().id, Some(BucketId(1)));
        assert!(buckets.remove("a").is_none());
        assert!(buckets.remove("b").is_some());
        assert_eq!((buckets.find("b"), buckets.find_id(BucketId(1))), (None, None));
        assert_eq!(buckets.put(bucket("c", Some(3))), first);
        assert_eq!(buckets.put(bucket("b", Some(2))), 2);
        buckets.get_mut(second).unwrap().is_changed = false;
        buckets.free_if_removed(second);
        buckets.reserve(1).unwrap();
        assert_eq!(buckets.put(bucket("d", None)), second);
        buckets.assert_consistent(&[]);
    }

    #[test]
    fn a_bucket_that_is_stored_again_is_found_by_its_new_id() {
        let mut buckets = TrackedBuckets::default();
        buckets.reserve(1).unwrap();
        let position = buckets.put(bucket("a", Some(1)));
        buckets.set_id(position, BucketId(2));
        assert_eq!((buckets.find_id(BucketId(1)), buckets.find_id(BucketId(2))), (None, Some(position)));
    }
}
