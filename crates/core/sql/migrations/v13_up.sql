-- Format 13: times in microseconds instead of text and seconds.
--
-- A time that is no date is forgotten, and one that would not fit is clamped: neither may keep a file from opening.

CREATE TABLE main.ps_staged_sync_state AS
  SELECT priority, unixepoch(last_synced_at) * 1000000 AS last_synced_at FROM main.ps_sync_state
   WHERE unixepoch(last_synced_at) IS NOT NULL;
DROP TABLE main.ps_sync_state;
CREATE TABLE main.ps_sync_state (
  priority INTEGER NOT NULL PRIMARY KEY,
  last_synced_at INTEGER NOT NULL
) STRICT;
INSERT INTO main.ps_sync_state(priority, last_synced_at) SELECT priority, last_synced_at FROM main.ps_staged_sync_state;
DROP TABLE main.ps_staged_sync_state;
UPDATE main.ps_stream_subscriptions SET
  expires_at = max(min(expires_at, 9223372036854), -9223372036854) * 1000000,
  last_synced_at = max(min(last_synced_at, 9223372036854), -9223372036854) * 1000000;
