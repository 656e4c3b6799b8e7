UPDATE ps_stream_subscriptions SET expires_at = expires_at / 1000000, last_synced_at = last_synced_at / 1000000;

ALTER TABLE ps_sync_state RENAME TO ps_sync_state_new;

CREATE TABLE ps_sync_state (
  priority INTEGER NOT NULL PRIMARY KEY,
  last_synced_at TEXT NOT NULL
) STRICT;;

INSERT INTO ps_sync_state (priority, last_synced_at) SELECT priority, datetime(last_synced_at / 1000000, 'unixepoch') FROM ps_sync_state_new;

DROP TABLE ps_sync_state_new;

DELETE FROM ps_migration WHERE id >= 13;
