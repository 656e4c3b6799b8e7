//! Format 8: one sync time per priority, the newest where there were several.

use super::{Migration, Up};

/// The step between formats 7 and 8.
pub(super) const MIGRATION: Migration = Migration { version: 8, up: Up::Sql(UP), down: Some(DOWN) };

const UP: &str = "CREATE TABLE main.ps_staged_sync_state AS
  SELECT priority, max(last_synced_at) AS last_synced_at FROM main.ps_sync_state GROUP BY priority;
DROP TABLE main.ps_sync_state;
CREATE TABLE main.ps_sync_state (
  priority INTEGER NOT NULL PRIMARY KEY,
  last_synced_at TEXT NOT NULL
) STRICT;
INSERT INTO main.ps_sync_state(priority, last_synced_at) SELECT priority, last_synced_at FROM main.ps_staged_sync_state;
DROP TABLE main.ps_staged_sync_state;";

const DOWN: &[&str] = &[statements![
    "ALTER TABLE ps_sync_state RENAME TO ps_sync_state_new",
    "CREATE TABLE ps_sync_state (
  priority INTEGER NOT NULL,
  last_synced_at TEXT NOT NULL
) STRICT",
    "INSERT INTO ps_sync_state SELECT * FROM ps_sync_state_new",
    "DROP TABLE ps_sync_state_new",
    "DELETE FROM ps_migration WHERE id >= 8",
]];
