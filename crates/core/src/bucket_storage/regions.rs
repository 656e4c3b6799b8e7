//! The regions of `ps_operations`: when a new one begins, and where the operations of a bucket are.

use crate::error::Result;

use crate::bucket_storage::operation_id::{LAST_REGION, Region, operations_after};
use crate::connection::Database;
use crate::sync_client::storage::BucketId;

/// Operations that the first regions hold before the next one begins: some megabytes, which stay in SQLite's cache.
const FIRST_SIZE: i64 = 1 << 14;

/// So many regions have the same size before it doubles. Deleting a bucket looks into each region, so that their number
/// must not grow in proportion to what was ever downloaded.
const SAME_SIZE: i64 = 4;

/// The newest region, where operations are stored, and how many were settled in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newest {
    /// Which one it is.
    pub region: Region,
    /// Operations settled since it began.
    pub size: i64,
}

impl Newest {
    /// Loads it.
    pub(super) fn load(database: &Database<'_>) -> Result<Self> {
        const SQL: &str = "SELECT region, region_size FROM main.ps_checkpoint";
        let mut rows = database.query(SQL, &[])?;
        Ok(match rows.next()? {
            Some(row) => Self { region: Region::checked(row.integer(0))?, size: row.integer(1) },
            None => Self { region: Region(0), size: 0 },
        })
    }

    /// Counts `settled` operations, and begins the next region if this one is full and `may_end`.
    pub(super) fn grow(self, database: &Database<'_>, settled: i64, may_end: bool) -> Result<()> {
        const SQL: &str = "UPDATE main.ps_checkpoint SET region = ?1, region_size = ?2 WHERE id = 1";
        if settled == 0 {
            return Ok(());
        }
        let mut grown = Self { region: self.region, size: self.size.saturating_add(settled) };
        if may_end && grown.is_full() && nothing_is_pending(database, self.region)? {
            grown = Self { region: Region(self.region.0.saturating_add(1)), size: 0 };
        }
        database.execute(SQL, &[grown.region.0.into(), grown.size.into()])
    }

    fn is_full(self) -> bool {
        let doublings = self.region.0.checked_div(SAME_SIZE).unwrap_or(0).clamp(0, 40);
        self.region < LAST_REGION && self.size >= FIRST_SIZE << doublings
    }
}

/// Whether all operations of all buckets are settled, so that the newest region may end.
fn nothing_is_pending(database: &Database<'_>, newest: Region) -> Result<bool> {
    const SQL: &str = "SELECT id, settled FROM main.ps_buckets";
    const PENDING: &str = "SELECT 1 FROM main.ps_operations WHERE id BETWEEN ?1 AND ?2 LIMIT 1";
    let mut rows = database.query(SQL, &[])?;
    while let Some(row) = rows.next()? {
        let (first, last) = operations_after(newest, BucketId(row.integer(0)), row.integer(1));
        if database.integer(PENDING, &[first.into(), last.into()])?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The ranges of ids, first and last, that operations of `bucket` can have in all regions up to `newest`.
pub(super) fn all_of(bucket: BucketId, newest: Region) -> impl Iterator<Item = (i64, i64)> {
    (0..=newest.0.clamp(0, LAST_REGION.0)).map(move |region| operations_after(Region(region), bucket, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_become_larger() {
        let is_full = |region, size| Newest { region: Region(region), size }.is_full();
        assert!(!is_full(0, FIRST_SIZE - 1) && is_full(0, FIRST_SIZE));
        assert!(is_full(3, FIRST_SIZE) && !is_full(4, FIRST_SIZE) && is_full(4, 2 * FIRST_SIZE));
        assert!(is_full(126, FIRST_SIZE << 31));
        assert!(!is_full(127, i64::MAX), "there is no region after the last");
    }
}
