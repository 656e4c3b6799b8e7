//! Ids of stored operations: the bucket's id in the high bits, the order of arrival within it in the low ones, so that
//! a bucket is one range of row ids.

use crate::storage::BucketId;

/// Bits of an operation's id that number it within its bucket.
const SEQUENCE_BITS: u32 = 40;

/// The largest number of an operation within its bucket.
const LAST_SEQUENCE: i64 = (1 << SEQUENCE_BITS) - 1;

/// The largest bucket id that leaves room for a sequence.
pub const LAST_BUCKET_ID: i64 = (1 << 22) - 1;

/// The id of operation `sequence` in `bucket`. Both wrap into their bits; callers stay below the limits.
pub fn operation_id(bucket: BucketId, sequence: i64) -> i64 {
    ((bucket.0 & LAST_BUCKET_ID) << SEQUENCE_BITS) | (sequence & LAST_SEQUENCE)
}

/// The largest id that an operation of `bucket` can have.
pub fn last_operation_id(bucket: BucketId) -> i64 {
    operation_id(bucket, LAST_SEQUENCE)
}

/// The bucket that operation `id` belongs to.
pub fn bucket_of(id: i64) -> BucketId {
    BucketId(id >> SEQUENCE_BITS)
}

/// The number of operation `id` within its bucket.
pub fn sequence_of(id: i64) -> i64 {
    id & LAST_SEQUENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_disjoint_ranges() {
        let (first, second) = (BucketId(1), BucketId(2));
        assert!(last_operation_id(first) < operation_id(second, 0));
        let id = operation_id(BucketId(LAST_BUCKET_ID), 77);
        assert!(id > 0);
        assert_eq!((bucket_of(id), sequence_of(id)), (BucketId(LAST_BUCKET_ID), 77));
    }
}
