-- Format 1003: uploads that the service refused, what the last attempts to sync ran into, and what publishing around
-- local writes needs.
--
-- | table or column | holds |
-- | --- | --- |
-- | `ps_rejected` | upload entries that the app's backend refused for good, with its answer |
-- | `ps_diagnostics` | how the last attempt to sync ended, and which checksums and subscriptions failed |
-- | `ps_updated_rows.downloaded` | whether the row is marked for something that was downloaded, rather than a local write |
--
-- `ps_buckets.in_checkpoint` is 2 for a bucket that was published around local writes since `last_applied_op` was set to
-- 0. Older formats know only 0 and 1.

-- No index besides the keys: both tables are small, and each object costs time whenever a file is opened.
CREATE TABLE main.ps_rejected(
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
) STRICT, WITHOUT ROWID;
ALTER TABLE main.ps_updated_rows ADD COLUMN downloaded INTEGER NOT NULL DEFAULT 0;
