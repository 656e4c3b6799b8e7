//! The buckets that a target knows, each at a position that stays the same until it is removed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::progress::BucketCounts;
use crate::collections::{Index, Key};
use crate::error::Result;
use crate::protocol::{Checksum, Priority, SubscriptionReason};
use crate::storage::BucketId;

/// A bucket.
#[derive(Debug)]
pub struct Slot {
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
pub struct Announced {
    /// What its operations sum up to when all are downloaded.
    pub checksum: Checksum,
    /// How urgently it is published.
    pub priority: Priority,
    /// Why it is part of the checkpoint.
    pub reasons: Box<[SubscriptionReason]>,
}

impl Slot {
    /// A bucket that is not listed as changed.
    pub fn new(name: Box<str>, id: Option<BucketId>, counts: BucketCounts, announced: Option<Announced>) -> Self {
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
    pub fn unannounced(name: Box<str>) -> Self {
        Self::new(name, None, BucketCounts::default(), None)
    }
}

/// Buckets by position, name and id.
#[derive(Debug, Default)]
pub struct Slots {
    slots: Vec<Slot>,
    by_name: Index,
    by_id: Index,
    /// Positions that can be used again.
    free: Vec<usize>,
}

fn name_at<'s>(slots: &'s [Slot]) -> impl Fn(usize) -> Key<'s> {
    |position| Key::Name(slots.get(position).map_or("", |slot| &slot.name))
}

fn id_at<'s>(slots: &'s [Slot]) -> impl Fn(usize) -> Key<'s> {
    |position| Key::Id(slots.get(position).and_then(|slot| slot.id).map_or(0, |id| id.0))
}

impl Slots {
    /// Makes room for more buckets.
    pub fn reserve(&mut self, additional: usize) -> Result<()> {
        self.slots.try_reserve(additional)?;
        let positions = self.slots.len().saturating_add(additional);
        self.free.try_reserve(positions.saturating_sub(self.free.len()))?;
        self.by_name.reserve(additional)?;
        self.by_id.reserve(additional)
    }

