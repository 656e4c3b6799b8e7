//! Ids of stored operations: a region in the high bits, then the bucket's id, and the order of arrival within the
//! bucket in the low ones.
//!
//! So a bucket is one range of row ids in each region, which is appended to, and deleted, without an index. Without
//! regions, the few operations of later checkpoints would go between the buckets' many older ones, each to its own
//! page. A new region begins when the last one has grown (see [`regions`](super::regions)); what is pending is always
//! in the newest.

use alloc::format;

use crate::error::{Error, Result};

use crate::sync_client::storage::BucketId;

/// Bits of an operation's id that number it within its bucket.
const SEQUENCE_BITS: u32 = 34;

/// Bits of an operation's id that hold its bucket.
const BUCKET_BITS: u32 = 22;

/// The largest number of an operation within its bucket.
pub(super) const LAST_SEQUENCE: i64 = (1 << SEQUENCE_BITS) - 1;

/// The largest bucket id that an operation's id has room for.
pub(super) const LAST_BUCKET_ID: i64 = (1 << BUCKET_BITS) - 1;

/// The last region there can be.
pub(super) const LAST_REGION: Region = Region(LAST_REGION_NUMBER);
const LAST_REGION_NUMBER: i64 = 127;

/// Where operations of one time are stored; 0 is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Region(pub i64);

impl Region {
    /// The region with that stored number.
    ///
    /// # Errors
    /// Local data if there is no such region.
    pub(super) fn checked(number: i64) -> Result<Self> {
        match number {
            0..=LAST_REGION_NUMBER => Ok(Self(number)),
            _ => {
                Err(Error::local_data(format!("ps_checkpoint: region is {number}, expected 0 to {LAST_REGION_NUMBER}")))
            }
        }
    }
}

/// Checks what ids of operations are made of, which a damaged row may hold anything for: the wrong operations would be
/// found by them. `bucket` names the bucket.
///
/// # Errors
/// Local data with numbers that an operation's id has no room for.
pub(super) fn check_bucket(id: BucketId, settled: i64, bucket: &str) -> Result<()> {
    let problem = match (id.0, settled) {
        (1..=LAST_BUCKET_ID, 0..=LAST_SEQUENCE) => return Ok(()),
        (1..=LAST_BUCKET_ID, _) => format!("settled is {settled}, expected 0 to {LAST_SEQUENCE}"),
        (id, _) => format!("id is {id}, expected 1 to {LAST_BUCKET_ID}"),
    };
    Err(Error::local_data(format!("ps_buckets, bucket {bucket}: {problem}")))
}

/// The id of operation `sequence` of `bucket` in `region`. All wrap into their bits; callers stay below the limits.
pub(super) fn operation_id(region: Region, bucket: BucketId, sequence: i64) -> i64 {
    ((region.0 & LAST_REGION.0) << (BUCKET_BITS + SEQUENCE_BITS))
        | ((bucket.0 & LAST_BUCKET_ID) << SEQUENCE_BITS)
        | (sequence & LAST_SEQUENCE)
}

/// The first and the last id that operations of `bucket` numbered after `sequence` can have in `region`.
pub(super) fn operations_after(region: Region, bucket: BucketId, sequence: i64) -> (i64, i64) {
    (operation_id(region, bucket, sequence.saturating_add(1)), operation_id(region, bucket, LAST_SEQUENCE))
}

/// The bucket that operation `id` belongs to.
pub(super) fn bucket_of(id: i64) -> BucketId {
    BucketId((id >> SEQUENCE_BITS) & LAST_BUCKET_ID)
}

/// The first and the last id that operations of the bucket of operation `id` can have in its region.
pub(super) fn range_of(id: i64) -> (i64, i64) {
    (id & !LAST_SEQUENCE, id | LAST_SEQUENCE)
}

/// The number of operation `id` within its bucket.
pub(super) fn sequence_of(id: i64) -> i64 {
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
                assert_eq!(range_of(id), (range.0 - 1, range.1));
                assert_eq!(operations_after(region, bucket, 76).0, id);
            }
        }
        assert_eq!(last, i64::MAX);
    }
}
