//! Format 4: the checksum of the operations held is kept per bucket, so that validating does not add them up.

use super::{Migration, Up};

/// The step between formats 3 and 4.
pub(super) const MIGRATION: Migration = Migration { version: 4, up: Up::Sql(UP), down: Some(DOWN) };

const UP: &str = "ALTER TABLE main.ps_buckets ADD COLUMN op_checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE main.ps_buckets ADD COLUMN remove_operations INTEGER NOT NULL DEFAULT 0;
UPDATE main.ps_buckets SET op_checksum = (
  SELECT coalesce(sum(hash & 4294967295), 0) & 4294967295
    FROM main.ps_oplog AS oplog WHERE oplog.bucket = ps_buckets.name);";

const DOWN: &[&str] = &[statements![
    "DELETE FROM ps_migration WHERE id >= 4",
    "ALTER TABLE ps_buckets DROP COLUMN op_checksum",
    "ALTER TABLE ps_buckets DROP COLUMN remove_operations",
]];
