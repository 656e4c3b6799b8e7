//! Format 1003: uploads that the service refused, and what the last attempts to sync ran into.
//!
//! | table | holds |
//! | --- | --- |
//! | `ps_rejected` | upload entries that the app's backend refused for good, with its answer |
//! | `ps_diagnostics` | how the last attempt to sync ended, and which checksums and subscriptions failed |

use super::{Migration, Up};

/// The step between formats 1002 and 1003.
pub(super) const MIGRATION: Migration = Migration { version: 1003, up: Up::Sql(UP), down: Some(&DOWN) };

/// No index besides the keys: both tables are small, and each object costs time whenever a file is opened.
const UP: &str = "CREATE TABLE main.ps_rejected(
  transaction_id INTEGER NOT NULL,
  entry_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  data TEXT,
  code TEXT,
  message TEXT,
  details TEXT,
  PRIMARY KEY (transaction_id, entry_id)
) STRICT, WITHOUT ROWID;
CREATE VIEW main.powersync_rejected(
  transaction_id, entry_id, at, op, type, id, data, old, metadata, code, message, details
) AS SELECT transaction_id, entry_id, at, entry ->> '$.op', entry ->> '$.type', entry ->> '$.id', entry -> '$.data',
    entry -> '$.old', entry ->> '$.metadata', code, message, details
  FROM (SELECT *, iif(json_valid(data), data, '{}') AS entry FROM ps_rejected);
CREATE TABLE main.ps_diagnostics(
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  at INTEGER NOT NULL,
  detail TEXT,
  PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;";

/// Older formats have no place for rejected uploads: how many transactions there were is left in `ps_kv`.
pub(super) const DOWN: [&str; 5] = [
    "INSERT OR REPLACE INTO main.ps_kv(key, value)
  SELECT 'powersync_rejected_dropped', dropped
    FROM (SELECT count(DISTINCT transaction_id) AS dropped FROM main.ps_rejected) WHERE dropped > 0",
    "DROP VIEW main.powersync_rejected",
    "DROP TABLE main.ps_rejected",
    "DROP TABLE main.ps_diagnostics",
    "DELETE FROM main.ps_migration WHERE id >= 1003",
];
