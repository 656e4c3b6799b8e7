ALTER TABLE ps_sync_state RENAME TO ps_sync_state_new;

CREATE TABLE ps_sync_state (
  priority INTEGER NOT NULL,
  last_synced_at TEXT NOT NULL
) STRICT;

INSERT INTO ps_sync_state SELECT * FROM ps_sync_state_new;

DROP TABLE ps_sync_state_new;

DELETE FROM ps_migration WHERE id >= 8;
