//! Where the pending operations of rows are, so that a row that changes again before it is published is overwritten in
//! place instead of being stored once more.
//!
//! This is a hint: an entry may be wrong or missing after a rollback, a restart or another connection's work. Whoever
//! follows it checks that it finds an operation of the right key; a missing one costs a row that is dropped when it is
//! settled.

use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::storage::BucketId;

/// Operations remembered at most, which bounds the memory to some 10 MB.
const CAPACITY: usize = 400_000;

/// The hash of a key and the operation that holds it.
#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    operation: i64,
}

/// Pending operations by the hash of bucket, type, id and subkey.
#[derive(Default)]
pub struct PendingRows {
    entries: HashTable<Entry>,
    hasher: DefaultHashBuilder,
}

impl PendingRows {
    /// Remembers `operation` for the key with this hash, and gives the one that was remembered before.
    pub fn replace(&mut self, hash: u64, operation: i64) -> Option<i64> {
        if let Some(entry) = self.entries.find_mut(hash, |entry| entry.hash == hash) {
            return Some(core::mem::replace(&mut entry.operation, operation));
        }
        // Without memory for it there is no hint.
        if self.entries.len() < CAPACITY && self.entries.try_reserve(1, |entry| entry.hash).is_ok() {
            self.entries.insert_unique(hash, Entry { hash, operation }, |entry| entry.hash);
        }
        None
    }

    /// The hash of a key.
    pub fn hash(&self, bucket: BucketId, row_type: &str, row_id: &str, subkey: Option<&str>) -> u64 {
        self.hasher.hash_one((bucket.0, row_type, row_id, subkey))
    }

    /// Forgets everything, and gives the memory back.
    pub fn clear(&mut self) {
        self.entries = HashTable::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_operation_of_a_key_is_remembered() {
        let mut rows = PendingRows::default();
        let key = rows.hash(BucketId(1), "t", "1", None);
        assert_eq!(rows.replace(key, 5), None);
        assert_eq!(rows.replace(key, 6), Some(5));
        let other = rows.hash(BucketId(1), "t", "1", Some(""));
        assert_eq!(rows.replace(other, 7), None);
        rows.clear();
        assert_eq!(rows.replace(key, 8), None);
    }
}
