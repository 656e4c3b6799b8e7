-- Format 7: the time of the last sync is kept per priority.

CREATE TABLE main.ps_sync_state (
  priority INTEGER NOT NULL,
  last_synced_at TEXT NOT NULL
) STRICT;
INSERT INTO main.ps_sync_state(priority, last_synced_at)
  SELECT 2147483647, CAST(value AS TEXT) FROM main.ps_kv WHERE key = 'last_synced_at' AND value IS NOT NULL;
