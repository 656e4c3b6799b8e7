//! Which of a row's stored operations count: one per bucket and subkey, and among those the one with the highest op id
//! (docs/reference/protocol.md#operations).

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::Checksum;

use crate::bucket_storage::operation_id::bucket_of;
use crate::collections::sort_by;
use crate::error::Result;
use crate::sync_client::storage::BucketId;

/// What an operation does, as `ps_operations.removed` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A PUT.
    #[default]
    Put,
    /// A REMOVE.
    Remove,
    /// A PUT whose subkey was lost. It matches any subkey until the next operation of its bucket for the row.
    PutOfUnknownSubkey,
}

impl Kind {
    /// The kind that the column's `value` means.
    pub(crate) fn from_column(value: i64) -> Self {
        match value {
            0 => Self::Put,
            2 => Self::PutOfUnknownSubkey,
            _ => Self::Remove,
        }
    }
}

/// One stored operation of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    /// `ps_operations.id`.
    pub operation: i64,
    /// The service's id, by which operations are ordered.
    pub op_id: i64,
    /// Its checksum.
    pub hash: Checksum,
    /// What it does.
    pub kind: Kind,
    /// A later operation of the same bucket, type, id and subkey replaces it. Set by [`RowVersions::resolve`].
    pub is_superseded: bool,
    /// Its data are in the row, and nowhere else.
    pub is_in_place: bool,
    subkey: Option<(usize, usize)>,
}

impl Version {
    /// Whether this is what its bucket says of the row.
    pub(super) fn is_current(&self) -> bool {
        !self.is_superseded && self.kind != Kind::Remove
    }

    /// What distinguishes the operations of a row. An unknown subkey equals none of the others.
    fn key<'s>(&self, subkeys: &'s str) -> (BucketId, bool, Option<&'s str>) {
        let subkey = self.subkey.and_then(|(start, end)| subkeys.get(start..end));
        (bucket_of(self.operation), self.kind == Kind::PutOfUnknownSubkey, subkey)
    }
}

/// All stored operations of one row. Kept and cleared between rows, so that small rows allocate.
#[derive(Default)]
pub(super) struct RowVersions {
    versions: Vec<Version>,
    subkeys: String,
}

impl RowVersions {
    /// Forgets all operations.
    pub(super) fn clear(&mut self) {
        self.versions.clear();
        self.subkeys.clear();
    }

    /// Adds an operation.
    pub(super) fn push(
        &mut self,
        operation: i64,
        op_id: i64,
        hash: Checksum,
        kind: Kind,
        subkey: Option<&str>,
    ) -> Result<()> {
        let subkey = match subkey {
            None => None,
            Some(subkey) => {
                let start = self.subkeys.len();
                self.subkeys.try_reserve(subkey.len())?;
                self.subkeys.push_str(subkey);
                Some((start, self.subkeys.len()))
            }
        };
        self.versions.try_reserve(1)?;
        let (is_superseded, is_in_place) = (false, false);
        self.versions.push(Version { operation, op_id, hash, kind, is_superseded, is_in_place, subkey });
        Ok(())
    }

    /// Says that the data of the operation that was added last are in the row.
    pub(super) fn set_last_in_place(&mut self) {
        debug_assert!(!self.versions.is_empty(), "no operation was added");
        if let Some(last) = self.versions.last_mut() {
            last.is_in_place = true;
        }
    }

    /// Marks superseded operations. Afterwards operations are ordered by bucket, subkey and op id.
    pub(super) fn resolve(&mut self) {
        if self.versions.len() < 2 {
            return;
        }
        let subkeys = self.subkeys.as_str();
        sort_by(&mut self.versions, |a, b| {
            let by_key = a.key(subkeys).cmp(&b.key(subkeys));
            by_key.then(a.op_id.cmp(&b.op_id)).then(a.operation.cmp(&b.operation))
        });
        let mut next: Option<Version> = None;
        for version in self.versions.iter_mut().rev() {
            version.is_superseded = next.is_some_and(|next| next.key(subkeys) == version.key(subkeys));
            next = Some(*version);
        }
        if self.versions.iter().any(|version| version.kind == Kind::PutOfUnknownSubkey) {
            self.resolve_unknown_subkeys();
        }
    }

    /// Marks operations of an unknown subkey that have a later one of any subkey in their bucket.
    fn resolve_unknown_subkeys(&mut self) {
        let is_same_bucket = |a: &Version, b: &Version| bucket_of(a.operation) == bucket_of(b.operation);
        for versions in self.versions.chunk_by_mut(is_same_bucket) {
            let newest = versions.iter().map(|version| version.op_id).max();
            for version in versions.iter_mut().filter(|version| version.kind == Kind::PutOfUnknownSubkey) {
                version.is_superseded |= newest.is_some_and(|newest| newest > version.op_id);
            }
        }
    }

    /// The operations of each bucket and subkey, by op id. To be asked after [`Self::resolve`].
    pub(super) fn by_key(&self) -> impl Iterator<Item = &[Version]> {
        self.versions.chunk_by(|a, b| a.key(&self.subkeys) == b.key(&self.subkeys))
    }

