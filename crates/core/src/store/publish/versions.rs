//! Which of a row's stored operations count: one per bucket and subkey, and among those the one with the highest op id
//! (sync protocol, Operations).

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Result;
use crate::protocol::Checksum;
use crate::store::operation_id::bucket_of;

/// One stored operation of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// `ps_operations.id`.
    pub operation: i64,
    /// The service's id, by which operations are ordered.
    pub op_id: i64,
    /// Its checksum.
    pub hash: Checksum,
    /// A REMOVE rather than a PUT.
    pub is_removal: bool,
    /// A later operation of the same bucket, type, id and subkey replaces it. Set by [`RowVersions::resolve`].
    pub is_superseded: bool,
    subkey: Option<(usize, usize)>,
}

impl Version {
    /// Whether this is what its bucket says of the row.
    pub fn is_current(&self) -> bool {
        !self.is_superseded && !self.is_removal
    }
}

/// All stored operations of one row. Kept and cleared between rows, so that few rows allocate.
#[derive(Default)]
pub struct RowVersions {
    versions: Vec<Version>,
    subkeys: String,
}

impl RowVersions {
    /// Forgets all operations.
    pub fn clear(&mut self) {
        self.versions.clear();
        self.subkeys.clear();
    }

    /// Adds an operation.
    pub fn push(
        &mut self,
        operation: i64,
        op_id: i64,
        hash: Checksum,
        is_removal: bool,
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
        self.versions.push(Version { operation, op_id, hash, is_removal, is_superseded: false, subkey });
        Ok(())
    }

    /// Marks superseded operations. Afterwards operations are ordered by bucket, subkey and op id.
    pub fn resolve(&mut self) {
        if self.versions.len() < 2 {
            return;
        }
        let subkeys = self.subkeys.as_str();
        let key = |version: &Version| {
            let subkey = version.subkey.and_then(|(start, end)| subkeys.get(start..end));
            (bucket_of(version.operation), subkey)
        };
        self.versions.sort_unstable_by(|a, b| {
            key(a).cmp(&key(b)).then(a.op_id.cmp(&b.op_id)).then(a.operation.cmp(&b.operation))
        });
        let mut next: Option<Version> = None;
        for version in self.versions.iter_mut().rev() {
            version.is_superseded = next.is_some_and(|next| key(&next) == key(version));
            next = Some(*version);
        }
    }

    /// The operations, by id, that `version` supersedes. To be asked after [`Self::resolve`].
    pub fn superseded_by(&self, version: &Version) -> impl Iterator<Item = i64> + '_ {
        let key = (bucket_of(version.operation), self.subkey(version));
        let has_key = move |other: &&Version| (bucket_of(other.operation), self.subkey(other)) == key;
        self.versions.iter().filter(|other| other.is_superseded).filter(has_key).map(|other| other.operation)
    }

    fn subkey(&self, version: &Version) -> Option<&str> {
        version.subkey.and_then(|(start, end)| self.subkeys.get(start..end))
    }

    /// The operations added.
    pub fn iter(&self) -> core::slice::Iter<'_, Version> {
        self.versions.iter()
    }

    /// The number of operations added.
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// The current operation with the highest op id among those that `is_candidate` accepts.
    pub fn winner(&self, is_candidate: impl Fn(&Version) -> bool) -> Option<&Version> {
        self.versions
            .iter()
            .filter(|version| version.is_current() && is_candidate(version))
            .max_by_key(|version| version.op_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::BucketId;
    use crate::store::operation_id::{Region, operation_id};

    fn push(
        versions: &mut RowVersions,
        bucket: i64,
        sequence: i64,
        op_id: i64,
        is_removal: bool,
        subkey: Option<&str>,
    ) {
        let id = operation_id(Region(0), BucketId(bucket), sequence);
        versions.push(id, op_id, Checksum::default(), is_removal, subkey).unwrap();
    }

    fn current(versions: &RowVersions) -> Vec<i64> {
        versions.iter().filter(|version| version.is_current()).map(|version| version.op_id).collect()
    }

    #[test]
    fn the_last_operation_of_a_key_counts() {
        let mut versions = RowVersions::default();
        push(&mut versions, 1, 1, 10, false, Some("a"));
        push(&mut versions, 1, 2, 12, false, Some("a"));
        push(&mut versions, 1, 3, 11, false, Some("b"));
        push(&mut versions, 2, 1, 9, false, Some("a"));
        push(&mut versions, 2, 2, 8, false, None);
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
        push(&mut versions, 1, 1, 10, false, Some("a"));
        push(&mut versions, 1, 2, 20, true, Some("a"));
        push(&mut versions, 1, 3, 5, false, Some("b"));
        versions.resolve();
        assert_eq!(current(&versions), [5]);
        assert_eq!(versions.winner(|_| true).map(|version| version.op_id), Some(5));
    }

    #[test]
    fn an_absent_subkey_is_a_key_of_its_own() {
        let mut versions = RowVersions::default();
        push(&mut versions, 1, 1, 1, false, None);
        push(&mut versions, 1, 2, 2, false, Some(""));
        versions.resolve();
        assert_eq!(current(&versions).len(), 2);
    }
}