    /// The position of the bucket with that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.find(Key::Name(name), &name_at(&self.slots))
    }

    /// The position of the stored bucket.
    pub fn find_id(&self, id: BucketId) -> Option<usize> {
        self.by_id.find(Key::Id(id.0), &id_at(&self.slots))
    }

    /// The bucket at a position.
    pub fn get(&self, position: usize) -> Option<&Slot> {
        self.slots.get(position)
    }

    /// The bucket with that name.
    pub fn by_name(&self, name: &str) -> Option<&Slot> {
        self.get(self.find(name)?)
    }

    /// The bucket at a position.
    pub fn get_mut(&mut self, position: usize) -> Option<&mut Slot> {
        self.slots.get_mut(position)
    }

    /// All buckets.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| !slot.is_removed)
    }

    /// Positions of buckets that are marked as changed.
    pub fn changed_positions(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().enumerate().filter_map(|(position, slot)| slot.is_changed.then_some(position))
    }

    /// Adds a bucket, or replaces all about the one of that name but whether it is listed as changed. There is room
    /// for it.
    pub fn put(&mut self, slot: Slot) -> usize {
        let id = slot.id;
        let position = match self.find(&slot.name) {
            Some(position) => {
                if let Some(known) = self.slots.get_mut(position) {
                    known.counts = slot.counts;
                    known.announced = slot.announced;
                }
                position
            }
            None => self.add(Slot { id: None, ..slot }),
        };
        if let Some(id) = id {
            self.set_id(position, id);
        }
        position
    }

    fn add(&mut self, slot: Slot) -> usize {
        let position = match self.free.pop() {
            Some(position) => {
                if let Some(free) = self.slots.get_mut(position) {
                    *free = slot;
                }
                position
            }
            None => {
                self.slots.push(slot);
                self.slots.len().saturating_sub(1)
            }
        };
        self.by_name.insert(name_at(&self.slots)(position), position);
        position
    }

    /// Notes where a bucket is stored. There is room for it.
    pub fn set_id(&mut self, position: usize, id: BucketId) {
        let before = self.slots.get(position).and_then(|slot| slot.id);
        if before == Some(id) {
            return;
        }
        if let Some(before) = before {
            self.by_id.remove(Key::Id(before.0), &id_at(&self.slots));
        }
        if let Some(slot) = self.slots.get_mut(position) {
            slot.id = Some(id);
            self.by_id.insert(Key::Id(id.0), position);
        }
    }

    /// An index for [`Self::forget_ids`].
    pub fn empty_index(&self) -> Result<Index> {
        let mut index = Index::default();
        index.reserve(self.slots.len())?;
        Ok(index)
    }

    /// Forgets where buckets are stored. Makes `empty` the index of ids.
    pub fn forget_ids(&mut self, empty: Index) {
        self.by_id = empty;
        for slot in &mut self.slots {
            slot.id = None;
        }
    }

    /// All buckets.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().filter(|slot| !slot.is_removed)
    }

    /// How many positions there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Removes the bucket with that name, and returns what was known of it.
    pub fn remove(&mut self, name: &str) -> Option<Slot> {
        let position = self.find(name)?;
        self.by_name.remove(Key::Name(name), &name_at(&self.slots));
        if let Some(id) = self.slots.get(position)?.id {
            self.by_id.remove(Key::Id(id.0), &id_at(&self.slots));
        }
        let slot = self.slots.get_mut(position)?;
        // The position can be used again when it is no longer listed as changed.
        let is_changed = slot.is_changed;
        let empty = Slot { is_removed: true, is_changed, ..Slot::unannounced(Box::default()) };
        let removed = core::mem::replace(slot, empty);
        self.free_if_removed(position);
        Some(removed)
    }

    /// Lets the position be used again, if it has no bucket and is not listed as changed.
    pub fn free_if_removed(&mut self, position: usize) {
        if self.slots.get(position).is_some_and(|slot| slot.is_removed && !slot.is_changed) {
            self.free.push(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Slots {
        /// Asserts what has to hold between the parts; `changed` is the target's list.
        pub fn assert_consistent(&self, changed: &[usize]) {
            for (position, slot) in self.slots.iter().enumerate() {
                let listed = changed.iter().filter(|changed| **changed == position).count();
                assert_eq!(listed, usize::from(slot.is_changed), "{slot:?}");
                let is_free = self.free.contains(&position);
                assert_eq!(is_free, slot.is_removed && !slot.is_changed, "{slot:?}");
                if !slot.is_removed {
                    assert_eq!(self.find(&slot.name), Some(position));
                    assert_eq!(slot.id.and_then(|id| self.find_id(id)), slot.id.map(|_| position));
                    assert!(!slot.is_changed || slot.announced.is_some());
                }
            }
            assert!(self.free.capacity() >= self.slots.len());
        }
    }

    fn slot(name: &str, id: Option<i64>) -> Slot {
        Slot { id: id.map(BucketId), ..Slot::unannounced(name.into()) }
    }

    #[test]
    fn positions_are_used_again_when_nothing_refers_to_them() {
        let mut slots = Slots::default();
        slots.reserve(3).unwrap();
        let (first, second) = (slots.put(slot("a", Some(1))), slots.put(slot("b", None)));
        slots.get_mut(second).unwrap().is_changed = true;
        assert_eq!(slots.remove("a").unwrap().id, Some(BucketId(1)));
        assert!(slots.remove("a").is_none());
        assert!(slots.remove("b").is_some());
        assert_eq!((slots.find("b"), slots.find_id(BucketId(1))), (None, None));
        assert_eq!(slots.put(slot("c", Some(3))), first);
        assert_eq!(slots.put(slot("b", Some(2))), 2);
        slots.get_mut(second).unwrap().is_changed = false;
        slots.free_if_removed(second);
        slots.reserve(1).unwrap();
        assert_eq!(slots.put(slot("d", None)), second);
        slots.assert_consistent(&[]);
    }

    #[test]
    fn a_bucket_that_is_stored_anew_is_found_by_its_new_id() {
        let mut slots = Slots::default();
        slots.reserve(1).unwrap();
        let position = slots.put(slot("a", Some(1)));
        slots.set_id(position, BucketId(2));
        assert_eq!((slots.find_id(BucketId(1)), slots.find_id(BucketId(2))), (None, Some(position)));
    }
}
