//! Format 12: the bytes received are counted per bucket.

use super::{Migration, Up};

/// The step between formats 11 and 12.
pub(super) const MIGRATION: Migration = Migration { version: 12, up: Up::Sql(UP), down: Some(DOWN) };

const UP: &str = "ALTER TABLE main.ps_buckets ADD COLUMN downloaded_size INTEGER NOT NULL DEFAULT 0;";

const DOWN: &[&str] =
    &[statements!["ALTER TABLE ps_buckets DROP COLUMN downloaded_size", "DELETE FROM ps_migration WHERE id >= 12"]];
