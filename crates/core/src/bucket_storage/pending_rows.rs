//! Where the pending operations of rows are, so that a row that changes again before it is published is overwritten in
//! place instead of being stored once more.
//!
//! This is a hint: an entry may be wrong or missing after a rollback, a restart or another connection's work. Callers
//! check that they find an operation of the right key. A missing entry costs a row that is dropped when it is
//! settled.

use crate::collections::{ByHash, hash};
use crate::sync_client::storage::BucketId;

/// Operations remembered at most, which bounds the memory to some 10 MB: 16 bytes for each, and room to grow.
const CAPACITY: usize = 400_000;

/// Pending operations by the hash of bucket, type, id and subkey.
#[derive(Default)]
pub(super) struct PendingRows {
    operations: ByHash,
}

impl PendingRows {
    /// Remembers `operation` for the key with this hash, and gives the one that was remembered before.
    pub(super) fn replace(&mut self, hash: u64, operation: i64) -> Option<i64> {
        if self.operations.len() >= CAPACITY && self.operations.get(hash).is_none() {
            return None;
        }
        // Without memory for it there is no hint.
        self.operations.set(hash, operation.cast_unsigned()).ok().flatten().map(u64::cast_signed)
    }

    /// The hash of a key.
    pub(super) fn hash(bucket: BucketId, row_type: &str, row_id: &str, subkey: Option<&str>) -> u64 {
        hash((bucket.0, row_type, row_id, subkey))
    }

    /// Forgets everything, and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.operations = ByHash::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_operation_of_a_key_is_remembered() {
        let mut rows = PendingRows::default();
        let key = PendingRows::hash(BucketId(1), "t", "1", None);
        assert_eq!(rows.replace(key, 5), None);
        assert_eq!(rows.replace(key, 6), Some(5));
        let other = PendingRows::hash(BucketId(1), "t", "1", Some(""));
        assert_eq!(rows.replace(other, 7), None);
        rows.clear();
        assert_eq!(rows.replace(key, 8), None);
    }
}
