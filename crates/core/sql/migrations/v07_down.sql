INSERT OR REPLACE INTO ps_kv(key, value) SELECT 'last_synced_at', last_synced_at FROM ps_sync_state WHERE priority = 2147483647;

DROP TABLE ps_sync_state;

DELETE FROM ps_migration WHERE id >= 7;
