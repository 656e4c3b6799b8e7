//! Ids of stored operations: a region in the high bits, then the bucket's id, and the order of arrival within the bucket
//! in the low ones.
//!
//! So a bucket is one range of row ids in each region, which is appended to, and deleted, without an index. Were there no
//! regions, the few operations of later checkpoints would go between the buckets' many older ones, each to a page of its
//! own. A new region begins when the last one has grown (see [`regions`](super::regions)); what is pending is always in
//! the newest.

use crate::storage::BucketId;

/// Bits of an operation's id that number it within its bucket.
const SEQUENCE_BITS: u32 = 34;

/// Bits of an operation's id that hold its bucket.
const BUCKET_BITS: u32 = 22;

/// The largest number of an operation within its bucket.
const LAST_SEQUENCE: i64 = (1 << SEQUENCE_BITS) - 1;

/// The largest bucket id that an operation's id has room for.
pub const LAST_BUCKET_ID: i64 = (1 << BUCKET_BITS) - 1;

/// The last region there can be.
pub const LAST_REGION: Region = Region(127);

/// Where operations of one time are stored; 0 is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(pub i64);

/// The id of operation `sequence` of `bucket` in `region`. All wrap into their bits; callers stay below the limits.
pub fn operation_id(region: Region, bucket: BucketId, sequence: i64) -> i64 {
    ((region.0 & LAST_REGION.0) << (BUCKET_BITS + SEQUENCE_BITS))
        | ((bucket.0 & LAST_BUCKET_ID) << SEQUENCE_BITS)
        | (sequence & LAST_SEQUENCE)
}

/// The first and the last id that operations of `bucket` numbered after `sequence` can have in `region`.
pub fn operations_after(region: Region, bucket: BucketId, sequence: i64) -> (i64, i64) {
    (operation_id(region, bucket, sequence.saturating_add(1)), operation_id(region, bucket, LAST_SEQUENCE))
}

/// The bucket that operation `id` belongs to.
pub fn bucket_of(id: i64) -> BucketId {
    BucketId((id >> SEQUENCE_BITS) & LAST_BUCKET_ID)
}

/// The number of operation `id` within its bucket.
pub fn sequence_of(id: i64) -> i64 {
    id & LAST_SEQUENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_disjoint_ranges_of_each_region() {
        let mut last = 0;
        for region in [Region(0), Region(1), LAST_REGION] {
            for bucket in [1, 2, LAST_BUCKET_ID].map(BucketId) {
                let range = operations_after(region, bucket, 0);
                assert!(last < range.0 && range.0 < range.1);
                last = range.1;
                let id = operation_id(region, bucket, 77);
                assert!((range.0..=range.1).contains(&id));
                assert_eq!((bucket_of(id), sequence_of(id)), (bucket, 77));
                assert_eq!(operations_after(region, bucket, 76).0, id);
            }
        }
        assert_eq!(last, i64::MAX);
    }
}
