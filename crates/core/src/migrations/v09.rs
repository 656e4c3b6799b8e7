//! Format 9: operations are counted per bucket, for the download progress.

use super::{Migration, Up};

/// The step between formats 8 and 9.
pub(super) const MIGRATION: Migration = Migration { version: 9, up: Up::Sql(UP), down: Some(DOWN) };

const UP: &str = "ALTER TABLE main.ps_buckets ADD COLUMN count_at_last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE main.ps_buckets ADD COLUMN count_since_last INTEGER NOT NULL DEFAULT 0;";

const DOWN: &[&str] = &[statements![
    "ALTER TABLE ps_buckets DROP COLUMN count_at_last",
    "ALTER TABLE ps_buckets DROP COLUMN count_since_last",
    "DELETE FROM ps_migration WHERE id >= 9",
]];