    /// The operations added.
    pub(super) fn iter(&self) -> core::slice::Iter<'_, Version> {
        self.versions.iter()
    }

    /// The operation whose data are in the row.
    pub(super) fn in_place(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.is_in_place)
    }

    /// The operation in whose place `version`, which is pending, is settled: an older one of its bucket and subkey. That
    /// whose data are in the row comes first; others come if `is_settled` says so.
    pub(super) fn place_of(&self, version: &Version, is_settled: impl Fn(&Version) -> bool) -> Option<&Version> {
        let older = self.by_key().find(|of_key| of_key.last().is_some_and(|last| last.operation == version.operation));
        let (_, older) = older?.split_last()?;
        older.iter().find(|older| older.is_in_place).or_else(|| older.iter().find(|older| is_settled(older)))
    }

    /// The number of operations added.
    pub(super) fn len(&self) -> usize {
        self.versions.len()
    }

    /// The current operation with the highest op id among those that `is_candidate` accepts.
    pub(super) fn winner(&self, is_candidate: impl Fn(&Version) -> bool) -> Option<&Version> {
        self.versions
            .iter()
            .filter(|version| version.is_current() && is_candidate(version))
            .max_by_key(|version| version.op_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket_storage::operation_id::{Region, operation_id};

    fn push(versions: &mut RowVersions, bucket: i64, sequence: i64, op_id: i64, kind: Kind, subkey: Option<&str>) {
        let id = operation_id(Region(0), BucketId(bucket), sequence);
        versions.push(id, op_id, Checksum::default(), kind, subkey).unwrap();
    }

    fn current(versions: &RowVersions) -> Vec<i64> {
        versions.iter().filter(|version| version.is_current()).map(|version| version.op_id).collect()
    }

    #[test]
    fn the_last_operation_of_a_key_counts() {
        let mut versions = RowVersions::default();
        push(&mut versions, 1, 1, 10, Kind::Put, Some("a"));
        push(&mut versions, 1, 2, 12, Kind::Put, Some("a"));
        push(&mut versions, 1, 3, 11, Kind::Put, Some("b"));
        push(&mut versions, 2, 1, 9, Kind::Put, Some("a"));
        push(&mut versions, 2, 2, 8, Kind::Put, None);
        versions.resolve();
        let mut found = current(&versions);
        found.sort_unstable();
        assert_eq!(found, [8, 9, 11, 12]);
        assert_eq!(versions.winner(|_| true).map(|version| version.op_id), Some(12));
        assert_eq!(versions.winner(|version| bucket_of(version.operation) == BucketId(2)).map(|v| v.op_id), Some(9));
    }

    #[test]
    fn a_removal_hides_older_operations_of_its_key_only() {
        let mut versions = RowVersions::default();
        push(&mut versions, 1, 1, 10, Kind::Put, Some("a"));
        push(&mut versions, 1, 2, 20, Kind::Remove, Some("a"));
        push(&mut versions, 1, 3, 5, Kind::Put, Some("b"));
        versions.resolve();
        assert_eq!(current(&versions), [5]);
        assert_eq!(versions.winner(|_| true).map(|version| version.op_id), Some(5));
    }

    #[test]
    fn an_absent_subkey_is_a_key_of_its_own() {
        let mut versions = RowVersions::default();
        push(&mut versions, 1, 1, 1, Kind::Put, None);
        push(&mut versions, 1, 2, 2, Kind::Put, Some(""));
        versions.resolve();
        assert_eq!(current(&versions).len(), 2);
    }

    #[test]
    fn an_unknown_subkey_matches_any_until_the_next_operation_of_its_bucket() {
        for (later, current_ops) in [
            (Some((Kind::Put, Some("a"))), [1, 20].as_slice()),
            (Some((Kind::Put, None)), &[1, 20]),
            (Some((Kind::Remove, Some("a"))), &[1]),
            (Some((Kind::PutOfUnknownSubkey, None)), &[1, 20]),
            (None, &[1, 10]),
        ] {
            let mut versions = RowVersions::default();
            push(&mut versions, 1, 1, 1, Kind::Put, Some("b"));
            push(&mut versions, 1, 2, 10, Kind::PutOfUnknownSubkey, None);
            if let Some((kind, subkey)) = later {
                push(&mut versions, 1, 3, 20, kind, subkey);
            }
            versions.resolve();
            let mut found = current(&versions);
            found.sort_unstable();
            assert_eq!(found, current_ops, "{later:?}");
        }
    }

    #[test]
    fn an_unknown_subkey_does_not_concern_other_buckets_and_gives_its_place_to_none() {
        let mut versions = RowVersions::default();
        push(&mut versions, 1, 1, 10, Kind::PutOfUnknownSubkey, None);
        push(&mut versions, 2, 1, 20, Kind::Put, None);
        versions.resolve();
        assert_eq!(current(&versions), [10, 20]);
        push(&mut versions, 1, 2, 30, Kind::Put, None);
        versions.resolve();
        assert_eq!(versions.winner(|_| true).map(|version| version.op_id), Some(30));
        let keys: Vec<Vec<i64>> =
            versions.by_key().map(|of_key| of_key.iter().map(|version| version.op_id).collect()).collect();
        assert_eq!(keys, [[30], [10], [20]]);
        assert_eq!(current(&versions), [30, 20]);
    }
}
