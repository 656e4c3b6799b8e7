//! Format 7: the time of the last sync is kept per priority.

use super::{Migration, Up};

/// The step between formats 6 and 7.
pub(super) const MIGRATION: Migration = Migration { version: 7, up: Up::Sql(UP), down: Some(DOWN) };

const UP: &str = "CREATE TABLE main.ps_sync_state (
  priority INTEGER NOT NULL,
  last_synced_at TEXT NOT NULL
) STRICT;
INSERT INTO main.ps_sync_state(priority, last_synced_at)
  SELECT 2147483647, CAST(value AS TEXT) FROM main.ps_kv WHERE key = 'last_synced_at' AND value IS NOT NULL;";

const DOWN: &[&str] = &[statements![
    "INSERT OR REPLACE INTO ps_kv(key, value) SELECT 'last_synced_at', last_synced_at FROM ps_sync_state WHERE priority = 2147483647",
    "DROP TABLE ps_sync_state",
    "DELETE FROM ps_migration WHERE id >= 7",
]];
