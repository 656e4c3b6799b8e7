-- Format 8: one sync time per priority, the newest where there were several.

CREATE TABLE main.ps_staged_sync_state AS
  SELECT priority, max(last_synced_at) AS last_synced_at FROM main.ps_sync_state GROUP BY priority;
DROP TABLE main.ps_sync_state;
CREATE TABLE main.ps_sync_state (
  priority INTEGER NOT NULL PRIMARY KEY,
  last_synced_at TEXT NOT NULL
) STRICT;
INSERT INTO main.ps_sync_state(priority, last_synced_at) SELECT priority, last_synced_at FROM main.ps_staged_sync_state;
DROP TABLE main.ps_staged_sync_state;
